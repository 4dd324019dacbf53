"""The tables of an evaluation: which quantities each holds, and one function for each that estimates it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DataError, DefinitionError
from prodromal.evaluate.calibration import calibration_statistic, curve_grid, oe_statistic
from prodromal.evaluate.glm import Link
from prodromal.evaluate.groups import (
    AGE_EDGES,
    age_sex_cells,
    deciles,
    grouped_statistic,
    subgroup_statistic,
    subgroups,
)
from prodromal.evaluate.ranking import Ladder, ranking_statistic
from prodromal.evaluate.resample import Population, Statistic, combine, estimate
from prodromal.evaluate.utility import (
    CAPACITIES,
    capacity_threshold,
    decision_curve_statistic,
    default_thresholds,
    flag_statistic,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from numpy.typing import NDArray

    from prodromal.evaluate.data import EvaluationData
    from prodromal.evaluate.resample import Weighting
    from prodromal.evaluate.tally import Ordering

__all__ = [
    "BASELINE",
    "DIFFERENCE",
    "MODEL",
    "by_subgroup",
    "calibration",
    "capacity",
    "cells",
    "compute_calibration",
    "compute_capacity",
    "compute_cells",
    "compute_deciles",
    "compute_decision_curve",
    "compute_discrimination",
    "compute_subgroups",
    "compute_time_dependent_auc",
    "decile_groups",
    "decision_curve",
    "discrimination",
    "flags_at",
    "paired",
    "time_dependent_auc",
]

MODEL, BASELINE, DIFFERENCE = "model", "age and sex", "difference"


def paired(first: Statistic, second: Statistic) -> Statistic:
    """Two statistics of the same quantities and their difference, on the same draws."""
    rows = [{k: v for k, v in row.items() if k != "_gamma"} | {"model": DIFFERENCE} for row in first.rows]

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        a, b = first.compute(weighting), second.compute(weighting)
        return np.concatenate([a, b, a - b])

    return Statistic([*first.rows, *second.rows, *rows], compute)


def discrimination(population: Population) -> Statistic:
    """AUROC, average precision and Brier score of the model, of age and sex alone, and their difference."""
    model = ranking_statistic(population, population.score, population.data.risk, MODEL)
    base = population.baseline
    if base is None or population.data.baseline_risk is None:
        return model
    return paired(model, ranking_statistic(population, base, population.data.baseline_risk, BASELINE))


def calibration(population: Population, link: Link = Link.CLOGLOG) -> Statistic:
    """Mean, weak and moderate calibration with the smooth curve; the same without curve for age and sex alone."""
    data = population.data
    grid = curve_grid(data.risk, data.weight)
    parts = [
        oe_statistic(population, data.risk, MODEL),
        calibration_statistic(population, population.risk, MODEL, grid=grid, link=link),
    ]
    if data.baseline_risk is not None and population.baseline is not None:
        parts += [
            oe_statistic(population, data.baseline_risk, BASELINE),
            calibration_statistic(population, population.baseline, BASELINE, link=link),
        ]
    return combine(*parts)


def decile_groups(population: Population, n_groups: int = 10) -> Statistic:
    """Observed and expected risk by tenths of the population, ordered by predicted risk."""
    code = deciles(population.risk, population.data.weight, n_groups)
    return grouped_statistic(population, code, [{"group": i + 1} for i in range(n_groups)])


def cells(population: Population, edges: Sequence[float] = AGE_EDGES) -> Statistic | None:
    """Observed and expected risk by sex and age band; None without both columns."""
    found = age_sex_cells(population.data, edges)
    if found is None:
        return None
    code, keys = found
    return grouped_statistic(population, code[population.order], keys)


def by_subgroup(
    population: Population, edges: Sequence[float] = AGE_EDGES, columns: Sequence[str] | None = None
) -> Statistic | None:
    """Observed, expected, O/E, AUROC and slope by subgroup; None where no column forms groups."""
    parts = []
    for grouping, (code, names) in subgroups(population.data, age_edges=edges, columns=columns).items():
        keys: list[dict[str, object]] = [{"grouping": grouping, "group": name} for name in names]
        parts.append(subgroup_statistic(population, code[population.order], keys))
    return combine(*parts) if parts else None


def capacity(population: Population, capacities: Sequence[float] = CAPACITIES) -> Statistic:
    """Measure what review of the highest-ranked share of people would find, beside age and sex alone."""
    if not capacities or not all(0 < c < 1 for c in capacities):
        raise DefinitionError("capacities: shares must lie strictly between 0 and 1, and there must be one")
    keys: list[dict[str, object]] = [{"capacity": c} for c in capacities]

    def flags(score: Ordering, model: str) -> Statistic:
        at = capacity_threshold(score, population.data.weight, capacities)
        return flag_statistic(population, score, at, keys, model)

    model = flags(population.score, MODEL)
    return model if population.baseline is None else combine(model, flags(population.baseline, BASELINE))


def flags_at(population: Population, thresholds: Sequence[float]) -> Statistic:
    """Measure what flagging everyone at or above each stated risk would find."""
    at = np.asarray(thresholds, dtype=np.float64)
    return flag_statistic(population, population.risk, at, [{} for _ in at], MODEL)


def decision_curve(population: Population, thresholds: Sequence[float] | None = None) -> Statistic:
    """Net benefit of model, age and sex alone, and acting for everyone, over a range of thresholds."""
    data = population.data
    risks = {MODEL: population.risk} | ({BASELINE: population.baseline} if population.baseline is not None else {})
    at = default_thresholds(data.risk, data.weight) if thresholds is None else np.asarray(thresholds, dtype=float)
    return decision_curve_statistic(population, risks, at)


def time_dependent_auc(population: Population, horizons_days: Sequence[float] | None = None) -> Statistic:
    """Cumulative-dynamic AUROC at several horizons: cases so far against everyone still free of the outcome or dead."""
    data = population.data
    whole = data.horizon_days
    times = _yearly(data.lag_days, whole) if horizons_days is None else [float(h) for h in horizons_days]
    if not times or not all(data.lag_days < h <= whole for h in times):
        raise DefinitionError("time-dependent AUC: horizons must lie in (lag_days, horizon_days]")
    windows = [population.ends.shortened(data, h) for h in times]
    ladders = [Ladder.of(ends.outcome, population.score) for ends in windows]

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        weights = [ends.inverse_weights(weighting.design, weighting.inverse) for ends in windows]
        return np.array([ladder.measures(w)[0] for ladder, w in zip(ladders, weights, strict=True)])

    rows = [
        {"model": MODEL, "measure": "auroc", "to_days": h, "events": int(ends.outcome.sum())}
        for h, ends in zip(times, windows, strict=True)
    ]
    return Statistic(rows, compute)


def compute_discrimination(data: EvaluationData, *, replicates: int, seed: int, workers: int = 1) -> pd.DataFrame:
    """AUROC, average precision and Brier score, beside age and sex alone, with paired differences.

    Parameters
    ----------
    data : EvaluationData
    replicates, seed, workers : int
        Bootstrap over families; see `estimate`.

    Returns
    -------
    DataFrame
        ``model, measure, value, ci_low, ci_high, n, events, note``.
    """
    return _estimated(data, discrimination, replicates, seed, workers)


def compute_calibration(
    data: EvaluationData, *, replicates: int, seed: int, workers: int = 1, link: Link = Link.CLOGLOG
) -> pd.DataFrame:
    """O/E, intercept, slope, ICI/E50/E90/Emax per 100,000, and the smooth curve.

    Returns
    -------
    DataFrame
        ``model, measure, predicted_risk, value, ci_low, ci_high, n, events, note``; `predicted_risk` is filled where
        the measure is ``curve``, and the value is then the observed risk there.
    """
    return _estimated(data, lambda population: calibration(population, link), replicates, seed, workers)


def compute_deciles(
    data: EvaluationData, *, replicates: int, seed: int, workers: int = 1, n_groups: int = 10
) -> pd.DataFrame:
    """Observed risk (Aalen-Johansen) and mean predicted risk by tenths of predicted risk.

    Returns
    -------
    DataFrame
        ``group`` from 1 (lowest), ``model, measure, value, ci_low, ci_high, n, events, note``.
    """
    return _estimated(data, lambda population: decile_groups(population, n_groups), replicates, seed, workers)


def compute_cells(
    data: EvaluationData, *, replicates: int, seed: int, workers: int = 1, age_edges: Sequence[float] = AGE_EDGES
) -> pd.DataFrame:
    """Observed and expected risk by sex and age band.

    Returns
    -------
    DataFrame
        ``sex, age, model, measure, value, ci_low, ci_high, n, events, note``.
    """

    def built(population: Population) -> Statistic:
        statistic = cells(population, age_edges)
        if statistic is None:
            raise DataError("predictions: columns sex and age_years are needed for age-sex cells")
        return statistic

    return _estimated(data, built, replicates, seed, workers)


def compute_subgroups(
    data: EvaluationData,
    *,
    replicates: int,
    seed: int,
    workers: int = 1,
    age_edges: Sequence[float] = AGE_EDGES,
    columns: Sequence[str] | None = None,
) -> pd.DataFrame:
    """Discrimination and calibration by sex, age band, calendar year, region and further columns.

    Returns
    -------
    DataFrame
        ``grouping, group, model, measure, value, ci_low, ci_high, n, events, note``.
    """

    def built(population: Population) -> Statistic:
        statistic = by_subgroup(population, age_edges, columns)
        if statistic is None:
            raise DataError("predictions: no column forms groups; give sex, age_years, index_date or region")
        return statistic

    return _estimated(data, built, replicates, seed, workers)


def compute_capacity(
    data: EvaluationData,
    *,
    replicates: int,
    seed: int,
    workers: int = 1,
    capacities: Sequence[float] = CAPACITIES,
) -> pd.DataFrame:
    """PPV, sensitivity, lift and people flagged per true case when a share of people can be reviewed.

    Returns
    -------
    DataFrame
        ``capacity, model, measure, threshold, value, ci_low, ci_high, n, events, note``; `n` and `events` count the
        flagged.
    """
    return _estimated(data, lambda population: capacity(population, capacities), replicates, seed, workers)


def compute_decision_curve(
    data: EvaluationData,
    *,
    replicates: int,
    seed: int,
    workers: int = 1,
    thresholds: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Net benefit per 100,000 people over thresholds, at the prevalence that the weights state.

    Returns
    -------
    DataFrame
        ``model, measure, threshold, value, ci_low, ci_high, n, events, note``; `n` and `events` count the flagged.
    """
    return _estimated(data, lambda population: decision_curve(population, thresholds), replicates, seed, workers)


def compute_time_dependent_auc(
    data: EvaluationData,
    *,
    replicates: int,
    seed: int,
    workers: int = 1,
    horizons_days: Sequence[float] | None = None,
) -> pd.DataFrame:
    """AUROC for the outcome up to each of several horizons, censoring weighted.

    Returns
    -------
    DataFrame
        ``model, measure, to_days, value, ci_low, ci_high, n, events, note``.
    """
    return _estimated(data, lambda population: time_dependent_auc(population, horizons_days), replicates, seed, workers)


def _estimated(
    data: EvaluationData, build: Callable[[Population], Statistic], replicates: int, seed: int, workers: int
) -> pd.DataFrame:
    population = Population.of(data)
    return estimate(population, build(population), replicates=replicates, seed=seed, workers=workers)


def _yearly(lag: float, horizon: float) -> list[float]:
    years = [365.0 * k for k in range(1, int(horizon // 365) + 1)]
    return [*[y for y in years if lag < y < horizon - 180], float(horizon)]
