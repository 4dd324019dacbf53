"""Weighted Poisson regression of diagnoses on a score, with the hazard as exposure."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from prodromal.errors import NotEstimable

__all__ = ["fit_poisson"]

_STEPS = 50
_Floats = npt.NDArray[np.float64]


def fit_poisson(
    X: _Floats, y: npt.NDArray[np.bool_], exposure: _Floats, weight: _Floats, *, ridge: float = 0.0
) -> tuple[_Floats, _Floats]:
    """Maximise the weighted likelihood by Newton's method.

    Parameters
    ----------
    X : ndarray of float64, shape (n_rows, n_columns)
        The first column is 1.
    y : ndarray of bool, shape (n_rows,)
        Whether diagnosed.
    exposure : ndarray of float64, shape (n_rows,)
        Expected number of diagnoses where all coefficients are 0.
    weight : ndarray of float64, shape (n_rows,)
        Sampling weights.
    ridge : float
        Penalty ``ridge / 2 * |b|^2`` on all coefficients but the first.

    Returns
    -------
    coefficients : ndarray of float64, shape (n_columns,)
    covariance : ndarray of float64, shape (n_columns, n_columns)
        Sandwich form, as weights are sampling weights.

    Raises
    ------
    NotEstimable
        If the information is singular: a column is constant, or repeats another.
    """
    b, penalty = np.zeros(X.shape[1]), np.full(X.shape[1], ridge)
    penalty[0] = 0.0
    for _ in range(_STEPS):
        mean = exposure * np.exp(X @ b)
        information = (X * (weight * mean)[:, None]).T @ X + np.diag(penalty)
        if np.linalg.cond(information) > 1e13:
            raise NotEstimable("all people of the cohort have the same score: there is no slope to refit")
        step = np.linalg.solve(information, X.T @ (weight * (y - mean)) - penalty * b)
        b = b + step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-10:
            break
    influence = X * (weight * (y - exposure * np.exp(X @ b)))[:, None]
    bread = np.linalg.inv(information)
    return b, np.asarray(bread @ (influence.T @ influence) @ bread)
