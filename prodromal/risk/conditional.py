"""Conditional logistic regression with one case per set, by Newton's method; ridge penalty on request."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import NotEstimable

if TYPE_CHECKING:
    from prodromal.risk.sets import MatchedSets

__all__ = ["Fit", "fit_conditional"]

_Floats = npt.NDArray[np.float64]
_STEPS = 60
_TOLERANCE = 1e-10
_LARGEST_ERROR = 30.0
_SMALLEST_PIVOT = 1e-7
_SINGULAR = "a feature does not vary within the matched sets, or repeats another"


@dataclass(frozen=True)
class Fit:
    """Coefficients, each of shape (n_features,), and the log-likelihood at them."""

    coefficients: _Floats
    standard_errors: _Floats
    log_likelihood: float


def fit_conditional(X: _Floats, sets: MatchedSets, *, ridge: float = 0.0) -> Fit:
    """Maximise the conditional likelihood.

    Parameters
    ----------
    X : ndarray of float64, shape (n_rows, n_features)
        In the order of `sets`.
    sets : MatchedSets
        One case each.
    ridge : float
        Penalty ``ridge / 2 * |b|^2``, 0 for none.

    Returns
    -------
    Fit
        Coefficients are log rate ratios under incidence-density sampling.

    Raises
    ------
    NotEstimable
        If the information is singular (a constant column) or the maximum lies at infinity (separation).
    """
    b = np.zeros(X.shape[1])
    value = _penalised(X, sets, b, ridge)
    for _ in range(_STEPS):
        gradient, information = _derivatives(X, sets, b, ridge)
        step = _solve(information, gradient)
        scale = 1.0
        while (proposed := _penalised(X, sets, b + scale * step, ridge)) < value - 1e-12 * abs(value) and scale > 1e-6:
            scale /= 2
        b, value, gain = b + scale * step, proposed, float(gradient @ step)
        if abs(gain) < _TOLERANCE:
            break
    _, information = _derivatives(X, sets, b, ridge)
    errors = np.sqrt(np.diag(np.linalg.inv(information)))
    # At a maximum that lies at infinity the likelihood is flat: the error, in units of the feature's spread, explodes.
    if (errors * X.std(axis=0) > _LARGEST_ERROR).any():
        raise NotEstimable("a feature separates cases from controls: its coefficient has no finite maximum")
    return Fit(b, errors, sets.log_likelihood(X @ b))


def _penalised(X: _Floats, sets: MatchedSets, b: _Floats, ridge: float) -> float:
    return sets.log_likelihood(X @ b) - 0.5 * ridge * float(b @ b)


def _derivatives(X: _Floats, sets: MatchedSets, b: _Floats, ridge: float) -> tuple[_Floats, _Floats]:
    p = sets.probabilities(X @ b)
    mean = np.add.reduceat(p[:, None] * X, sets.start, axis=0)
    centred = X - np.repeat(mean, sets.sizes, axis=0)
    gradient = centred[sets.start].sum(axis=0) - ridge * b
    information = (p[:, None] * centred).T @ centred + ridge * np.eye(X.shape[1])
    return gradient, information


def _solve(information: _Floats, gradient: _Floats) -> _Floats:
    from scipy.linalg import LinAlgError, cho_factor, cho_solve

    spread = np.sqrt(np.diag(information))
    if not len(gradient) or (spread <= 0).any():
        raise NotEstimable(_SINGULAR)
    try:
        factor = cho_factor(information / np.outer(spread, spread))
    except LinAlgError as error:
        raise NotEstimable(_SINGULAR) from error
    if np.abs(np.diag(factor[0])).min() < _SMALLEST_PIVOT:
        raise NotEstimable(_SINGULAR)
    return np.asarray(cho_solve(factor, gradient / spread) / spread)
