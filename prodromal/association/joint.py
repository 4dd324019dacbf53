"""The joint model of repeated scores and survival: one person's own level and slope drive both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.association.joint_likelihood import JointData, JointLikelihood
from prodromal.association.mixed import fit_mixed
from prodromal.association.newton import inverse
from prodromal.association.ratio_fit import _NORMAL_975
from prodromal.association.risk_sets import check_times
from prodromal.association.strata import columns_of
from prodromal.errors import DataError, NotEstimable

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.association.newton import Floats

__all__ = ["JointFit", "fit_joint"]

_WHAT = "joint model"
_STEPS = 60


@dataclass(frozen=True, eq=False)
class JointFit:
    """Estimates of a joint model.

    Parameters
    ----------
    names : tuple of str
        Parameters; those of the score begin with ``score:``, those of the hazard with ``hazard:``, log baseline hazards
        with ``baseline:``, and the link between the two with ``link:``.
    values : ndarray of float64, shape (n_parameters,)
    covariance : ndarray of float64, shape (n_parameters, n_parameters)
        Inverse of the observed information.
    log_likelihood : float
    people, visits, events : int
    """

    names: tuple[str, ...]
    values: Floats
    covariance: Floats
    log_likelihood: float
    people: int
    visits: int
    events: int

    def table(self) -> pd.DataFrame:
        """One row a parameter: ``term, estimate, se, ci_low, ci_high, p`` on the scale of the linear predictors."""
        import pandas as pd
        from scipy.special import ndtr

        se = np.sqrt(np.diag(self.covariance))
        return pd.DataFrame(
            {
                "term": list(self.names),
                "estimate": self.values,
                "se": se,
                "ci_low": self.values - _NORMAL_975 * se,
                "ci_high": self.values + _NORMAL_975 * se,
                "p": 2 * ndtr(-np.abs(self.values / se)),
            }
        )


def fit_joint(
    y: Any,
    X: Any,
    person: Any,
    months: Any,
    *,
    time: Any,
    event: Any,
    W: Any,
    pieces: int = 6,
    nodes: int = 15,
) -> JointFit:
    """Fit a linear mixed model of scores and a hazard that share each person's random intercept and slope.

    Parameters
    ----------
    y : array_like of float, shape (n_visits,)
    X : DataFrame, shape (n_visits, n_terms)
        Fixed effects of the score, intercept included.
    person : array_like of int, shape (n_visits,)
        Position of each visit's person in `time`.
    months : array_like of float, shape (n_visits,)
        Time of the visit, from the same origin and in the same unit as `time`.
    time, event : array_like, shape (n_people,)
        End of follow-up, after 0, and whether it was the event.
    W : DataFrame, shape (n_people, n_effects)
        Covariates of the hazard.
    pieces : int
        Intervals of constant baseline hazard, with like numbers of events.
    nodes : int
        Points of the adaptive Gauss-Hermite quadrature.

    Returns
    -------
    JointFit

    Raises
    ------
    DataError, NotEstimable
        As for the mixed model and the Cox regression; also if the maximum is not found.

    Notes
    -----
    ``y = X b + u0 + u1 t + e`` and hazard ``h0(t) exp(W g + a0 u0 + a1 u1)`` with normal ``u``. Given the scores, ``u``
    is normal in closed form and enters the hazard through one number, so the integral has one dimension.
    """
    stop, happened, _ = check_times(time, event, None, what=_WHAT)
    data, start = _prepare(y, X, person, months, stop, happened, W, pieces)
    likelihood = JointLikelihood(data, nodes)
    best, information = _climb(likelihood, start)
    covariance = inverse(information, data.names)
    return JointFit(data.names, best, covariance, likelihood.value(best), len(stop), data.rows, int(happened.sum()))


def _prepare(
    y: Any, X: Any, person: Any, months: Any, stop: Floats, happened: Any, W: Any, pieces: int
) -> tuple[JointData, Floats]:
    outcome, when, who = np.asarray(y, dtype=float), np.asarray(months, dtype=float), np.asarray(person)
    if len(who) and (who.min() < 0 or who.max() >= len(stop)):
        raise DataError(f"{_WHAT}: a visit belongs to nobody among the {len(stop)} people followed")
    if not happened.any():
        raise NotEstimable(f"{_WHAT}: none of {len(stop)} people has an event")
    names, fixed = columns_of(X, len(outcome), _WHAT)
    effects, hazard = columns_of(W, len(stop), _WHAT)
    Z = np.column_stack([np.ones(len(when)), when])
    alone = fit_mixed(outcome, fixed, who, Z, reml=False)
    cuts = np.unique(np.quantile(stop[happened], np.linspace(0, 1, pieces + 1)[1:-1]))
    edges = np.concatenate([[0.0], cuts, [np.inf]])
    spent = np.clip(stop[:, None], edges[:-1], edges[1:]) - edges[:-1]
    piece = np.searchsorted(cuts, stop, "left")
    data = JointData.of(outcome, fixed, Z, who, (spent, piece, happened, hazard), (names, effects))
    rates = np.array([happened[piece == k].sum() for k in range(len(cuts) + 1)]) / spent.sum(axis=0)
    L = np.linalg.cholesky(alone.random + 1e-6 * np.diag(np.diag(alone.random)))
    spread = [np.log(L[0, 0]), L[1, 0], np.log(L[1, 1])]
    start = np.concatenate(
        [alone.coefficients, [0.5 * np.log(alone.residual)], spread, np.log(rates), np.zeros(len(effects) + 2)]
    )
    return data, start


def _climb(likelihood: JointLikelihood, start: Floats) -> tuple[Floats, Floats]:
    """Newton steps with the information from differences of the score, damped where it is not positive."""
    at, value = start, likelihood.value(start)
    for _ in range(_STEPS):
        score, information = likelihood.score(at), likelihood.information(at)
        step = _damped(information, score)
        scale = 1.0
        while not (then := likelihood.value(at + scale * step)) >= value - 1e-10 * abs(value) and scale > 1e-6:
            scale /= 2
        at, value = at + scale * step, then
        if float(score @ step) < 1e-8:
            return at, likelihood.information(at)
    raise NotEstimable(f"{_WHAT}: no maximum within {_STEPS} steps; use fewer pieces or covariates")


def _damped(information: Floats, score: Floats) -> Floats:
    spread = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-12))
    values, vectors = np.linalg.eigh(information / np.outer(spread, spread))
    values = np.maximum(np.abs(values), 1e-6)
    return np.asarray((vectors / values) @ (vectors.T @ (score / spread)) / spread)
