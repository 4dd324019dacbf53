"""Calibration, from the mean to the curve: observed over expected, intercept and slope, smooth curve, ICI.

Regressions are on the complementary log-log scale by default, where a constant factor on the hazard is a constant
shift. Censoring enters through inverse probability weights; with complete follow-up everything reduces to ordinary
weighted binomial regression.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.glm import Link, fit
from prodromal.evaluate.resample import Statistic
from prodromal.evaluate.splines import knots_of, restricted_cubic_spline, weighted_quantile
from prodromal.evaluate.tally import Ordering, Tally

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import ArrayLike, NDArray

    from prodromal.evaluate.resample import Population, Weighting

__all__ = [
    "CalibrationFit",
    "RiskGrid",
    "calibration_fit",
    "calibration_statistic",
    "curve_grid",
    "deviation",
    "oe_statistic",
    "slope_of",
]

CLIP = 1e-8
_EXACT_UP_TO = 1 << 13
_CELLS = 1 << 15
PER_100K = 1e5
STABLE_EVENTS = 200
FEW_EVENTS = 100
LEAST_EVENTS = 10
UNSTABLE = "unstable"


@dataclass(frozen=True)
class CalibrationFit:
    """Weak calibration: what a regression of the outcome on the transformed risk says.

    Attributes
    ----------
    in_the_large, in_the_large_se : float
        Intercept with the slope held at 1: 0 is ideal; on the cloglog scale ``exp`` of it is a hazard ratio.
    intercept, intercept_se, slope, slope_se : float
        Both estimated together: 0 and 1 are ideal; a slope below 1 means predictions too extreme.
    """

    in_the_large: float
    in_the_large_se: float
    intercept: float
    intercept_se: float
    slope: float
    slope_se: float


def calibration_fit(
    outcome: ArrayLike, risk: ArrayLike, weight: ArrayLike | None = None, *, link: Link = Link.CLOGLOG
) -> CalibrationFit:
    """Calibration intercept and slope of rows with complete follow-up.

    Parameters
    ----------
    outcome : array of shape (n_rows,)
    risk : array of shape (n_rows,)
        In [0, 1]; moved to within ``[1e-8, 1 - 1e-8]`` before it is transformed.
    weight : array of shape (n_rows,), optional
    link : Link
        ``Link.CLOGLOG`` (default) or ``Link.LOGIT``.

    Returns
    -------
    CalibrationFit
        NaN where the data determine no finite value. Standard errors are model-based and assume independent rows with
        frequency weights.
    """
    y = np.asarray(outcome, dtype=np.float64)
    w = np.ones_like(y) if weight is None else np.asarray(weight, dtype=np.float64)
    x = transformed(np.asarray(risk, dtype=np.float64), link)
    large = fit(np.ones((len(x), 1)), y * w, w, link=link, offset=x)
    joint = fit(np.column_stack([np.ones_like(x), x]), y * w, w, link=link)
    se_large, se_joint = (np.sqrt(np.diag(f.covariance)) for f in (large, joint))
    return CalibrationFit(
        float(large.coefficients[0]),
        float(se_large[0]),
        float(joint.coefficients[0]),
        float(se_joint[0]),
        float(joint.coefficients[1]),
        float(se_joint[1]),
    )


def transformed(risk: NDArray[np.float64], link: Link) -> NDArray[np.float64]:
    """Put risks on the scale of `link`, those of 0 and 1 moved inside first."""
    return link.of(np.clip(risk, CLIP, 1 - CLIP))


def deviation(
    predicted: ArrayLike, smoothed: ArrayLike, weight: ArrayLike | None = None
) -> tuple[float, float, float, float]:
    """ICI, E50, E90 and Emax: mean, median, 90th percentile and maximum of ``|predicted - smoothed observed|``.

    Parameters
    ----------
    predicted, smoothed : arrays of shape (n_rows,)
    weight : array of shape (n_rows,), optional

    Returns
    -------
    tuple of four floats
        In the unit of the arguments.
    """
    gap = np.abs(np.asarray(predicted, dtype=np.float64) - np.asarray(smoothed, dtype=np.float64))
    w = np.ones_like(gap) if weight is None else np.asarray(weight, dtype=np.float64)
    median, ninety = weighted_quantile(gap, [0.5, 0.9], w)
    return float(gap @ w / w.sum()), float(median), float(ninety), float(gap[w > 0].max())


@dataclass(frozen=True, eq=False)
class RiskGrid:
    """Rows gathered by their transformed risk, so that a draw costs one sum however many rows there are.

    Cases and others are gathered apart. Up to 8,192 of either, every distinct risk has its own cell and nothing is
    approximated. Beyond that, cells of equal width hold rows whose mean stands for them: for the others, whose part in
    the likelihood is smooth, the error is of second order in the width; for the cases it is small beside their number.
    """

    others: Tally
    of_cases: Tally
    x: NDArray[np.float64]
    risk: NDArray[np.float64]
    cases: NDArray[np.intp]
    link: Link

    @classmethod
    def of(cls, risk: Ordering, outcome: NDArray[np.bool_], link: Link) -> RiskGrid:
        """Gather the rows."""
        bounds = _bounds(risk, link)
        others = risk.split(bounds)
        cases = np.flatnonzero(outcome)
        within = risk.codes_of(cases, bounds, others)
        own = _clipped(risk.sorted_back(cases))
        at_case, case_risk = _case_cells(own, link)
        total = np.add.reduceat(_clipped(risk.ascending), bounds[:-1])
        total -= np.bincount(within, weights=own, minlength=len(total))
        size = np.diff(bounds) - np.bincount(within, minlength=len(total))
        # A cell of cases alone has no weight: any risk will do for it.
        mean = np.divide(total, size, out=_clipped(risk.ascending[bounds[:-1]]), where=size > 0)
        every = np.concatenate([mean, case_risk])
        code = np.concatenate([within, at_case + len(mean)])
        return cls(others, Tally.by_code(code, len(every)), link.of(every), every, cases, link)

    def counts(self, weight: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Weight of all rows, and of cases, in each cell."""
        own, n_others = weight[self.cases], self.others.n
        cases = self.of_cases(np.concatenate([own, own]))
        trials = cases.copy()
        trials[:n_others] = np.maximum(self.others(weight) - cases[:n_others], 0.0)
        cases[:n_others] = 0.0
        return trials, cases


def _clipped(risk: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.clip(risk, CLIP, 1 - CLIP)


def _bounds(risk: Ordering, link: Link) -> NDArray[np.intp]:
    return np.unique(risk.runs() if len(risk.ascending) <= _EXACT_UP_TO else _even_bounds(risk, link))


def _case_cells(risk: NDArray[np.float64], link: Link) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Cell of each case, and the mean risk of each cell."""
    ordering = Ordering.of(risk)
    if not len(risk):
        return np.empty(0, dtype=np.intp), risk
    bounds = _bounds(ordering, link)
    return ordering.codes(bounds), np.add.reduceat(ordering.ascending, bounds[:-1]) / np.diff(bounds)


def _even_bounds(risk: Ordering, link: Link) -> NDArray[np.intp]:
    low, high = transformed(risk.ascending[[0, -1]], link)
    edges = link.risk(np.linspace(low, high, _CELLS + 1)[1:-1])
    return np.concatenate([[0], risk.below(edges), [len(risk.ascending)]])


def oe_statistic(population: Population, risk: NDArray[np.float64], model: str) -> Statistic:
    """Observed risk (Aalen-Johansen), mean predicted risk, and their ratio; exact limits where outcomes are few."""
    cases = np.flatnonzero(population.ends.outcome)

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        total = weighting.design.sum()
        if total <= 0:
            return np.full(3, np.nan)
        observed = weighting.known[cases].sum() / total
        expected = weighting.design @ risk / total
        return np.array([observed, expected, observed / expected if expected > 0 and observed > 0 else np.nan])

    few = _few(population, risk, cases)
    notes = dict.fromkeys(few, f"gamma limits: fewer than {LEAST_EVENTS} events")
    if not len(cases):
        notes["observed_over_expected"] = "no outcome in the window"
    rows = [
        {"model": model, "measure": name, "note": notes.get(name, "")} | few.get(name, {})
        for name in ("observed_risk", "expected_risk", "observed_over_expected")
    ]
    return Statistic(rows, compute)


def _few(
    population: Population, risk: NDArray[np.float64], cases: NDArray[np.intp]
) -> dict[str, dict[str, tuple[float, float]]]:
    """Give what gamma limits need where fewer than ten had the outcome: draws of none would end at 0."""
    known, weight = population.whole.known, population.data.weight
    if len(cases) >= LEAST_EVENTS:
        return {}
    largest, squares = float(np.max(known[cases] if len(cases) else known)), float((known[cases] ** 2).sum())
    scales = {"observed_risk": float(weight.sum()), "observed_over_expected": float(weight @ risk)}
    return {name: {"_gamma": (squares / scale**2, largest / scale)} for name, scale in scales.items() if scale > 0}


def calibration_statistic(
    population: Population,
    risk: Ordering,
    model: str,
    *,
    grid: NDArray[np.float64] | None = None,
    link: Link = Link.CLOGLOG,
) -> Statistic:
    """Intercept, slope, ICI, E50, E90, Emax (per 100,000), and the smooth curve at `grid`.

    Notes
    -----
    The curve is a binomial regression of the outcome on a restricted cubic spline of the transformed risk: 3 knots
    below 200 events, 4 from there, at Harrell's quantiles of the predicted risks. Deviations are means and quantiles
    over the population.
    """
    outcome = population.ends.outcome
    at = RiskGrid.of(risk, outcome, link)
    n_events = int(outcome.sum())
    points = np.empty(0) if grid is None else grid
    why = _why_not(n_events, population.data.n, at.x)
    curve = _Curve.of(at, at.counts(population.data.weight)[0], n_events, points) if not why else None
    line = np.column_stack([np.ones_like(at.x), at.x])
    starts = _Starts(at, line, curve, population)

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        trials, successes = at.counts(weighting.known)
        large = fit(line[:, :1], successes, trials, link=link, offset=at.x, start=starts.large).coefficients
        joint = np.full(2, np.nan) if why else fit(line, successes, trials, link=link, start=starts.joint).coefficients
        flat = np.concatenate([large, joint])
        if curve is None:
            return np.concatenate([flat, np.full(4 + len(points), np.nan)])
        return np.concatenate([flat, curve.compute(at, weighting, trials, successes, starts.curve)])

    names = ("in_the_large", "intercept", "slope", "ici_per_100k", "e50_per_100k", "e90_per_100k", "emax_per_100k")
    none = "no outcome in the window" if n_events == 0 else ""
    unstable = "" if n_events >= FEW_EVENTS else f"{UNSTABLE}: fewer than {FEW_EVENTS} events"
    rows: list[dict[str, object]] = [
        {"model": model, "measure": name, "note": (none if i == 0 else why) or unstable, "_distance": i > 2}
        for i, name in enumerate(names)
    ]
    curve_rows = [
        {"model": model, "measure": "curve", "predicted_risk": float(p), "note": why or unstable} for p in points
    ]
    return Statistic([*rows, *curve_rows], compute)


def slope_of(
    risk: Ordering, outcome: NDArray[np.bool_], whole: Weighting, *, link: Link = Link.CLOGLOG
) -> Callable[[Weighting], float]:
    """Give the calibration slope as a function of the weights, begun from that of `whole`; NaN with few events."""
    at = RiskGrid.of(risk, outcome, link)
    if _why_not(int(outcome.sum()), len(outcome), at.x):
        return lambda _: np.nan
    line = np.column_stack([np.ones_like(at.x), at.x])

    def both(weighting: Weighting, start: NDArray[np.float64] | None = None) -> NDArray[np.float64]:
        trials, successes = at.counts(weighting.known)
        return fit(line, successes, trials, link=link, start=start).coefficients

    start = both(whole)
    return lambda weighting: float(both(weighting, start)[1])


def curve_grid(risk: NDArray[np.float64], weight: NDArray[np.float64], n_points: int = 41) -> NDArray[np.float64]:
    """Risks at which a curve is shown: even on the log scale, between the 1st and the 99.5th percentile."""
    stride = max(len(risk) // 100_000, 1)
    r, w = risk[::stride], weight[::stride]
    r, w = r[r > 0], w[r > 0]
    if not len(r):
        return np.empty(0)
    low, high = np.maximum(weighted_quantile(r, [0.01, 0.995], w), CLIP)
    return np.geomspace(low, high, n_points) if high > low else np.array([low])


def _why_not(n_events: int, n_rows: int, x: NDArray[np.float64]) -> str:
    if n_events == 0:
        return "no outcome in the window"
    if n_events == n_rows:
        return "everyone had the outcome"
    if np.ptp(x) < 1e-9:
        return "predictions do not vary"
    if n_events < LEAST_EVENTS:
        return f"fewer than {LEAST_EVENTS} events"
    return ""


@dataclass(frozen=True, eq=False)
class _Curve:
    basis: NDArray[np.float64]
    at_points: NDArray[np.float64]

    @classmethod
    def of(cls, at: RiskGrid, mass: NDArray[np.float64], n_events: int, points: NDArray[np.float64]) -> _Curve:
        used = mass > 0
        knots = knots_of(at.x[used], 3 if n_events < STABLE_EVENTS else 4, mass[used])
        basis, shown = (_spline(x, knots) for x in (at.x, transformed(points, at.link)))
        return cls(basis, shown)

    def compute(
        self,
        at: RiskGrid,
        weighting: Weighting,
        trials: NDArray[np.float64],
        successes: NDArray[np.float64],
        start: NDArray[np.float64] | None,
    ) -> NDArray[np.float64]:
        beta = fit(self.basis, successes, trials, link=at.link, start=start).coefficients
        if np.isnan(beta).any():
            return np.full(4 + len(self.at_points), np.nan)
        mass = trials if weighting.known is weighting.design else at.counts(weighting.design)[0]
        drawn = mass > 0
        gaps = deviation(at.risk[drawn], at.link.risk(self.basis @ beta)[drawn], mass[drawn])
        return np.concatenate([np.multiply(gaps, PER_100K), at.link.risk(self.at_points @ beta)])


def _spline(x: NDArray[np.float64], knots: NDArray[np.float64]) -> NDArray[np.float64]:
    one = np.ones((len(x), 1))
    # Where the predictions take too few values for three knots, a straight line is all that they can carry.
    return np.hstack([one, x[:, None] if len(knots) < 3 else restricted_cubic_spline(x, knots)])


class _Starts:
    """Coefficients on the data themselves, from which every draw starts."""

    def __init__(self, at: RiskGrid, line: NDArray[np.float64], curve: _Curve | None, population: Population) -> None:
        trials, successes = at.counts(population.whole.known)
        self.large = fit(line[:, :1], successes, trials, link=at.link, offset=at.x).coefficients
        self.joint = fit(line, successes, trials, link=at.link).coefficients
        self.curve = None if curve is None else fit(curve.basis, successes, trials, link=at.link).coefficients
