"""People under observation, by month and year, and by age and sex."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from prodromal.register import Persons

__all__ = ["AGE_BANDS", "by_age_and_sex", "observed_in", "person_years"]

AGE_BANDS = (*(f"{low}-{low + 9}" for low in range(0, 90, 10)), "90 and over")
_DAYS_PER_YEAR = 365.25


def observed_in(persons: Persons, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """How many people are observed on a day of each period, from its first to its last day (days since 1970)."""
    began = np.searchsorted(np.sort(persons.observed_from), ends, side="right")
    over = np.searchsorted(np.sort(persons.observed_to), starts, side="left")
    return np.asarray(began - over, dtype=np.int64)


def person_years(
    persons: Persons, starts: npt.NDArray[np.int64], ends: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Years of observation within each period."""
    first, last = persons.observed_from.astype(np.int64), persons.observed_to.astype(np.int64)
    days = [
        np.clip(np.minimum(last, end) - np.maximum(first, start) + 1, 0, None).sum()
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True)
    ]
    return np.asarray(days, dtype=np.float64) / _DAYS_PER_YEAR


def by_age_and_sex(persons: Persons, day: int) -> pd.DataFrame:
    """People observed on a day: ``age, sex, people``; every band and sex, those of unknown age left out."""
    rows = np.flatnonzero((persons.observed_from <= day) & (persons.observed_to >= day))
    ages = persons.age_years(rows, np.full(len(rows), day, dtype=np.int32))
    known = ages >= 0
    band = np.minimum(ages[known] // 10, len(AGE_BANDS) - 1)
    counts = np.bincount(band * 3 + persons.sex[rows][known], minlength=3 * len(AGE_BANDS))
    return pd.DataFrame(
        {
            "age": np.repeat(AGE_BANDS, 3),
            "sex": np.tile(["M", "F", "U"], len(AGE_BANDS)),
            "people": counts,
        }
    )
