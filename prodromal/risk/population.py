"""The population statement: incidence and mortality by age and sex turn a rate ratio into an absolute risk."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from importlib.resources import files
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["AGES", "Population"]

AGES = 120
_DAYS_PER_YEAR = 365.25
_COLUMNS = ("sex", "age_from", "age_to", "rate_per_100k")
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Population:
    """Rates per person-year by sex (M, F) and whole year of age.

    Parameters
    ----------
    name : str
        For readers, such as ``Sweden-like``.
    incidence : ndarray of float64, shape (2, 120)
        Of the outcome.
    mortality : ndarray of float64, shape (2, 120)
        From all other causes; the shipped table is all-cause, the difference is below 1 % at every age.
    """

    name: str
    incidence: _Floats
    mortality: _Floats

    def __post_init__(self) -> None:
        for title, rates in (("incidence", self.incidence), ("mortality", self.mortality)):
            if rates.shape != (2, AGES) or not np.isfinite(rates).all() or (rates < 0).any():
                raise DefinitionError(
                    f"{title} of {self.name}: rates must be finite, 0 or more, for ages 0-119 and both sexes"
                )

    @classmethod
    def sweden_like(cls, *, incidence_scale: float = 1.0) -> Population:
        """The shipped tables; origin and status of each figure in ``data_tables/SOURCES.md``."""
        folder = files("prodromal.data_tables")
        texts = [
            folder.joinpath(f"{name}_sweden_like.csv").read_text("utf-8") for name in ("als_incidence", "mortality")
        ]
        incidence, mortality = (_rates(StringIO(text), "shipped table") for text in texts)
        return cls("Sweden-like", incidence * incidence_scale, mortality)

    @classmethod
    def read(cls, name: str, incidence: str | Path, mortality: str | Path) -> Population:
        """Read own tables: CSV with ``sex, age_from, age_to, rate_per_100k`` (upper age excluded, ages 0-119 covered).

        Raises
        ------
        DefinitionError
            If a column is missing, a rate is negative or no number, or ages overlap or are left out.
        """
        return cls(name, _rates(Path(incidence), str(incidence)), _rates(Path(mortality), str(mortality)))

    def scaled(self, factor: float) -> Population:
        """The population with its incidence multiplied by `factor`."""
        return Population(self.name, self.incidence * factor, self.mortality)

    def risk(
        self,
        log_rate_ratio: npt.ArrayLike,
        *,
        age_years: npt.ArrayLike,
        sex: npt.ArrayLike,
        lag_days: int,
        horizon_days: int,
    ) -> _Floats:
        """Probability of a diagnosis in ``(lag, horizon]``, death competing, for people alive and undiagnosed.

        Parameters
        ----------
        log_rate_ratio : array_like of float, shape (n,)
            Against people of the same age and sex, whose mean rate ratio is 1.
        age_years : array_like of int, shape (n,)
            Whole years on the index date.
        sex : array_like of int, shape (n,)
            0 = M, 1 = F, 2 = unknown (the mean of both rates).
        lag_days, horizon_days : int
            Bounds of the time at risk.

        Returns
        -------
        ndarray of float64, shape (n,)

        Notes
        -----
        In the k-th year after the index date a person of ``a`` whole years is half the time ``a + k`` and half
        ``a + k + 1`` years old, so rates are the means of the two ages. Within a piece of length ``d`` rates are
        constant, and

            risk = sum over pieces of  S * lambda / (lambda + mu) * (1 - exp(-(lambda + mu) d))

        where ``S`` is the probability of being alive and undiagnosed at the start of the piece. This is the
        construction of Gail (1989) and of iCARE.
        """
        ratio = np.exp(np.asarray(log_rate_ratio, dtype=np.float64))
        age, row = np.asarray(age_years, dtype=np.int64), np.asarray(sex, dtype=np.int64)
        alive, risk = np.ones(ratio.shape), np.zeros(ratio.shape)
        for year, length, counted in _pieces(lag_days, horizon_days):
            rate = _at(self.incidence, row, age + year) * ratio
            total = rate + _at(self.mortality, row, age + year)
            leaving = -np.expm1(-total * length)
            if counted:
                risk += alive * np.divide(rate, total, out=np.zeros_like(rate), where=total > 0) * leaving
            alive = alive * (1 - leaving)
        return risk

    def hazard(
        self, *, age_years: npt.ArrayLike, sex: npt.ArrayLike, lag_days: int, until_days: npt.ArrayLike
    ) -> _Floats:
        """Cumulative incidence rate of the average person between `lag_days` and each person's `until_days`.

        Parameters
        ----------
        age_years, sex : array_like of int, shape (n,)
            As in ``risk``.
        lag_days : int
            Start of the time at risk, after the index date.
        until_days : array_like of int, shape (n,)
            End of the time at risk, after the index date; 0 is returned where it is not after the lag.

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        age, row = np.asarray(age_years, dtype=np.int64), np.asarray(sex, dtype=np.int64)
        end = np.asarray(until_days, dtype=np.float64) / _DAYS_PER_YEAR
        lag, total = lag_days / _DAYS_PER_YEAR, np.zeros(len(age))
        for year in range(int(np.ceil(float(np.max(end, initial=0.0))))):
            length = np.clip(np.minimum(end, year + 1) - max(lag, year), 0.0, None)
            total += _at(self.incidence, row, age + year) * length
        return total

    def to_frame(self) -> pd.DataFrame:
        """One row per sex and age: ``sex, age, incidence_per_100k, mortality_per_100k``."""
        import pandas as pd

        return pd.DataFrame(
            {
                "sex": np.repeat(["M", "F"], AGES),
                "age": np.tile(np.arange(AGES), 2),
                "incidence_per_100k": self.incidence.ravel() * 1e5,
                "mortality_per_100k": self.mortality.ravel() * 1e5,
            }
        )


def _at(rates: _Floats, sex: npt.NDArray[np.int64], age: npt.NDArray[np.int64]) -> _Floats:
    both = np.vstack([rates, rates.mean(axis=0)])
    low, high = np.clip(age, 0, AGES - 1), np.clip(age + 1, 0, AGES - 1)
    return np.asarray((both[sex, low] + both[sex, high]) / 2)


def _pieces(lag_days: int, horizon_days: int) -> list[tuple[int, float, bool]]:
    """Pieces of time between whole years, lag and horizon: year, length in years, whether it counts."""
    lag, horizon = lag_days / _DAYS_PER_YEAR, horizon_days / _DAYS_PER_YEAR
    ends = sorted({0.0, lag, horizon, *(float(year) for year in range(1, int(np.ceil(horizon))))})
    return [(int(low), high - low, low >= lag) for low, high in itertools.pairwise(ends)]


def _rates(source: Path | StringIO, where: str) -> _Floats:
    import pandas as pd

    try:
        frame = pd.read_csv(source)
    except (OSError, ValueError) as error:
        raise DefinitionError(f"cannot read the rates in {where}") from error
    if missing := [name for name in _COLUMNS if name not in frame.columns]:
        raise DefinitionError(f"{where}: no column {', '.join(missing)}; it needs {', '.join(_COLUMNS)}")
    rates = np.full((2, AGES), np.nan)
    numbers = frame[list(_COLUMNS[1:])].apply(pd.to_numeric, errors="coerce")
    values = numbers.to_numpy(dtype=np.float64)
    if not np.isfinite(values).all() or (values < 0).any() or (values[:, :2] % 1 != 0).any():
        raise DefinitionError(f"{where}: ages and rates must be numbers, 0 or more, and ages whole")
    for sex, (low, high, rate) in zip(frame["sex"], numbers.itertuples(index=False), strict=True):
        if sex not in {"M", "F"}:
            raise DefinitionError(f"{where}: sex must be M or F")
        band = rates["MF".index(sex), int(low) : int(high)]
        if not np.isnan(band).all():
            raise DefinitionError(f"{where}: age bands of {sex} overlap at {int(low)} years")
        band[:] = rate / 1e5
    if gaps := int(np.isnan(rates).sum()):
        raise DefinitionError(
            f"{where}: {gaps} of {rates.size} single years of age and sex have no rate; cover ages 0 to 119"
        )
    return rates
