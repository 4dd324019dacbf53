"""Weighted binomial regression on grouped rows, by Fisher scoring: small, exact, and quick enough for a bootstrap."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Fit", "Link", "fit"]

_CYCLES = 60
_HALVINGS = 20
_TOLERANCE = 1e-13
_LARGEST = 30.0


class Link(Enum):
    """How a risk is put on a scale without ends."""

    CLOGLOG = "cloglog"
    LOGIT = "logit"

    def of(self, risk: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform risks strictly between 0 and 1."""
        if self is Link.CLOGLOG:
            return np.log(-np.log1p(-risk))
        return np.log(risk) - np.log1p(-risk)

    def risk(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Transform back."""
        if self is Link.CLOGLOG:
            return -np.expm1(-np.exp(np.minimum(x, _LARGEST)))
        return np.asarray(np.exp(-np.logaddexp(0.0, -x)))

    def slope(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Differentiate the risk."""
        if self is Link.CLOGLOG:
            return np.exp(x - np.exp(np.minimum(x, _LARGEST)))
        return np.asarray(np.exp(-np.logaddexp(0.0, -x) - np.logaddexp(0.0, x)))

    def logs(self, x: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Logarithms of the risk and of its complement."""
        if self is Link.CLOGLOG:
            hazard = np.exp(np.minimum(x, _LARGEST))
            return np.log(np.maximum(-np.expm1(-hazard), np.finfo(float).tiny)), -hazard
        return -np.logaddexp(0.0, -x), -np.logaddexp(0.0, x)


@dataclass(frozen=True, eq=False)
class Fit:
    """Coefficients with their model-based covariance; all NaN where no finite maximum was found.

    Attributes
    ----------
    coefficients : float array of shape (n_columns,)
    covariance : float array of shape (n_columns, n_columns)
    converged : bool
    """

    coefficients: NDArray[np.float64]
    covariance: NDArray[np.float64]
    converged: bool


def fit(
    design: NDArray[np.float64],
    successes: NDArray[np.float64],
    trials: NDArray[np.float64],
    *,
    link: Link,
    offset: NDArray[np.float64] | float = 0.0,
    start: NDArray[np.float64] | None = None,
) -> Fit:
    """Maximise the weighted binomial likelihood of grouped rows.

    Parameters
    ----------
    design : float array of shape (n_groups, n_columns)
    successes, trials : float arrays of shape (n_groups,)
        Weight of rows with the outcome, and of all rows.
    link : Link
    offset : float or float array of shape (n_groups,)
    start : float array of shape (n_columns,), optional
        Where to begin.

    Returns
    -------
    Fit
    """
    width = design.shape[1]
    none = Fit(np.full(width, np.nan), np.full((width, width), np.nan), converged=False)
    total, found = trials.sum(), successes.sum()
    if not 0 < found < total:
        return none
    scale = found
    beta = _start(design, found / total, link, offset) if start is None or not np.isfinite(start).all() else start
    eta = design @ beta + offset
    value = _likelihood(eta, successes, trials, link)
    if not np.isfinite(value):
        return none
    for _ in range(_CYCLES):
        gradient, information = _derivatives(design, eta, successes, trials, link)
        step = _solve(information, gradient)
        if step is None:
            return none
        if gradient @ step < _TOLERANCE * scale:
            beta = beta + step
            return _finished(design, beta, offset, trials, link)
        for _ in range(_HALVINGS):
            trial_eta = design @ (beta + step) + offset
            trial_value = _likelihood(trial_eta, successes, trials, link)
            if trial_value >= value:
                break
            step = step / 2
        else:
            # The gain that the gradient promises is below what a sum of this size can show.
            return _finished(design, beta, offset, trials, link) if gradient @ step < 1e-9 * scale else none
        beta, eta, value = beta + step, trial_eta, trial_value
    return none


def _start(
    design: NDArray[np.float64], share: float, link: Link, offset: NDArray[np.float64] | float
) -> NDArray[np.float64]:
    beta = np.zeros(design.shape[1])
    beta[0] = link.of(np.array(share)) - np.mean(offset)
    return beta


def _likelihood(
    eta: NDArray[np.float64], successes: NDArray[np.float64], trials: NDArray[np.float64], link: Link
) -> float:
    log_risk, log_rest = link.logs(eta)
    return float(successes @ log_risk + (trials - successes) @ log_rest)


def _derivatives(
    design: NDArray[np.float64],
    eta: NDArray[np.float64],
    successes: NDArray[np.float64],
    trials: NDArray[np.float64],
    link: Link,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    risk, slope = link.risk(eta), link.slope(eta)
    spread = np.maximum(risk * (1 - risk), np.finfo(float).tiny)
    gradient = design.T @ ((successes - trials * risk) * slope / spread)
    return gradient, (design * (trials * slope**2 / spread)[:, None]).T @ design


def _solve(information: NDArray[np.float64], gradient: NDArray[np.float64]) -> NDArray[np.float64] | None:
    size = np.sqrt(np.diag(information))
    if not np.isfinite(size).all() or (size <= 0).any():
        return None
    scaled = information / np.outer(size, size)
    if np.linalg.cond(scaled) > 1e13:
        return None
    return np.asarray(np.linalg.solve(scaled, gradient / size) / size)


def _finished(
    design: NDArray[np.float64],
    beta: NDArray[np.float64],
    offset: NDArray[np.float64] | float,
    trials: NDArray[np.float64],
    link: Link,
) -> Fit:
    _, information = _derivatives(design, design @ beta + offset, np.zeros_like(trials), trials, link)
    return Fit(beta, np.linalg.inv(information), converged=True)
