"""Cox regression: Efron or Breslow ties, strata, left truncation, robust variance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal

import numpy as np

from prodromal.association.newton import Floats, inverse, maximise
from prodromal.association.ratio_fit import RatioFit
from prodromal.association.risk_sets import RiskSets, check_times
from prodromal.association.strata import columns_of
from prodromal.errors import DataError, DefinitionError, NotEstimable

__all__ = ["CoxFit", "PartialLikelihood", "Ties", "fit_cox"]

Ties = Literal["efron", "breslow"]
_WHAT = "Cox regression"
_SUSPICIOUS = 30.0


@dataclass(frozen=True, eq=False)
class CoxFit:
    """Log hazard ratios, and the likelihood that they came from.

    Parameters
    ----------
    fit : RatioFit
    likelihood : PartialLikelihood
    """

    fit: RatioFit
    likelihood: PartialLikelihood


def fit_cox(
    time: Any,
    event: Any,
    X: Any,
    *,
    entry: Any = None,
    strata: Any = None,
    cluster: Any = None,
    ties: Ties = "efron",
) -> CoxFit:
    """Fit log hazard ratios of one cause; other causes end follow-up as censoring does.

    Parameters
    ----------
    time : array_like of float, shape (n_rows,)
        End of follow-up, in any unit, after `entry`.
    event : array_like of bool, shape (n_rows,)
        Whether it ended with the event.
    X : DataFrame or array_like, shape (n_rows, n_terms)
    entry : array_like of float, shape (n_rows,), optional
        Start of follow-up; someone enters *after* that time. 0 by default.
    strata : array_like, shape (n_rows,), optional
        Groups with a baseline hazard of their own.
    cluster : array_like, shape (n_rows,), optional
        Robust variance over these groups.
    ties : {"efron", "breslow"}

    Returns
    -------
    CoxFit

    Raises
    ------
    DataError
        If lengths differ, values are missing, or somebody has no time at risk.
    NotEstimable
        If nobody has an event, a term tells nothing, terms repeat each other, or a term separates.
    """
    if ties not in ("efron", "breslow"):
        raise DefinitionError(f"ties '{ties}': it is one of efron, breslow")
    stop, happened, start = check_times(time, event, entry, what=_WHAT)
    names, values = columns_of(X, len(stop), _WHAT)
    groups = np.zeros(len(stop), dtype=np.int64) if strata is None else _codes(strata, len(stop), "strata")
    sets = RiskSets.of(stop, happened, start, groups)
    likelihood = PartialLikelihood(sets, values - values.mean(axis=0), stop, start, groups, happened, ties)
    # Units far apart would make Newton's first step meet a likelihood that it cannot see the scale of.
    b, covariance = maximise(likelihood.value, likelihood.derivatives, names)
    if ((spread := np.sqrt(np.diag(covariance)) * values.std(axis=0)) > _SUSPICIOUS).any():
        name = names[int(np.argmax(spread))]
        raise NotEstimable(f"{name} separates those with an event from the others: no finite estimate exists")
    robust = covariance
    if cluster is not None:
        sums = np.zeros((len(stop), len(b)))
        np.add.at(sums, _codes(cluster, len(stop), "clusters"), likelihood.residuals(b))
        robust = covariance @ (sums.T @ sums) @ covariance
    zero = np.zeros(len(names))
    gradient, information = likelihood.derivatives(zero)
    score = float(gradient @ inverse(information, names) @ gradient)
    fit = RatioFit(
        names,
        b,
        robust,
        covariance,
        likelihood.value(b),
        likelihood.value(zero),
        score,
        ("",) * len(names),
        len(stop),
        int(happened.sum()),
    )
    return CoxFit(fit, likelihood)


def _codes(labels: Any, rows: int, what: str) -> Any:
    label = np.asarray(labels)
    if label.shape != (rows,):
        raise DataError(f"{_WHAT}: {label.shape} {what} for {rows} rows; give one a row")
    return np.unique(label, return_inverse=True)[1]


@dataclass(frozen=True, eq=False)
class PartialLikelihood:
    """Log partial likelihood and its derivatives.

    Notes
    -----
    With Efron's ties the ``l``-th of ``d`` deaths at a time meets the risk set less ``l / d`` of those who die then
    (``l = 0, ..., d - 1``); with Breslow's, the whole risk set.
    """

    sets: RiskSets
    X: Floats
    stop: Floats
    start: Floats
    stratum: Any
    event: Any
    ties: Ties

    @cached_property
    def share(self) -> Floats:
        """``l / d`` of each death."""
        if self.ties == "breslow":
            return np.zeros(len(self.sets.dead))
        before = np.concatenate([[0], np.cumsum(self.sets.deaths)[:-1]])
        return np.asarray(
            (np.arange(len(self.sets.dead)) - before[self.sets.time_of]) / self.sets.deaths[self.sets.time_of]
        )

    @cached_property
    def _products(self) -> Floats:
        return np.asarray(self.X[:, :, None] * self.X[:, None, :])

    def _met(self, values: Floats) -> Floats:
        """Sums over what each death meets."""
        met = self.sets.sums(values)[self.sets.time_of]
        if self.ties == "efron":
            share = self.share.reshape(-1, *([1] * (values.ndim - 1)))
            met = met - share * self.sets.over_deaths(values)[self.sets.time_of]
        return np.asarray(met)

    def _weight(self, b: Floats) -> tuple[Floats, float]:
        eta = self.X @ b
        top = float(np.max(eta))
        return np.exp(eta - top), top

    def value(self, b: Floats) -> float:
        """Log partial likelihood."""
        weight, top = self._weight(b)
        return float((self.X[self.sets.dead] @ b).sum() - (np.log(self._met(weight)) + top).sum())

    def moments(self, b: Floats) -> tuple[Floats, Floats, Floats]:
        """Weight, mean and variance of the covariates in what each death meets."""
        weight, _ = self._weight(b)
        total = self._met(weight)
        mean = self._met(weight[:, None] * self.X) / total[:, None]
        square = self._met(weight[:, None, None] * self._products) / total[:, None, None]
        return total, mean, square - mean[:, :, None] * mean[:, None, :]

    def derivatives(self, b: Floats) -> tuple[Floats, Floats]:
        """Gradient and information."""
        _, mean, variance = self.moments(b)
        return (self.X[self.sets.dead] - mean).sum(axis=0), variance.sum(axis=0)

    def residuals(self, b: Floats) -> Floats:
        """Score residual of each row; they add up to the gradient."""
        sets = self.sets
        weight, _ = self._weight(b)
        total, mean, _ = self.moments(b)
        hazard, drift = 1 / total, mean / total[:, None]
        out = np.zeros_like(self.X)
        average = self._by_time(mean) / sets.deaths[:, None]
        out[sets.dead] += self.X[sets.dead] - average[sets.time_of]
        through = self._cumulated(np.column_stack([self._by_time(hazard[:, None]), self._by_time(drift)]))
        # At their own time those who die are met only in part.
        spared = np.column_stack(
            [self._by_time((self.share * hazard)[:, None]), self._by_time(self.share[:, None] * drift)]
        )
        through[sets.dead] -= spared[sets.time_of]
        return np.asarray(out - weight[:, None] * (self.X * through[:, :1] - through[:, 1:]))

    def _by_time(self, values: Floats) -> Floats:
        out = np.zeros((len(self.sets.at), values.shape[1]))
        np.add.at(out, self.sets.time_of, values)
        return out

    def _cumulated(self, values: Floats) -> Floats:
        """Sums over the event times in each row's time at risk."""
        out = np.zeros((len(self.stop), values.shape[1]))
        for label in np.unique(self.sets.stratum):
            times, rows = self.sets.stratum == label, np.flatnonzero(self.stratum == label)
            whole = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(values[times], axis=0)])
            last = np.searchsorted(self.sets.at[times], self.stop[rows], "right")
            first = np.searchsorted(self.sets.at[times], self.start[rows], "right")
            out[rows] = whole[last] - whole[first]
        return out
