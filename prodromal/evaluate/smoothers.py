"""Local regression smoothers for comparison with published calibration measures: lowess and loess.

The report smooths by splines on the scale of the hazard, which carry weights, censoring and rare events. The smoothers
here reproduce what other software prints for complete, unweighted data.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.calibration import deviation

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["Smoother", "classic_deviation", "loess", "lowess"]

_SPAN = 0.75
_BLOCK = 256


class Smoother(Enum):
    """Which local regression."""

    LOWESS = "lowess"
    LOESS = "loess"


def lowess(outcome: ArrayLike, risk: ArrayLike) -> NDArray[np.float64]:
    """Smooth outcomes over risks as ``rms::val.prob`` does: local lines, two thirds of the data, no robustness step.

    Parameters
    ----------
    outcome, risk : arrays of shape (n_rows,)

    Returns
    -------
    float array of shape (n_rows,)
        Smoothed observed risk of each row, ties in the predictions averaged.
    """
    from statsmodels.nonparametric.smoothers_lowess import lowess as local_lines

    y, x = np.asarray(outcome, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    fitted = local_lines(y, x, frac=2 / 3, it=0, delta=0.01 * float(np.ptp(x)), return_sorted=True)
    places, inverse = np.unique(fitted[:, 0], return_inverse=True)
    mean = np.bincount(inverse, weights=fitted[:, 1]) / np.bincount(inverse)
    return np.interp(x, places, mean)


def loess(outcome: ArrayLike, risk: ArrayLike) -> NDArray[np.float64]:
    """Smooth outcomes over risks by local quadratics on three quarters of the data, each point computed directly.

    Parameters
    ----------
    outcome, risk : arrays of shape (n_rows,)
        Time grows with the square of the number of rows.

    Returns
    -------
    float array of shape (n_rows,)

    Notes
    -----
    Equals R's ``loess`` with ``surface = "direct"``; its default interpolates between few points and differs.
    """
    y, x = np.asarray(outcome, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    places, inverse = np.unique(x, return_inverse=True)
    near = int(np.floor(len(x) * _SPAN + 1e-5))
    starts = range(0, len(places), _BLOCK)
    return np.concatenate([_quadratics(places[i : i + _BLOCK], x, y, near) for i in starts])[inverse]


def classic_deviation(
    outcome: ArrayLike, risk: ArrayLike, smoother: Smoother = Smoother.LOWESS
) -> tuple[float, float, float, float]:
    """ICI, E50, E90 and Emax with a named smoother, for complete and unweighted data.

    Returns
    -------
    tuple of four floats
        On the scale of the risk.
    """
    smoothed = lowess(outcome, risk) if smoother is Smoother.LOWESS else loess(outcome, risk)
    return deviation(risk, smoothed)


def _quadratics(
    places: NDArray[np.float64], x: NDArray[np.float64], y: NDArray[np.float64], near: int
) -> NDArray[np.float64]:
    away = x - places[:, None]
    distance = np.abs(away)
    reach = np.partition(distance, near - 1, axis=1)[:, near - 1 : near]
    weight = np.clip(1 - (distance / reach) ** 3, 0, None) ** 3
    scaled = away / reach
    moments = [np.einsum("ij,ij->i", weight, scaled**k) for k in range(5)]
    left = np.stack([np.stack([moments[a + b] for b in range(3)], axis=-1) for a in range(3)], axis=-2)
    right = np.stack([np.einsum("ij,ij,j->i", weight, scaled**k, y) for k in range(3)], axis=-1)
    fitted: NDArray[np.float64] = np.linalg.solve(left, right[..., None])[:, 0, 0]
    return fitted
