"""Discrimination: what the order of the scores says, with weights and ties.

Cases are few, so the order of everyone is never needed: between two neighbouring case scores only the weight of the
non-cases matters. Each row is placed once among the distinct scores of the cases; a draw is then one weighted count.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.resample import Statistic
from prodromal.evaluate.tally import Ordering, Tally

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from prodromal.evaluate.resample import Population, Weighting

__all__ = ["Ladder", "auroc", "average_precision", "delong", "ranking_statistic"]


@dataclass(frozen=True, eq=False)
class Ladder:
    """Rows placed among the distinct scores of the cases.

    Attributes
    ----------
    everyone : Tally
        Group ``2 j + 1`` on the j-th distinct case score, ``2 j`` between the one before it and it.
    on : Tally
        The cases alone, by rung.
    cases : int array
        Rows that are cases.
    """

    everyone: Tally
    on: Tally
    cases: NDArray[np.intp]

    @classmethod
    def of(cls, outcome: NDArray[np.bool_], score: NDArray[np.float64] | Ordering) -> Ladder:
        """Place the rows."""
        ordering = score if isinstance(score, Ordering) else Ordering.of(score)
        cases = np.flatnonzero(outcome)
        ascending = ordering.ascending[outcome if ordering.order is None else outcome[ordering.order]]
        rungs = ascending[np.append(True, ascending[1:] != ascending[:-1])] if len(ascending) else ascending
        bounds = np.empty(2 * len(rungs) + 2, dtype=np.intp)
        bounds[0], bounds[-1] = 0, len(ordering.ascending)
        bounds[1:-1:2] = ordering.below(rungs)
        bounds[2:-1:2] = ordering.below(rungs, including=True)
        everyone = ordering.split(bounds)
        at = (ordering.codes_of(cases, bounds, everyone) - 1) // 2
        return cls(everyone, Tally.by_code(at, len(rungs)), cases)

    def counts(self, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight of cases on each rung, and of non-cases at each place."""
        cases, others = self.on(weight[self.cases]), self.everyone(weight)
        # The difference of two sums of the same numbers can fall below zero by rounding.
        others[1::2] = np.maximum(others[1::2] - cases, 0.0)
        return cases, others

    def measures(self, weight: NDArray[np.float64]) -> tuple[float, float]:
        """Area under the ROC curve and average precision; NaN without cases or without non-cases."""
        cases, others = self.counts(weight)
        n_cases, n_others = cases.sum(), others.sum()
        if n_cases <= 0 or n_others <= 0:
            return np.nan, np.nan
        below = np.cumsum(others)
        wins = cases @ (below[0:-1:2] + 0.5 * others[1::2])
        true = np.cumsum(cases[::-1])[::-1]
        false = n_others - below[0:-1:2]
        precision = np.divide(true, true + false, out=np.zeros_like(true), where=cases > 0)
        return float(wins / (n_cases * n_others)), float(cases @ precision / n_cases)


def auroc(outcome: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Weighted area under the ROC curve.

    Parameters
    ----------
    outcome : array of shape (n_rows,)
        True or 1 for the cases.
    score : array of shape (n_rows,)
    weight : array of shape (n_rows,), optional
        At least 0; 1 by default.

    Returns
    -------
    float
        In [0, 1]; NaN without weight on cases or on non-cases.

    Notes
    -----
    ``P(score of a case > score of a non-case) + P(equal) / 2``, both drawn with probability proportional to weight. It
    is not a probability of being right for one person, and in a cohort of mixed ages it is mostly about age.
    """
    return Ladder.of(*_pair(outcome, score)).measures(_weights(weight, score))[0]


def average_precision(outcome: ArrayLike, score: ArrayLike, weight: ArrayLike | None = None) -> float:
    """Weighted average precision: mean of the positive predictive value over the cases' own thresholds.

    Parameters
    ----------
    outcome, score, weight
        As in `auroc`.

    Returns
    -------
    float
        In [0, 1]; a score without information gives about the prevalence. NaN without cases or without non-cases.

    Notes
    -----
    ``sum_k (R_k - R_{k-1}) P_k`` over distinct scores from the highest, without interpolation.
    """
    return Ladder.of(*_pair(outcome, score)).measures(_weights(weight, score))[1]


def delong(outcome: ArrayLike, *scores: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Areas under the ROC curves of scores on the same people, with DeLong's covariance.

    Parameters
    ----------
    outcome : array of shape (n_rows,)
    *scores : arrays of shape (n_rows,)

    Returns
    -------
    areas : float array of shape (n_scores,)
    covariance : float array of shape (n_scores, n_scores)

    Notes
    -----
    Unweighted rows that are independent. With sampling weights or relatives use the bootstrap.
    """
    from scipy.stats import rankdata

    y = np.asarray(outcome, dtype=np.bool_)
    m, n = int(y.sum()), int((~y).sum())
    if m < 2 or n < 2:
        return np.full(len(scores), np.nan), np.full((len(scores), len(scores)), np.nan)
    of_case, of_other = np.empty((len(scores), m)), np.empty((len(scores), n))
    for k, score in enumerate(scores):
        x = np.asarray(score, dtype=np.float64)
        among_all = rankdata(x)
        of_case[k] = (among_all[y] - rankdata(x[y])) / n
        of_other[k] = 1 - (among_all[~y] - rankdata(x[~y])) / m
    covariance = np.atleast_2d(np.cov(of_case)) / m + np.atleast_2d(np.cov(of_other)) / n
    return of_case.mean(axis=1), covariance


def ranking_statistic(population: Population, score: Ordering, risk: NDArray[np.float64], model: str) -> Statistic:
    """AUROC, average precision and Brier score of one model in the cohort.

    Notes
    -----
    Censored people are replaced by others like them: everyone whose state at the horizon is known carries the inverse
    of the probability of still being followed. The AUROC is then the cumulative-dynamic one at the horizon: people who
    died without the outcome are non-cases.
    """
    outcome = population.ends.outcome
    ladder = Ladder.of(outcome, score)
    squared = (outcome - risk) ** 2

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        known = weighting.known
        area, precision = ladder.measures(known)
        total = known.sum()
        share = known[ladder.cases].sum() / total if total > 0 else np.nan
        brier = known @ squared / total if total > 0 else np.nan
        spread = share * (1 - share)
        scaled = 1 - brier / spread if spread > 0 else np.nan
        return np.array([area, precision, precision / share if share > 0 else np.nan, brier, scaled])

    why = _why_not(int(outcome.sum()), int((~outcome).sum()) - population.ends.n_lost)
    names = ("auroc", "average_precision", "average_precision_over_prevalence", "brier", "scaled_brier")
    return Statistic([{"model": model, "measure": name, "note": why} for name in names], compute)


def _why_not(n_cases: int, n_others: int) -> str:
    if n_cases == 0:
        return "no outcome in the window"
    return "everyone had the outcome" if n_others == 0 else ""


def _pair(outcome: ArrayLike, score: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    return np.asarray(outcome, dtype=np.bool_), np.asarray(score, dtype=np.float64)


def _weights(weight: ArrayLike | None, like: ArrayLike) -> NDArray[np.float64]:
    return np.ones(np.shape(like)) if weight is None else np.asarray(weight, dtype=np.float64)
