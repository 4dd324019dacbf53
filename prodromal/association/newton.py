"""Newton's method for concave log-likelihoods, and what a singular information means."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import NotEstimable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Floats", "inverse", "maximise"]

Floats = npt.NDArray[np.float64]
_STEPS = 100
_DECREMENT = 1e-16
_SMALLEST_EIGENVALUE = 1e-10


def maximise(
    value: Callable[[Floats], float],
    derivatives: Callable[[Floats], tuple[Floats, Floats]],
    terms: Sequence[str],
    start: Floats | None = None,
) -> tuple[Floats, Floats]:
    """Find the maximum by Newton steps, halved while they lose likelihood.

    Parameters
    ----------
    value : function of ndarray of float64, shape (n_terms,)
        Log-likelihood.
    derivatives : function
        Gives its gradient (n_terms,) and its information, minus the Hessian, (n_terms, n_terms).
    terms : sequence of str
        Names for messages.
    start : ndarray of float64, shape (n_terms,), optional
        Zero if not given.

    Returns
    -------
    coefficients : ndarray of float64, shape (n_terms,)
    covariance : ndarray of float64, shape (n_terms, n_terms)

    Raises
    ------
    NotEstimable
        If the information is singular or the maximum is not reached.
    """
    b = np.zeros(len(terms)) if start is None else start
    now = value(b)
    for _ in range(_STEPS):
        gradient, information = derivatives(b)
        step = inverse(information, terms) @ gradient
        scale = 1.0
        while not (then := value(b + scale * step)) >= now - 1e-12 * abs(now) and scale > 1e-8:
            scale /= 2
        b, now = b + scale * step, then
        if float(gradient @ step) < _DECREMENT * max(1.0, abs(now)):
            return b, inverse(derivatives(b)[1], terms)
    raise NotEstimable(f"the likelihood of {', '.join(terms)} has no maximum within {_STEPS} steps")


def inverse(information: Floats, terms: Sequence[str]) -> Floats:
    """Invert an information matrix, or name the terms that make it singular."""
    spread = np.sqrt(np.maximum(np.diag(information), 0.0))
    if flat := np.flatnonzero(~(spread > 0)).tolist():
        raise NotEstimable(f"{terms[flat[0]]} carries no information: it does not vary where it could tell anything")
    values, vectors = np.linalg.eigh(information / np.outer(spread, spread))
    if values[0] < _SMALLEST_EIGENVALUE * len(terms):
        involved = [terms[i] for i in np.flatnonzero(np.abs(vectors[:, 0]) > 0.05).tolist()]
        raise NotEstimable(f"{' and '.join(involved)} cannot be told apart: leave one out, or merge them")
    return np.asarray((vectors / values) @ vectors.T / np.outer(spread, spread))
