"""What a decision by the risk would do: net benefit, people flagged per true case, at thresholds and at capacities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DefinitionError
from prodromal.evaluate.resample import Statistic
from prodromal.evaluate.splines import weighted_quantile
from prodromal.evaluate.tally import Ordering, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

    from prodromal.evaluate.resample import Population, Weighting

__all__ = [
    "CAPACITIES",
    "capacity_threshold",
    "decision_curve_statistic",
    "default_thresholds",
    "flag_statistic",
    "net_benefit",
]

CAPACITIES = (0.001, 0.01, 0.05)


def net_benefit(
    outcome: ArrayLike, risk: ArrayLike, thresholds: ArrayLike, weight: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Net benefit of acting where ``risk >= threshold``.

    Parameters
    ----------
    outcome, risk : arrays of shape (n_rows,)
    thresholds : array of shape (k,)
        In (0, 1).
    weight : array of shape (n_rows,), optional
        With sampling weights the prevalence is the population's.

    Returns
    -------
    float array of shape (k,)

    Notes
    -----
    ``TP / n - FP / n * t / (1 - t)``: true cases found per person, less false alarms at the exchange rate that the
    threshold itself states.
    """
    y, r = np.asarray(outcome, dtype=np.bool_), np.asarray(risk, dtype=np.float64)
    w = np.ones_like(r) if weight is None else np.asarray(weight, dtype=np.float64)
    t = _checked(thresholds)
    flagged, true = _Steps(Ordering.of(r), t, np.flatnonzero(y)).counts(w)
    return np.asarray((true - (flagged - true) * t / (1 - t)) / w.sum())


def default_thresholds(
    risk: NDArray[np.float64], weight: NDArray[np.float64], n_points: int = 30
) -> NDArray[np.float64]:
    """Thresholds even on the log scale, from the lowest tenth of the predicted risks to the highest thousandth."""
    stride = max(len(risk) // 100_000, 1)
    low, high = weighted_quantile(risk[::stride], [0.1, 0.999], weight[::stride])
    low, high = max(float(low), 1e-7), min(float(high), 0.99)
    return np.geomspace(low, high, n_points) if high > low else np.array([min(low, 0.99)])


def capacity_threshold(
    score: Ordering, weight: NDArray[np.float64], capacities: Sequence[float]
) -> NDArray[np.float64]:
    """Find the lowest score that flags no more than each share of people; infinite where top ties exceed it."""
    runs = score.runs()
    mass = np.add.reduceat(score.sorted(weight), runs[:-1])
    from_top = np.cumsum(mass[::-1])[::-1]
    at = np.searchsorted(-from_top / from_top[0], -np.asarray(capacities) * (1 + 1e-12), side="left")
    return np.asarray(np.append(score.ascending[runs[:-1]], np.inf)[at])


def flag_statistic(
    population: Population,
    value: Ordering,
    thresholds: NDArray[np.float64],
    keys: Sequence[dict[str, object]],
    model: str,
) -> Statistic:
    """Measure flagged share, sensitivity, specificity, PPV, flagged per true case and lift from each threshold on.

    Notes
    -----
    The threshold is fixed; intervals are for the rule "flag from this threshold on". Draws never give a case where the
    data have none: a share of none has exact limits instead.
    """
    steps = _Steps(value, thresholds, np.flatnonzero(population.ends.outcome))
    reached = np.isfinite(thresholds)

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        known = weighting.known
        flagged, true = steps.counts(known)
        total, cases = known.sum(), known[steps.cases].sum()
        with np.errstate(divide="ignore", invalid="ignore"):
            ppv = true / flagged
            measures = (
                flagged / total,
                true / cases,
                np.clip(1 - (flagged - true) / (total - cases), 0.0, 1.0),
                ppv,
                np.where(true > 0, flagged / true, np.nan),
                ppv * total / cases,
            )
        return np.concatenate([np.where(np.isfinite(m) & reached, m, np.nan) for m in measures])

    flagged_rows, flagged_events = steps.numbers()
    none = _none_found(population, steps)
    names = ("share_flagged", "sensitivity", "specificity", "ppv", "flagged_per_true_case", "lift")
    rows = [
        {
            **key,
            "model": model,
            "measure": name,
            "threshold": float(t),
            "n": int(f),
            "events": int(e),
            "note": _why(t, f, e, name),
        }
        | (none.get((name, i), {}) if e == 0 else {})
        for name in names
        for i, (key, t, f, e) in enumerate(zip(keys, thresholds, flagged_rows, flagged_events, strict=True))
    ]
    return Statistic(rows, compute)


def decision_curve_statistic(
    population: Population,
    risks: dict[str, Ordering],
    thresholds: NDArray[np.float64],
) -> Statistic:
    """Net benefit per 100,000 people of each model, of acting for everyone, and the difference to the better default.

    Notes
    -----
    ``gain`` is the net benefit less the larger of acting for everyone and for nobody: above 0 the model is worth using
    at that threshold.
    """
    t = _checked(thresholds)
    odds = t / (1 - t)
    cases = np.flatnonzero(population.ends.outcome)
    steps = [_Steps(risk, t, cases) for risk in risks.values()]

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        known = weighting.known
        total = known.sum()
        share = known[cases].sum() / total if total > 0 else np.nan
        everyone = share - (1 - share) * odds
        parts = [everyone]
        for step in steps:
            flagged, true = step.counts(known)
            benefit = (true - (flagged - true) * odds) / total
            parts += [benefit, benefit - np.maximum(everyone, 0.0)]
        return 1e5 * np.concatenate(parts)

    everybody = ([population.data.n] * len(t), [len(cases)] * len(t))
    blocks = [("everyone", "net_benefit_per_100k", everybody)]
    for name, step in zip(risks, steps, strict=True):
        blocks += [(name, f"{measure}_per_100k", step.numbers()) for measure in ("net_benefit", "gain")]
    rows = [
        {
            "model": model,
            "measure": measure,
            "threshold": float(x),
            "n": flagged,
            "events": events,
            "note": "" if len(cases) else "no outcome in the window",
        }
        for model, measure, numbers in blocks
        for x, flagged, events in zip(t, *numbers, strict=True)
    ]
    return Statistic(rows, compute)


def _none_found(population: Population, steps: _Steps) -> dict[tuple[str, int], dict[str, object]]:
    """Give what gamma limits need where no case is flagged."""
    known = population.whole.known
    flagged, _ = steps.counts(known)
    total, cases = float(known.sum()), float(known[steps.cases].sum())
    if not cases > 0:
        return {}
    largest = float(np.max(known[steps.cases]))
    scales = {"sensitivity": np.full(len(flagged), cases), "ppv": flagged, "lift": flagged * cases / total}
    return {
        (name, i): {"_gamma": (0.0, largest / float(scale[i]))}
        for name, scale in scales.items()
        for i in range(len(flagged))
        if scale[i] > 0
    }


class _Steps:
    """Rows placed between thresholds once, counted from the top for every weighting."""

    def __init__(self, value: Ordering, thresholds: NDArray[np.float64], cases: NDArray[np.intp]) -> None:
        order = np.argsort(thresholds, kind="stable")
        self.back = np.argsort(order, kind="stable")
        bounds = np.concatenate([[0], value.below(thresholds[order]), [len(value.ascending)]])
        self.everyone = value.split(bounds)
        self.sizes = np.diff(bounds)
        self.cases = cases
        self.of_cases = Tally.by_code(value.codes_of(cases, bounds, self.everyone), len(bounds) - 1)

    def counts(self, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight flagged, and weight of cases flagged, at each threshold in the order given."""
        return self._from_top(self.everyone(weight)), self._from_top(self.of_cases(weight[self.cases]))

    def numbers(self) -> tuple[list[int], list[int]]:
        """Rows flagged, and cases among them, at each threshold."""
        cases = self.of_cases(np.ones(len(self.cases)))
        return self._from_top(self.sizes).astype(int).tolist(), self._from_top(cases).astype(int).tolist()

    def _from_top(self, mass: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.cumsum(mass[::-1])[::-1][1:][self.back]


def _checked(thresholds: ArrayLike) -> NDArray[np.float64]:
    t = np.asarray(thresholds, dtype=np.float64)
    if not len(t) or not ((t > 0) & (t < 1)).all():
        raise DefinitionError("decision curve: thresholds must lie strictly between 0 and 1, and there must be one")
    return t


def _why(threshold: float, flagged: int, events: int, measure: str) -> str:
    if not np.isfinite(threshold):
        return "too many people share the highest score"
    if flagged == 0:
        return "nobody is flagged"
    return "no case is flagged" if events == 0 and measure == "flagged_per_true_case" else ""
