"""One bootstrap for everything: families are drawn, every statistic is computed on the same draws.

Differences between two models are therefore paired, and a table is a list of quantities with their intervals.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
import pandas as pd

from prodromal.errors import DefinitionError
from prodromal.evaluate.follow_up import follow_up
from prodromal.evaluate.tally import Ordering, stable_order

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from numpy.typing import NDArray

    from prodromal.evaluate.data import EvaluationData
    from prodromal.evaluate.follow_up import FollowUp

__all__ = ["Population", "Statistic", "Weighting", "combine", "estimate", "limits"]

T = TypeVar("T")
LEVEL = 0.95
_ENOUGH = 0.9
_LAST = ("model", "measure")


@dataclass(frozen=True, eq=False)
class Population:
    """Data in ascending order of risk, with their follow-up at the horizon: what statistics are prepared from.

    Attributes
    ----------
    data : EvaluationData
        Rows sorted by risk; its `groups` stay in the order given.
    order : int array
        Row of the given data that each row is.
    ends : FollowUp
    risk, score, baseline : Ordering
        Predictions with their order; `baseline` is None without one.
    """

    data: EvaluationData
    order: NDArray[np.intp]
    ends: FollowUp
    risk: Ordering
    score: Ordering
    baseline: Ordering | None

    @classmethod
    def of(cls, data: EvaluationData) -> Population:
        """Sort and reduce the follow-up, once."""
        order = stable_order(data.risk)
        ranked_by_risk = data.score is data.risk
        risk = data.risk[order]
        own = data.n_families == data.n
        ready = replace(
            data,
            risk=risk,
            score=risk if ranked_by_risk else data.score[order],
            event=data.event[order],
            time_days=data.time_days[order],
            weight=data.weight[order],
            family=data.family if own else data.family[order],
            baseline_risk=None if data.baseline_risk is None else data.baseline_risk[order],
        )
        at = Ordering(risk, None)
        score = at if ranked_by_risk else Ordering.of(ready.score)
        baseline = None if ready.baseline_risk is None else Ordering.of(ready.baseline_risk)
        return cls(ready, order, follow_up(ready), at, score, baseline)

    @cached_property
    def whole(self) -> Weighting:
        """The weights of the data themselves."""
        return weighting(self, None)


@dataclass(frozen=True, eq=False)
class Weighting:
    """The weights of one draw.

    Attributes
    ----------
    design : float array of shape (n_rows,)
        Sampling weight times how often the row's family was drawn.
    known : float array of shape (n_rows,)
        The same divided by the probability of being uncensored; 0 where the state at the horizon is unknown.
    inverse : float array of shape (n_steps + 1,)
        What `design` was multiplied by, by steps of follow-up.
    """

    design: NDArray[np.float64]
    known: NDArray[np.float64]
    inverse: NDArray[np.float64]

    def take(self, rows: NDArray[np.intp]) -> Weighting:
        """Restrict to some rows."""
        same = self.known is self.design
        design = self.design[rows]
        return Weighting(design, design if same else self.known[rows], self.inverse)


@dataclass(frozen=True, eq=False)
class Statistic:
    """Quantities that are computed together.

    Attributes
    ----------
    rows : sequence of mappings
        Key columns of each quantity, and ``n``, ``events``, ``note`` where they differ from the caller's. With
        ``_gamma`` (variance, largest weight) the limits come from `gamma_limits`: too few events to draw from. With
        ``_distance`` the lower limit is at most the value: draws of a distance are noisier than the data and lie above.
    compute : function of a Weighting
        Gives one float per row; NaN where the quantity does not exist.
    """

    rows: Sequence[Mapping[str, object]]
    compute: Callable[[Weighting], NDArray[np.float64]]


def combine(*statistics: Statistic) -> Statistic:
    """Put statistics one after the other, computed on the same draws."""
    rows = [row for statistic in statistics for row in statistic.rows]
    return Statistic(rows, lambda weighting: np.concatenate([s.compute(weighting) for s in statistics]))


def estimate(
    population: Population, statistic: Statistic, *, replicates: int, seed: int, workers: int = 1
) -> pd.DataFrame:
    """Compute quantities with their bootstrap intervals over families.

    Parameters
    ----------
    population : Population
    statistic : Statistic
    replicates : int
        Number of draws; 0 gives point estimates only.
    seed : int
        Replicate ``b`` draws from its own generator, seeded with ``(seed, b)``: the number of workers changes nothing.
    workers : int
        Threads.

    Returns
    -------
    DataFrame
        The key columns of `statistic`, then ``value, ci_low, ci_high, n, events, note``.

    Notes
    -----
    The interval runs from the 2.5th to the 97.5th percentile of the draws, at positions ``p (replicates + 1)`` so that
    a new draw falls inside with the stated probability however few there are. Families (not rows) are drawn with
    replacement, as many as there are; the censoring distribution is estimated anew in every draw.
    """
    if replicates < 0 or replicates == 1:
        raise DefinitionError("bootstrap: replicates must be 0 or at least 2")
    value = statistic.compute(population.whole)
    draws = _draw_all(partial(_replicate, population, statistic, seed), replicates, workers, len(value))
    low, high, few = limits(draws)
    low, high = _special_limits(statistic, value, low, high)
    given = dict.fromkeys(k for row in statistic.rows for k in row if not k.startswith("_"))
    keys = [*(k for k in given if k not in _LAST), *(k for k in _LAST if k in given)]
    frame = pd.DataFrame({k: [row.get(k) for row in statistic.rows] for k in keys})
    notes = [str(row.get("note", "")) for row in statistic.rows]
    outcome = population.ends.outcome
    numbers: dict[str, Any] = {
        "value": value,
        "ci_low": np.where(np.isnan(value), np.nan, low),
        "ci_high": np.where(np.isnan(value), np.nan, high),
        "n": [row.get("n", population.data.n) for row in statistic.rows],
        "events": [row.get("events", int(outcome.sum())) for row in statistic.rows],
        "note": [_note(*facts, replicates) for facts in zip(value, few, notes, strict=True)],
    }
    return frame.drop(columns=["n", "events", "note"], errors="ignore").assign(**numbers)


def weighting(population: Population, drawn: NDArray[np.intp] | None) -> Weighting:
    """Weights of the data themselves (`drawn` None) or of one draw of families."""
    data, ends = population.data, population.ends
    if drawn is None:
        design = data.weight
    else:
        design = data.weight * (drawn if data.n_families == data.n else drawn[data.family])
    if ends.complete:
        return Weighting(design, design, np.ones(1))
    inverse = ends.inverse(design)
    if inverse[-1] == 0:
        # Everyone still at risk was lost before the horizon: what happened up to it is not known of anybody.
        return Weighting(design, np.full_like(design, np.nan), inverse)
    return Weighting(design, ends.inverse_weights(design, inverse), inverse)


def limits(
    draws: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.bool_]]:
    """Percentile limits of each column, and whether too few draws gave a number for it to have any."""
    n_columns = draws.shape[1]
    low, high = np.full(n_columns, np.nan), np.full(n_columns, np.nan)
    if not len(draws):
        return low, high, np.zeros(n_columns, dtype=np.bool_)
    computed = np.isfinite(draws).mean(axis=0)
    few = computed < _ENOUGH
    tail = (1 - LEVEL) / 2
    for column in np.flatnonzero(~few):
        values = draws[:, column]
        low[column], high[column] = np.quantile(values[np.isfinite(values)], [tail, 1 - tail], method="weibull")
    return low, high, few


def draw_families(n_families: int, seed: int, replicate: int) -> NDArray[np.intp]:
    """How often each family is drawn in one replicate."""
    generator = np.random.default_rng([seed, replicate])
    return np.bincount(generator.integers(0, n_families, n_families), minlength=n_families)


def _special_limits(
    statistic: Statistic, value: NDArray[np.float64], low: NDArray[np.float64], high: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    low, high = low.copy(), high.copy()
    for i, row in enumerate(statistic.rows):
        if "_gamma" in row and not np.isnan(value[i]):
            low[i], high[i] = gamma_limits(float(value[i]), *row["_gamma"])  # type: ignore[misc]
        elif row.get("_distance"):
            low[i] = min(low[i], value[i])
    return low, high


def gamma_limits(value: float, variance: float, largest: float) -> tuple[float, float]:
    """Limits of a weighted sum of few Poisson counts, after Fay and Feuer (1997); exact where weights are equal.

    Parameters
    ----------
    value : float
        The weighted sum, at least 0.
    variance : float
        Sum of the squared weights of the events.
    largest : float
        Largest weight that an event can have.
    """
    from scipy.stats import chi2

    tail = (1 - LEVEL) / 2
    low = variance / (2 * value) * chi2.ppf(tail, 2 * value**2 / variance) if value > 0 else 0.0
    raised, spread = value + largest, variance + largest**2
    return float(low), float(spread / (2 * raised) * chi2.ppf(1 - tail, 2 * raised**2 / spread))


def _replicate(population: Population, statistic: Statistic, seed: int, replicate: int) -> NDArray[np.float64]:
    drawn = draw_families(population.data.n_families, seed, replicate)
    return statistic.compute(weighting(population, drawn))


def _draw_all(
    one: Callable[[int], NDArray[np.float64]], replicates: int, workers: int, width: int
) -> NDArray[np.float64]:
    rows = in_threads([partial(one, b) for b in range(replicates)], workers)
    return np.array(rows, dtype=np.float64).reshape(replicates, width)


def in_threads(tasks: Sequence[Callable[[], T]], workers: int) -> list[T]:
    """Do tasks, so many at a time; results in the order of the tasks."""
    if workers == 1 or len(tasks) < 2:
        return [task() for task in tasks]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(lambda task: task(), tasks))


def _note(value: float, few: bool, note: str, replicates: int) -> str:
    if np.isnan(value):
        return f"not computed: {note or 'the data, or follow-up that ends too early, do not determine it'}"
    if few:
        return "; ".join(filter(None, [note, f"interval not computed: too few of {replicates} draws gave a number"]))
    return note
