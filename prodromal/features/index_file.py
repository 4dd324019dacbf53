"""Index dates in a file sorted by person and date: read as far as each part of the register goes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prodromal.errors import DataError
from prodromal.features.arrow import identifiers, numbers
from prodromal.features.index_dates import Asked
from prodromal.features.people import stream_people
from prodromal.files import sha256
from prodromal.register.parquet import read_batches
from prodromal.register.persons import UNKNOWN_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from prodromal.register import Register

__all__ = ["IndexFile"]

_Columns = tuple[npt.NDArray[Any], npt.NDArray[np.int32]]


@dataclass(frozen=True)
class IndexFile:
    """A Parquet file with ``person_id`` and ``index_date``, sorted by both; memory does not grow with its length.

    Parameters
    ----------
    path : Path
        The file. Read an unsorted one whole, with ``IndexDates.of``.
    """

    path: Path

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return sha256(self.path)

    def by_part(self, register: Register) -> Iterator[Asked]:
        """Each part that has index dates.

        Raises
        ------
        DataError
            If the file is not sorted, has a row without a date, or names a person who is not in the register.
        """
        batches = self._columns()
        held = next(batches, None)
        position = 0
        for part, people, rows in stream_people(register):
            while held is not None:
                if held[0][-1] <= people.ids[-1] and (more := next(batches, None)) is not None:
                    held = _joined(held, more)
                else:
                    break
            if held is None:
                return
            size = int(np.searchsorted(held[0], people.ids[-1], side="right"))
            ids, days = held[0][:size], held[1][:size]
            held = (held[0][size:], held[1][size:]) if size < len(held[0]) else next(batches, None)
            self._check(ids, days)
            if size:
                yield Asked(
                    part, people, rows, np.arange(position, position + size), self._known(people.rows(ids)), days
                )
            position += size
        if held is not None:
            self._known(np.full(len(held[0]), -1))

    def _columns(self) -> Iterator[_Columns]:
        for batch in read_batches(self.path, ["person_id", "index_date"]):
            if batch.num_rows:
                days = batch.column("index_date").cast(pa.date32())
                yield identifiers(batch.column("person_id")), numbers(days, np.int32, int(UNKNOWN_DAY))

    def _check(self, ids: npt.NDArray[Any], days: npt.NDArray[np.int32]) -> None:
        if missing := int((days == UNKNOWN_DAY).sum()):
            raise DataError(f"{self.path}: {missing} of {len(days)} rows have no index_date")
        falls = (ids[1:] < ids[:-1]) | ((ids[1:] == ids[:-1]) & (days[1:] < days[:-1]))
        if wrong := int(falls.sum()):
            raise DataError(f"{self.path} is not sorted by person_id and index_date: {wrong} rows stand too late")

    def _known(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        if unknown := int((rows < 0).sum()):
            raise DataError(f"{self.path}: {unknown} of {len(rows)} rows name a person who is not in the register")
        return rows


def _joined(one: _Columns, other: _Columns) -> _Columns:
    return np.concatenate([one[0], other[0]]), np.concatenate([one[1], other[1]])
