"""Index dates: who is looked at when. Rows keep their order; several dates per person and repeats are allowed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Protocol

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError
from prodromal.features.people import people_of, stream_people

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd

    from prodromal.register import Part, Persons, Register

__all__ = ["Asked", "Dates", "Everyone", "IndexDates"]


@dataclass(frozen=True)
class Asked:
    """The index dates of one part of a register, sorted by person and day.

    Parameters
    ----------
    part : Part
        The part.
    people : Persons
        Its persons.
    rows : ndarray of int32, shape (n_persons,)
        Dispensings of each of them.
    position : ndarray of int64, shape (n_rows,)
        Where the rows stand among all index dates.
    person : ndarray of int64, shape (n_rows,)
        Rows of `people`.
    day : ndarray of int32, shape (n_rows,)
        Days since 1970-01-01.
    """

    part: Part
    people: Persons
    rows: npt.NDArray[np.int32]
    position: npt.NDArray[np.int64]
    person: npt.NDArray[np.int64]
    day: npt.NDArray[np.int32]


class Dates(Protocol):
    """Index dates that can be told part by part."""

    def by_part(self, register: Register) -> Iterator[Asked]:
        """Each part that has index dates."""

    def fingerprint(self) -> str:
        """What tells these index dates from others."""


@dataclass(frozen=True)
class IndexDates:
    """Persons by row of the persons table (-1 if unknown) and days since 1970-01-01, each of shape (n_rows,)."""

    person_row: npt.NDArray[np.int64]
    day: npt.NDArray[np.int32]

    @classmethod
    def of(cls, register: Register, frame: pd.DataFrame) -> IndexDates:
        """Look up a frame with columns ``person_id`` and ``index_date``.

        Raises
        ------
        DataError
            If a column is missing or an index date is no date.
        """
        import pandas as pd

        for column in ("person_id", "index_date"):
            if column not in frame.columns:
                raise DataError(f"index dates have no column {column}; they need person_id and index_date")
        dates = pd.to_datetime(frame["index_date"], errors="coerce", format="ISO8601")
        if wrong := int(dates.isna().sum()):
            first = int(np.flatnonzero(dates.isna().to_numpy())[0]) + 1
            raise DataError(
                f"index dates: {wrong} of {len(frame)} values of index_date are no dates, the first in row {first}; "
                "write YYYY-MM-DD"
            )
        days = dates.to_numpy().astype("datetime64[D]").astype(np.int64).astype(np.int32)
        return cls(register.persons.rows(frame["person_id"].to_numpy()), days)

    @classmethod
    def on(cls, person_row: npt.NDArray[np.int64], day: int) -> IndexDates:
        """One index day for many persons."""
        return cls(person_row, np.full(len(person_row), day, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.day)

    def fingerprint(self) -> str:
        """SHA-256 of who is asked for when."""
        return hashlib.sha256(self.person_row.tobytes() + self.day.tobytes()).hexdigest()

    def require_known(self) -> None:
        """Raise DataError if a person is unknown to the register."""
        if unknown := int((self.person_row < 0).sum()):
            first = int(np.flatnonzero(self.person_row < 0)[0]) + 1
            raise DataError(
                f"index dates: {unknown} of {len(self)} rows name a person who is not in the register, first in row "
                f"{first}"
            )

    def by_part(self, register: Register) -> Iterator[Asked]:
        """Each part that has index dates."""
        self.require_known()
        order = np.lexsort((self.day, self.person_row))
        rows = self.person_row[order]
        starts = [part.first_person for part in register.parts] + [len(register.persons)]
        bounds = np.searchsorted(rows, starts)
        for part, (low, high) in zip(register.parts, pairwise(bounds), strict=True):
            if high > low:
                chosen = order[low:high]
                people, counts = people_of(register, part)
                yield Asked(part, people, counts, chosen, self.person_row[chosen] - part.first_person, self.day[chosen])


@dataclass(frozen=True)
class Everyone:
    """All persons of a register on one day; memory does not grow with their number.

    Parameters
    ----------
    day : int
        Days since 1970-01-01.
    """

    day: int

    def fingerprint(self) -> str:
        """The day."""
        return f"everyone on day {self.day}"

    def by_part(self, register: Register) -> Iterator[Asked]:
        """Each part that has persons."""
        for part, people, rows in stream_people(register):
            person = np.arange(len(people), dtype=np.int64)
            day = np.full(len(people), self.day, dtype=np.int32)
            yield Asked(part, people, rows, part.first_person + person, person, day)
