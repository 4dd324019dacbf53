"""c(a, s): the log of the mean rate ratio among people at risk of the same age and sex."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from prodromal.risk.population import AGES

__all__ = ["Normaliser", "estimate_normaliser"]

_BANDWIDTH_YEARS = 4.0
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
    A Gaussian kernel over age (standard deviation 4 years) smooths the mean of ``exp(raw)`` of both sexes, shrunk to
    the overall mean as if 30 people of each age had it; then that of each sex, shrunk to that of both in the same way.
    """
    ratio, age = np.exp(np.asarray(raw, dtype=np.float64)), np.asarray(age_years, dtype=np.float64)
    row, people = np.asarray(sex), np.asarray(weight, dtype=np.float64)
    people = people / people.mean()
    kernel = np.exp(-0.5 * ((np.arange(AGES)[:, None] - age) / _BANDWIDTH_YEARS) ** 2) * people
    both = _shrunken_mean(kernel, ratio, np.full(AGES, np.average(ratio, weights=people)))
    of_sex = [_shrunken_mean(kernel[:, row == s], ratio[row == s], both) for s in (0, 1)]
    return Normaliser(np.log(of_sex))


def _shrunken_mean(kernel: _Floats, ratio: _Floats, towards: _Floats) -> _Floats:
    return np.asarray((kernel @ ratio + _PRIOR_CONTROLS * towards) / (kernel.sum(axis=1) + _PRIOR_CONTROLS))
