"""c(a, s): the log of the mean rate ratio among people at risk of the same age and sex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prodromal.risk.population import AGES

__all__ = ["Normaliser", "estimate_normaliser"]

_WIDEST_YEARS, _NARROWEST_YEARS, _CONTROLS_AT_WIDEST = 4.0, 1.5, 5000.0
_LEAST_OF_MEAN = 0.5
_PRIOR_CONTROLS = 30.0
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Normaliser:
    """What is taken off a raw score so that the mean rate ratio of each age and sex is 1.

    Parameters
    ----------
    log_mean : ndarray of float64, shape (2, 120)
        By sex (M, F) and whole year of age.
    """

    log_mean: _Floats

    def at(self, age_years: npt.ArrayLike, sex: npt.ArrayLike) -> _Floats:
        """c(a, s) for each person; the mean of both sexes where sex is unknown (2).

        Returns
        -------
        ndarray of float64, shape (n,)
        """
        age = np.clip(np.asarray(age_years, dtype=np.int64), 0, AGES - 1)
        both = np.vstack([self.log_mean, np.log(np.exp(self.log_mean).mean(axis=0))])
        return np.asarray(both[np.asarray(sex, dtype=np.int64), age])


def estimate_normaliser(
    raw: npt.ArrayLike, *, age_years: npt.ArrayLike, sex: npt.ArrayLike, weight: npt.ArrayLike
) -> Normaliser:
    """Estimate c(a, s) from people who represent the person-time at risk.

    Parameters
    ----------
    raw : array_like of float, shape (n,)
        Their log rate ratios, from models that have not seen them.
    age_years, sex, weight : array_like, shape (n,)
        Whole years, 0 = M or 1 = F, and how many people each stands for.

    Returns
    -------
    Normaliser

    Notes
    -----
    A Gaussian kernel over age smooths the mean of ``exp(raw)`` of both sexes, shrunk to the overall mean as if 30
    people of each age had it; then that of each sex, shrunk to that of both in the same way. The fit is locally linear,
    so that the oldest are not taken for somewhat younger people. The standard deviation of the kernel is 4 years up to
    5,000 people and falls with the fifth root of their number, to 1.5 years at least.
    """
    ratio, age = np.exp(np.asarray(raw, dtype=np.float64)), np.asarray(age_years, dtype=np.float64)
    row, people = np.asarray(sex), np.asarray(weight, dtype=np.float64)
    people = people / people.mean()
    width = float(np.clip(_WIDEST_YEARS * (len(age) / _CONTROLS_AT_WIDEST) ** -0.2, _NARROWEST_YEARS, _WIDEST_YEARS))
    every = np.ones(len(age), dtype=bool)
    both = _shrunken(age, ratio, people, every, width, np.full(AGES, np.average(ratio, weights=people)))
    return Normaliser(np.log([_shrunken(age, ratio, people, row == s, width, both) for s in (0, 1)]))


def _shrunken(
    age: _Floats, ratio: _Floats, people: _Floats, chosen: npt.NDArray[np.bool_], width: float, towards: _Floats
) -> _Floats:
    """Locally linear mean of `ratio` at each age, of those chosen, shrunk towards another curve."""
    # Ages are whole, so sums by age say everything.
    whole = np.clip(age[chosen], 0, AGES - 1).astype(np.int64)
    n = np.bincount(whole, people[chosen], AGES)
    total = np.bincount(whole, people[chosen] * ratio[chosen], AGES)
    ages = np.arange(AGES, dtype=np.float64)
    kernel = np.exp(-0.5 * ((ages[:, None] - ages) / width) ** 2)
    distance = ages - ages[:, None]
    mass, height = kernel @ n, kernel @ total
    centre = np.divide((kernel * distance) @ n, mass, out=np.zeros(AGES), where=mass > 1e-9)
    mean = np.divide(height, mass, out=towards.copy(), where=mass > 1e-9)
    spread = (kernel * (distance - centre[:, None]) ** 2) @ n
    joint = (kernel * (distance - centre[:, None])) @ total
    slope = joint / (spread + _PRIOR_CONTROLS * width**2)
    # No further than the kernel reaches: beyond the oldest the line is not to be trusted.
    local = np.maximum(mean - slope * np.clip(centre, -width, width), _LEAST_OF_MEAN * mean)
    return np.asarray((mass * local + _PRIOR_CONTROLS * towards) / (mass + _PRIOR_CONTROLS))
