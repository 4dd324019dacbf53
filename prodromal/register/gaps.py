"""Months in which dispensings fall far below those of the months around them."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["LEAST_EXPECTED", "LOW_SHARE", "expected_by_neighbours", "is_gap"]

LOW_SHARE = 0.5
LEAST_EXPECTED = 50.0
_NEIGHBOURS = 6


def expected_by_neighbours(
    dispensings: npt.NDArray[np.int64], people: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    """Dispensings that a month would have at the median rate of the six months before and after it.

    Parameters
    ----------
    dispensings, people : int arrays of shape (n_months,)
        Of consecutive months; people under observation.

    Returns
    -------
    float array of shape (n_months,)
        NaN where no neighbour has people.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        rate = np.where(people > 0, dispensings / people, np.nan)
    expected = np.full(len(rate), np.nan)
    for month in range(len(rate)):
        around = np.delete(rate[max(0, month - _NEIGHBOURS) : month + _NEIGHBOURS + 1], min(month, _NEIGHBOURS))
        around = around[~np.isnan(around)]
        if len(around):
            expected[month] = np.median(around) * people[month]
    return expected


def is_gap(dispensings: npt.NDArray[np.int64], expected: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    """Whether a month has less than half of what its neighbours let expect, where that is not too few to tell."""
    return np.asarray((expected >= LEAST_EXPECTED) & (dispensings < LOW_SHARE * expected))
