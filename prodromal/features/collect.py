"""From the row groups of a part to a history: only the columns that a plan needs, only the rows of its groups."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prodromal.compiled import compiled
from prodromal.errors import DataError
from prodromal.features.arrow import locked, numbers
from prodromal.features.kernels import History
from prodromal.register.parquet import read_batches

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow as pa

    from prodromal.features.plan import FeaturePlan
    from prodromal.register import Part

__all__ = ["Reader"]

_SUBSTANCE = 7  # characters of a full ATC code
_NO_DDD = locked(np.empty(0, dtype=np.float32))
_NO_SUPPLY = locked(np.empty(0, dtype=np.int16))


class _Rows(NamedTuple):
    """Columns of some dispensings; ``code`` is a position in a row group's dictionary, or the plan's number."""

    day: npt.NDArray[np.int32]
    code: npt.NDArray[np.int32]
    ddd: npt.NDArray[np.float32]
    days_supply: npt.NDArray[np.int16]


@compiled
def _keep(rows: _Rows, number: Any, counts: Any, at: Any, start: Any, kept: _Rows) -> None:
    """Append the rows whose code has a number, and note where each person's begin.

    ``at`` holds the persons begun, the rows of the last of them that are still to come, and the rows kept; it lives on
    over batches. A row is written before it is known to be kept, for a branch that cannot be foretold costs more than
    a write.
    """
    day, code, ddd, supply = rows.day, rows.code, rows.ddd, rows.days_supply
    kept_day, kept_code, kept_ddd, kept_supply = kept.day, kept.code, kept.ddd, kept.days_supply
    with_ddd, with_supply = kept_ddd.shape[0] > 0, kept_supply.shape[0] > 0
    person, left, n = at[0], at[1], at[2]
    row, size = 0, day.shape[0]
    while row < size:
        while left == 0:
            start[person] = n
            left = counts[person]
            person += 1
        end = min(size, row + left)
        first = n
        for i in range(np.uint64(row), np.uint64(end)):
            its = number[np.uint32(code[i])]
            kept_day[n] = day[i]
            kept_code[n] = its
            n += its >= 0
        if with_ddd:
            n = first
            for i in range(np.uint64(row), np.uint64(end)):
                kept_ddd[n] = ddd[i]
                n += number[np.uint32(code[i])] >= 0
        if with_supply:
            n = first
            for i in range(np.uint64(row), np.uint64(end)):
                kept_supply[n] = supply[i]
                n += number[np.uint32(code[i])] >= 0
        left -= end - row
        row = end
    at[0], at[1], at[2] = person, left, n


class Reader:
    """Reads histories for a plan; remembers which codes belong to which groups.

    Parameters
    ----------
    plan : FeaturePlan
        What will be measured.
    """

    def __init__(self, plan: FeaturePlan) -> None:
        self._plan = plan
        self._members: dict[str, tuple[int, ...]] = {}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Columns of the dispensings that the plan needs."""
        supply = "days_covered" in self._plan.measures
        ddd = supply or "ddd" in self._plan.measures
        return ("dispensed_on", "atc", *["ddd"] * ddd, *["days_supply"] * supply)

    def read(self, part: Part, counts: npt.NDArray[np.int32]) -> History:
        """Dispensings of a part's persons, who have `counts` each.

        Raises
        ------
        DataError
            If the part has another number of dispensings, or the file is damaged.
        """
        if (told := int(counts.sum())) != part.rows:
            raise DataError(f"{part.path}: its persons have {told} dispensings, the manifest names {part.rows}")
        batches = read_batches(part.path, self.columns, dictionaries=["atc"])
        return self.gather(batches, counts, str(part.path))

    def gather(
        self, batches: Iterable[pa.RecordBatch], counts: npt.NDArray[np.int32], where: str = "dispensings"
    ) -> History:
        """A history from batches of ``columns``, sorted by person and day, ATC codes as dictionaries.

        Parameters
        ----------
        batches : iterable of RecordBatch
            Dispensings.
        counts : ndarray of int32, shape (n_persons,)
            How many each person has.
        where : str
            What to call them in an error.

        Raises
        ------
        DataError
            If there are more or fewer than `counts` tell.
        """
        expected = int(counts.sum())
        start = np.empty(len(counts) + 1, dtype=np.int64)
        at = np.zeros(3, dtype=np.int64)
        kept = self._room(expected)
        codes: dict[str, int] = {}
        words, number, rows = None, np.empty(0, dtype=np.int32), 0
        for batch in batches:
            rows += batch.num_rows
            if rows > expected:
                break
            dictionary = batch.column("atc").dictionary
            if words is None or not dictionary.equals(words):
                words, number = dictionary, self._numbers(dictionary, codes)
            _keep(_rows(batch), number, locked(counts), at, start, kept)
        if rows != expected:
            raise DataError(f"{where} has not the {expected} dispensings that the manifest names")
        start[at[0] :] = at[2]
        return self._history(start, kept, int(at[2]), list(codes))

    def _room(self, rows: int) -> _Rows:
        return _Rows(
            np.empty(rows, dtype=np.int32),
            np.empty(rows, dtype=np.int32),
            np.empty(rows * ("ddd" in self.columns), dtype=np.float32),
            np.empty(rows * ("days_supply" in self.columns), dtype=np.int16),
        )

    def _numbers(self, dictionary: pa.Array, codes: dict[str, int]) -> npt.NDArray[np.int32]:
        """The plan's number of each code of a dictionary; -1 without a group, and for a missing code behind the end."""
        words = dictionary.to_pylist()
        return np.asarray([*(codes.setdefault(w, len(codes)) if self._groups(w) else -1 for w in words), -1], np.int32)

    def _groups(self, code: str) -> tuple[int, ...]:
        if code not in self._members:
            self._members[code] = tuple(g for g, group in enumerate(self._plan.groups) if group.matches(code))
        return self._members[code]

    def _history(self, start: npt.NDArray[np.int64], kept: _Rows, rows: int, codes: list[str]) -> History:
        members = [self._groups(code) for code in codes]
        place = {code: i for i, code in enumerate(sorted(code for code in codes if len(code) == _SUBSTANCE))}
        return History(
            start,
            kept.day[:rows],
            kept.code[:rows],
            kept.ddd[:rows],
            kept.days_supply[:rows],
            np.cumsum([0, *map(len, members)]).astype(np.int32),
            np.asarray([g for groups in members for g in groups], dtype=np.int32),
            np.asarray([place.get(code, -1) for code in codes], dtype=np.int32),
            int(np.diff(start).max(initial=0)),
        )


def _rows(batch: pa.RecordBatch) -> _Rows:
    codes, names = batch.column("atc"), batch.schema.names
    return _Rows(
        numbers(batch.column("dispensed_on"), np.int32, -(2**31)),
        numbers(codes.indices, np.int32, len(codes.dictionary)),
        numbers(batch.column("ddd"), np.float32, np.nan) if "ddd" in names else _NO_DDD,
        numbers(batch.column("days_supply"), np.int16, 0) if "days_supply" in names else _NO_SUPPLY,
    )
