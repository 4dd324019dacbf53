"""Who had been dispensed what, and when, before an index day."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodromal.register import Register

__all__ = [
    "ALL_CLASSES",
    "HEADLINE",
    "NEGATIVE_CONTROLS",
    "STUDIED",
    "WINDOWS",
    "Definition",
    "DrugClass",
    "Histories",
    "LookBack",
]

_Ints = npt.NDArray[np.int64]
_Bools = npt.NDArray[np.bool_]

YEAR, FIVE_YEARS = 365, 1826
WINDOWS = ("0-1", ">1-5", ">5")
HEADLINE = ">1"
# Room for any day beside the row of a person in one sorted integer.
_DAYS = 1 << 21
_ZERO = 1 << 20


@dataclass(frozen=True)
class DrugClass:
    """A medication class of the study.

    Parameters
    ----------
    name : str
        Plural, as in tables.
    atc : str
        Prefix of its ATC codes; the whole group, as in the published study.
    """

    name: str
    atc: str

    def __post_init__(self) -> None:
        if not self.atc.isalnum() or not self.atc[:1].isupper():
            raise DefinitionError(f"class '{self.name}': '{self.atc}' is no prefix of an ATC code, such as N05B")


STUDIED = (DrugClass("anxiolytics", "N05B"), DrugClass("hypnotics", "N05C"), DrugClass("antidepressants", "N06A"))
NEGATIVE_CONTROLS = (DrugClass("statins", "C10AA"), DrugClass("proton pump inhibitors", "A02BC"))
ALL_CLASSES = STUDIED + NEGATIVE_CONTROLS


class Definition(Enum):
    """What counts as use: a first dispensing, or at least two (the published study's)."""

    FIRST_USE = "first use"
    RECURRENT = "recurrent"

    @property
    def dispensings(self) -> int:
        """Dispensings from which somebody counts as a user."""
        return 2 if self is Definition.RECURRENT else 1


@dataclass(frozen=True)
class LookBack:
    """Days before the index day for which a person must have been observed, so that "not used" means something.

    Parameters
    ----------
    headline_days : int
        For use beyond a year.
    windows_days : int
        For the windows: five years, and one more in which a use beyond five years can be seen.
    """

    headline_days: int = 730
    windows_days: int = FIVE_YEARS + YEAR

    def __post_init__(self) -> None:
        if self.headline_days <= YEAR or self.windows_days <= FIVE_YEARS:
            raise DefinitionError("look-back: the headline needs more than 365 days, the windows more than 1826")


@dataclass(frozen=True, eq=False)
class Histories:
    """Days of dispensing of chosen people, by class, as sorted integers.

    Parameters
    ----------
    keys : mapping of str to ndarray of int64
        Person's row times 2**21 plus day, ascending.
    """

    keys: Mapping[str, _Ints]

    @classmethod
    def read(cls, register: Register, people: _Ints, classes: Sequence[DrugClass]) -> Histories:
        """Read the dispensings of people, given by their rows of the persons table, part by part.

        Parameters
        ----------
        register : Register
        people : ndarray of int64
            Rows, in any order, repeated or not.
        classes : sequence of DrugClass
        """
        wanted = np.zeros(len(register.persons), dtype=bool)
        wanted[people] = True
        found: dict[str, list[_Ints]] = {group.name: [np.zeros(0, dtype=np.int64)] for group in classes}
        for part in register.parts:
            many = register.rows_per_person[part.first_person : part.first_person + part.persons]
            person = np.repeat(np.arange(part.first_person, part.first_person + part.persons), many)
            table = part.read(["dispensed_on", "atc"]).filter(wanted[person]).unify_dictionaries().combine_chunks()
            if not table.num_rows:
                continue
            atc = table.column("atc").chunk(0)
            codes, at = atc.dictionary.to_pylist(), atc.indices.to_numpy(zero_copy_only=False)
            day = table.column("dispensed_on").cast("int32").to_numpy().astype(np.int64)
            key = person[wanted[person]] * _DAYS + day + _ZERO
            for group in classes:
                found[group.name].append(key[np.array([code.startswith(group.atc) for code in codes])[at]])
        return cls({name: np.sort(np.concatenate(parts)) for name, parts in found.items()})

    def count_before(self, name: str, people: _Ints, day: _Ints) -> _Ints:
        """Dispensings before each person's day, that day left out."""
        keys, first = self.keys[name], people * _DAYS
        return np.asarray(np.searchsorted(keys, first + day + _ZERO) - np.searchsorted(keys, first))

    def days_since_first(self, name: str, people: _Ints, day: _Ints) -> _Ints:
        """Days from the first dispensing to each person's day; 0 or less without one before it."""
        keys = self.keys[name]
        at = np.searchsorted(keys, people * _DAYS)
        known = at < len(keys)
        first = keys[at[known]]
        since = np.zeros(len(people), dtype=np.int64)
        mine = first // _DAYS == people[known]
        since[known] = np.where(mine, day[known] - (first % _DAYS - _ZERO), 0)
        return since

    def used_before(self, name: str, people: _Ints, day: _Ints, definition: Definition, lag_days: int = 0) -> _Bools:
        """Whether the dispensings more than `lag_days` before the day make a user."""
        return np.asarray(self.count_before(name, people, day - lag_days) >= definition.dispensings)

    def by_window(self, name: str, people: _Ints, day: _Ints, definition: Definition) -> dict[str, _Bools]:
        """Users by the window of their first dispensing: 0-1, >1-5 or >5 years before the day; each in at most one."""
        since = self.days_since_first(name, people, day)
        user = self.used_before(name, people, day, definition)
        return {
            "0-1": user & (since > 0) & (since <= YEAR),
            ">1-5": user & (since > YEAR) & (since <= FIVE_YEARS),
            ">5": user & (since > FIVE_YEARS),
        }
