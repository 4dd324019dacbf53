"""Counts over the whole population: person-years, diagnoses and deaths by sex and age."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pyarrow as pa

from prodromal.simulate.rates import AGES, DAYS_PER_YEAR, SEXES

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.simulate.people import People

__all__ = ["Census", "take_census"]


@dataclass(frozen=True)
class Census:
    """Person-years alive, resident and undiagnosed, with diagnoses and deaths among them; each of shape (2, 120)."""

    person_years: npt.NDArray[np.float64]
    diagnoses: npt.NDArray[np.int64]
    deaths: npt.NDArray[np.int64]

    @classmethod
    def empty(cls) -> Self:
        """Return the census of nobody."""
        return cls(np.zeros((2, AGES)), np.zeros((2, AGES), dtype=np.int64), np.zeros((2, AGES), dtype=np.int64))

    def __add__(self, other: Census) -> Census:
        return Census(
            self.person_years + other.person_years, self.diagnoses + other.diagnoses, self.deaths + other.deaths
        )

    def table(self) -> pa.Table:
        """Return one row per sex and completed year of age."""
        return pa.table(
            {
                "sex": np.repeat(np.array(SEXES), AGES),
                "age": np.tile(np.arange(AGES, dtype=np.int16), 2),
                "person_years": self.person_years.ravel(),
                "diagnoses": self.diagnoses.ravel(),
                "deaths": self.deaths.ravel(),
            }
        )


def take_census(people: People) -> Census:
    """Count a block before anybody is left out; time ends with the diagnosis."""
    ends = np.minimum(people.end, people.diagnosis)
    first, last = (people.entry - people.birth) / DAYS_PER_YEAR, (ends - people.birth) / DAYS_PER_YEAR
    years = np.zeros((2, AGES))
    for sex in (0, 1):
        chosen = people.sex == sex
        years[sex] = _time_at_age(last[chosen]) - _time_at_age(first[chosen])
    died = (people.death < people.end) & (people.death < people.diagnosis)
    return Census(years, _events(people, people.is_case, people.diagnosis), _events(people, died, people.death))


def _time_at_age(age: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Return how long, in all, people have lived at each completed year of age until they are as old as given."""
    whole = np.minimum(age.astype(np.int64), AGES - 1)
    reached = np.bincount(whole, minlength=AGES)
    beyond = len(age) - np.cumsum(reached)
    return beyond + np.bincount(whole, weights=age - whole, minlength=AGES)


def _events(people: People, happened: npt.NDArray[np.bool_], day: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    age = ((day[happened] - people.birth[happened]) / DAYS_PER_YEAR).astype(np.int64)
    counts = np.bincount(people.sex[happened] * AGES + np.minimum(age, AGES - 1), minlength=2 * AGES)
    return counts.reshape(2, AGES)
