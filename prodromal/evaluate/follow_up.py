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

__all__ = ["FollowUp", "GroupedRisk", "follow_up"]

_LARGEST_TABLE = 1e6
_NOBODY = 1e-12


@dataclass(frozen=True, eq=False)
class FollowUp:
    """Follow-up reduced to what the horizon asks.

    Attributes
    ----------
    outcome : bool array
        Outcome in ``(lag, horizon]``.
    times : float array of shape (n_steps,)
        Distinct censoring times before the horizon, ascending.
    steps : int array of shape (n_rows,)
        At how many of them each row was at risk.
    lost : int array
        Rows lost before the horizon; each at its own last step.
    """

    outcome: NDArray[np.bool_]
    times: NDArray[np.float64]
    steps: NDArray[np.intp]
    lost: NDArray[np.intp]

    @property
    def complete(self) -> bool:
        """Whether nobody was lost before the horizon."""
        return len(self.times) == 0

    @property
    def n_lost(self) -> int:
        """Number of rows lost before the horizon."""
        return len(self.lost)

    def inverse(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Inverse of the Kaplan-Meier estimate of staying uncensored, by steps; shape (n_steps + 1,).

        Events at a censoring time come before it, so that sums of inverse weights equal Aalen-Johansen exactly.
        """
        n = len(self.times)
        leaving = np.bincount(self.steps, weights=weight, minlength=n + 1)
        censored = np.bincount(self.steps[self.lost] - 1, weights=weight[self.lost], minlength=n)
        return _inverted(_staying(leaving, censored))

    def shortened(self, data: EvaluationData, horizon_days: float) -> FollowUp:
        """Give the same follow-up up to an earlier horizon; steps and factors are the first ones of this."""
        lost = self.lost[data.time_days[self.lost] < horizon_days]
        outcome = self.outcome & (data.time_days <= horizon_days)
        return FollowUp(outcome, self.times[self.times < horizon_days], self.steps, lost)

    def inverse_weights(
        self, weight: NDArray[np.float64], inverse: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Multiply `weight` by the inverse probability of being resolved; 0 where the state is not known.

        Parameters
        ----------
        weight : float array of shape (n_rows,)
        inverse : float array, optional
            From `inverse` of this follow-up or of the longer one that it was shortened from.
        """
        if self.complete:
            return weight
        table = self.inverse(weight) if inverse is None else inverse
        table = table[np.minimum(np.arange(len(table)), len(self.times))]
        product: NDArray[np.float64] = weight * table[self.steps]
        product[self.lost] = 0.0
        return product


def follow_up(data: EvaluationData, *, horizon_days: float | None = None) -> FollowUp:
    """Reduce the follow-up of `data` to the window that ends at `horizon_days` (its own by default)."""
    horizon = float(data.horizon_days if horizon_days is None else horizon_days)
    time, event = data.time_days, data.event
    outcome = (event == OUTCOME) & (time > data.lag_days) & (time <= horizon)
    lost = np.flatnonzero((event == CENSORED) & (time < horizon))
    if not len(lost):
        return FollowUp(outcome, np.empty(0), np.empty(0, dtype=np.intp), lost)
    times, steps = _steps(np.minimum(time, horizon), lost, horizon)
    steps[lost] += 1
    return FollowUp(outcome, times, steps, lost)


def _steps(
    time: NDArray[np.float64], lost: NDArray[np.intp], horizon: float
) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Distinct censoring times, and how many lie before each row's time; by a table where times are whole days."""
    day = time.astype(np.intp)
    if horizon > _LARGEST_TABLE or not np.array_equal(day, time):
        times = np.unique(time[lost])
        return times, np.searchsorted(times, time, side="left")
    here = np.bincount(day[lost], minlength=int(horizon) + 2) > 0
    before = np.concatenate([[0], np.cumsum(here)[:-1]])
    return np.flatnonzero(here).astype(np.float64), before[day]


class GroupedRisk:
    """Aalen-Johansen risk of the outcome in the window within groups, as a function of the weights.

    Parameters
    ----------
    ends : FollowUp
    group : int array of shape (n_rows,)
        From 0 to ``n_groups - 1``; rows with -1 belong to none.
    n_groups : int
    """

    def __init__(self, ends: FollowUp, group: NDArray[np.intp], n_groups: int) -> None:
        self.shape = (n_groups, len(ends.times) + 1)
        self.rows = None if bool((group >= 0).all()) else np.flatnonzero(group >= 0)
        within = group if self.rows is None else group[self.rows]
        steps = ends.steps if self.rows is None or ends.complete else ends.steps[self.rows]
        self.leaving = within.astype(np.intp) if ends.complete else within * self.shape[1] + steps
        self.cases = np.flatnonzero(ends.outcome & (group >= 0))
        self.case_group = group[self.cases]
        self.case_step = None if ends.complete else ends.steps[self.cases]
        self.lost = ends.lost[group[ends.lost] >= 0]
        self.lost_at = None if ends.complete else group[self.lost] * (self.shape[1] - 1) + ends.steps[self.lost] - 1

    def __call__(self, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Give risk and total weight of each group; NaN where a group has no weight or is lost before the horizon."""
        n_groups, width = self.shape
        inside = weight if self.rows is None else weight[self.rows]
        leaving = np.bincount(self.leaving, weights=inside, minlength=n_groups * width).reshape(n_groups, width)
        total, mass = leaving.sum(axis=1), weight[self.cases]
        if self.lost_at is not None and self.case_step is not None:
            lost = np.bincount(self.lost_at, weights=weight[self.lost], minlength=n_groups * (width - 1))
            staying = _staying(leaving, lost.reshape(n_groups, width - 1))
            mass = mass * _inverted(staying)[self.case_group, self.case_step]
            # A group whose last people were lost before the horizon has no known risk up to it.
            total = np.where(staying[:, -1] > _NOBODY, total, np.nan)
        found = np.bincount(self.case_group, weights=mass, minlength=n_groups)
        return np.divide(found, total, out=np.full(n_groups, np.nan), where=total > 0), total


def _staying(leaving: NDArray[np.float64], censored: NDArray[np.float64]) -> NDArray[np.float64]:
    """Product over censoring times of ``1 - censored / at risk``; the last axis runs over times."""
    at_risk = np.flip(np.cumsum(np.flip(leaving, -1), axis=-1), -1)[..., 1:]
    hazard = np.divide(censored, at_risk, out=np.zeros_like(censored), where=at_risk > 0)
    start = np.ones((*censored.shape[:-1], 1))
    return np.concatenate([start, np.cumprod(np.clip(1.0 - hazard, 0.0, 1.0), axis=-1)], axis=-1)


def _inverted(staying: NDArray[np.float64]) -> NDArray[np.float64]:
    """Invert; nobody is left where staying has no chance, and their weight is then 0."""
    inverse: NDArray[np.float64] = np.divide(1.0, staying, out=np.zeros_like(staying), where=staying > _NOBODY)
    return inverse
