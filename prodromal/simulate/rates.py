"""Rates by sex and single year of age, read from tables of age bands."""

from __future__ import annotations

import csv
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["AGES", "DAYS_PER_YEAR", "SEXES", "CumulativeHazard", "read_rates", "read_shipped", "rows_of"]

DAYS_PER_YEAR = 365.25
AGES = 120
SEXES = ("M", "F")


def read_shipped(package: str, name: str) -> list[dict[str, str]]:
    """Return the rows of a CSV file that is shipped inside a package."""
    return list(csv.DictReader((files(package) / name).read_text(encoding="utf-8").splitlines()))


def read_rates(path: Path | None, shipped: str) -> npt.NDArray[np.float64]:
    """Return yearly rates, shape (2, 120): men and women by completed years of age.

    Parameters
    ----------
    path
        CSV with the columns ``sex, age_from, age_to, rate_per_100k``, or None for the shipped table.
    shipped
        File name of the shipped table.

    Raises
    ------
    DefinitionError
        If a column is missing, a rate is negative, or an age is covered twice or not at all.
    """
    rows = read_shipped("prodromal.data_tables", shipped) if path is None else rows_of(path)
    rates = np.full((2, AGES), np.nan)
    for row in rows:
        sex, first, end, rate = _parsed(row, shipped)
        if not np.isnan(rates[sex, first:end]).all():
            raise DefinitionError(f"{shipped}: ages {first} to {end} are covered twice for one sex")
        rates[sex, first:end] = rate / 1e5
    missing = int(np.isnan(rates).sum())
    if missing:
        raise DefinitionError(f"{shipped}: {missing} of {rates.size} cells of sex and age 0-119 have no rate")
    return rates


def rows_of(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return list(csv.DictReader(file))
    except OSError as error:
        raise DefinitionError(f"the table of rates {path.name} cannot be read") from error


def _parsed(row: Mapping[str, str], table: str) -> tuple[int, int, int, float]:
    try:
        sex, first, end, rate = (
            SEXES.index(row["sex"]),
            int(row["age_from"]),
            int(row["age_to"]),
            float(row["rate_per_100k"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise DefinitionError(f"{table}: every row needs sex (M or F), age_from, age_to and rate_per_100k") from error
    if not (0 <= first < end <= AGES and 0 <= rate < np.inf):
        raise DefinitionError(f"{table}: ages must lie in 0-120 in ascending order and rates must not be negative")
    return sex, first, end, rate


class CumulativeHazard:
    """The integral of a rate over age in years, and its inverse.

    Parameters
    ----------
    rates
        Yearly rates by completed years of age, shape (2, n_ages).
    """

    def __init__(self, rates: npt.NDArray[np.float64]) -> None:
        self._ages = np.arange(rates.shape[1] + 1, dtype=np.float64)
        self._values = np.concatenate([np.zeros((2, 1)), np.cumsum(rates, axis=1)], axis=1)

    def at(self, sex: npt.NDArray[np.integer[Any]], age: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the cumulative hazard at each age."""
        men, women = (np.interp(age, self._ages, values) for values in self._values)
        value: npt.NDArray[np.float64] = np.where(sex == 0, men, women)
        return value

    def age_when(self, sex: npt.NDArray[np.integer[Any]], value: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the age at which each value is reached, infinity where it never is."""
        age = np.empty(len(value))
        for index in (0, 1):
            chosen = sex == index
            age[chosen] = np.interp(value[chosen], self._values[index], self._ages, right=np.inf)
        return age
