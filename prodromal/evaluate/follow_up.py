"""Who had the outcome within the window, and what censoring hides: Aalen-Johansen and its inverse weights.

The estimand is the probability of the outcome in ``(lag, horizon]`` among people alive and undiagnosed at the index
date, with death, and a diagnosis before the lag has passed, as competing ends. Only people still free of the outcome
when the lag ends can contribute one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.data import CENSORED, OUTCOME

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodromal.evaluate.data import EvaluationData

__all__ = ["FollowUp", "follow_up", "grouped_risk"]


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Follow-up reduced to what the horizon asks.

    Attributes
    ----------
    outcome : bool array
        Outcome in ``(lag, horizon]``.
    resolved : bool array
        Whether the state at the horizon is known: an end before it, or follow-up up to it.
    steps : int32 array
        How many of the distinct censoring times a row was at risk at.
    n_steps : int
        Number of distinct censoring times before the horizon.
    censored_rows, censored_step : int arrays
        Rows lost before the horizon, and the censoring time at which each was lost.
    """

    outcome: NDArray[np.bool_]
    resolved: NDArray[np.bool_]
    steps: NDArray[np.int32]
    n_steps: int
    censored_rows: NDArray[np.int64]
    censored_step: NDArray[np.int64]

    @property
    def complete(self) -> bool:
        """Whether nobody was lost before the horizon."""
        return self.n_steps == 0

    def remaining(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Kaplan-Meier estimate of staying uncensored, before any and after each censoring time; shape (n_steps + 1,).

        Events at a censoring time come before it, so that sums of inverse weights equal Aalen-Johansen exactly.
        """
        return _staying(
            np.bincount(self.steps, weights=weight, minlength=self.n_steps + 1),
            np.bincount(self.censored_step, weights=weight[self.censored_rows], minlength=self.n_steps),
        )

    def inverse_weights(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Multiply `weight` by the inverse probability of being resolved; 0 where the state is not known."""
        if self.complete:
            return weight
        staying = self.remaining(weight)
        inverse = np.divide(1.0, staying, out=np.zeros_like(staying), where=staying > 0)
        product: NDArray[np.float64] = weight * inverse[self.steps]
        product[self.censored_rows] = 0.0
        return product


def follow_up(data: EvaluationData, *, horizon_days: float | None = None) -> FollowUp:
    """Reduce the follow-up of `data` to the window that ends at `horizon_days` (its own by default)."""
    horizon = data.horizon_days if horizon_days is None else horizon_days
    time, event = data.time_days, data.event
    outcome = (event == OUTCOME) & (time > data.lag_days) & (time <= horizon)
    lost = (event == CENSORED) & (time < horizon)
    censored_rows = np.flatnonzero(lost)
    times, censored_step = np.unique(time[censored_rows], return_inverse=True)
    if not len(times):
        steps = np.zeros(len(time), dtype=np.int32)
    else:
        steps = np.searchsorted(times, np.minimum(time, horizon), side="left").astype(np.int32)
        steps[censored_rows] += 1
    return FollowUp(outcome, ~lost, steps, len(times), censored_rows, censored_step)


def grouped_risk(
    ends: FollowUp, weight: NDArray[np.float64], group: NDArray[np.int64], n_groups: int
) -> NDArray[np.float64]:
    """Aalen-Johansen risk of the outcome in the window within each group.

    Parameters
    ----------
    ends : FollowUp
    weight : float array of shape (n_rows,)
        Sampling weight, times how often the row was drawn.
    group : int array of shape (n_rows,)
        From 0 to ``n_groups - 1``; rows with -1 belong to none.

    Returns
    -------
    float array of shape (n_groups,)
        NaN where a group has no weight.
    """
    inside = group >= 0
    total = np.bincount(group[inside], weights=weight[inside], minlength=n_groups)
    rows = np.flatnonzero(ends.outcome & inside)
    mass = weight[rows]
    if not ends.complete:
        width = ends.n_steps + 1
        leaving = np.bincount(
            group[inside] * width + ends.steps[inside], weights=weight[inside], minlength=n_groups * width
        ).reshape(n_groups, width)
        lost = ends.censored_rows[inside[ends.censored_rows]]
        lost_step = ends.censored_step[inside[ends.censored_rows]]
        censored = np.bincount(
            group[lost] * ends.n_steps + lost_step, weights=weight[lost], minlength=n_groups * ends.n_steps
        ).reshape(n_groups, ends.n_steps)
        mass = mass / _staying(leaving, censored)[group[rows], ends.steps[rows]]
    found = np.bincount(group[rows], weights=mass, minlength=n_groups)
    risk: NDArray[np.float64] = np.divide(found, total, out=np.full(n_groups, np.nan), where=total > 0)
    return risk


def _staying(leaving: NDArray[np.float64], censored: NDArray[np.float64]) -> NDArray[np.float64]:
    """Product over censoring times of ``1 - censored / at risk``; the last axis runs over times."""
    at_risk = np.flip(np.cumsum(np.flip(leaving, -1), axis=-1), -1)[..., 1:]
    hazard = np.divide(censored, at_risk, out=np.zeros_like(censored), where=at_risk > 0)
    start = np.ones((*censored.shape[:-1], 1))
    return np.concatenate([start, np.cumprod(np.clip(1.0 - hazard, 0.0, 1.0), axis=-1)], axis=-1)
