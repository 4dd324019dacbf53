"""People in groups: deciles of risk, age-sex cells, subgroups; observed and expected side by side in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.errors import DataError
from prodromal.evaluate.calibration import LEAST_EVENTS, slope_of
from prodromal.evaluate.follow_up import grouped_risk
from prodromal.evaluate.ranking import Ladder
from prodromal.evaluate.resample import Statistic, combine

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodromal.evaluate.data import EvaluationData
    from prodromal.evaluate.resample import Population, Weighting

__all__ = ["AGE_EDGES", "age_bands", "age_sex_cells", "deciles", "grouped_statistic", "subgroup_statistic", "subgroups"]

AGE_EDGES = (0, 50, 60, 70, 80)


def deciles(risk: NDArray[np.float64], weight: NDArray[np.float64], n_groups: int = 10) -> NDArray[np.int64]:
    """Group rows by predicted risk into parts of equal population weight; equal risks stay together.

    Returns
    -------
    int array of shape (n_rows,)
        0 for the lowest risks. A group may be empty where many risks are equal.
    """
    order = np.argsort(risk, kind="stable")
    ends = np.cumsum(weight[order])
    ordered = risk[order]
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))
    tops = ends[last]
    middle = (np.concatenate([[0.0], tops[:-1]]) + tops) / (2 * ends[-1])
    part = np.minimum((middle * n_groups).astype(np.int64), n_groups - 1)
    code = np.empty(len(risk), dtype=np.int64)
    code[order] = np.repeat(part, np.diff(np.concatenate([[-1], last])))
    return code


def age_bands(
    age_years: NDArray[np.float64], edges: Sequence[float] = AGE_EDGES
) -> tuple[NDArray[np.int64], list[str]]:
    """Group whole years of age; gives the group of each row and the names of the groups."""
    code = np.searchsorted(np.asarray(edges), age_years, side="right") - 1
    tops = [*edges[1:], None]
    names = [_age_name(low, high) for low, high in zip(edges, tops, strict=True)]
    return code.astype(np.int64), names


def subgroups(
    data: EvaluationData, *, age_edges: Sequence[float] = AGE_EDGES, columns: Sequence[str] | None = None
) -> dict[str, tuple[NDArray[np.int64], list[str]]]:
    """Find the groupings that `data` allow: sex, age band, calendar year of the index date, and `columns`.

    Parameters
    ----------
    data : EvaluationData
    age_edges : sequence of float
        Lower edges of the age bands, in years.
    columns : sequence of str, optional
        Further columns to group by; ``region`` by default, where present.

    Returns
    -------
    dict of str to (int array, list of str)
        Code of each row (-1 where missing) and the names of the groups.
    """
    found: dict[str, tuple[NDArray[np.int64], list[str]]] = {}
    frame = data.groups
    if "sex" in frame:
        found["sex"] = _coded(frame["sex"])
    if "age_years" in frame:
        found["age"] = age_bands(_ages(frame), age_edges)
    if "index_date" in frame:
        found["year"] = _coded(pd.to_datetime(frame["index_date"]).dt.year)
    wanted = [c for c in ("region",) if c in frame] if columns is None else list(columns)
    absent = [c for c in wanted if c not in frame]
    if absent:
        raise DataError(f"predictions: column {', '.join(absent)} to group by is absent")
    return found | {c: _coded(frame[c]) for c in wanted}


def age_sex_cells(
    data: EvaluationData, edges: Sequence[float] = AGE_EDGES
) -> tuple[NDArray[np.int64], list[dict[str, object]]] | None:
    """Cells of sex by age band, or None where either column is absent."""
    if not {"sex", "age_years"} <= set(data.groups.columns):
        return None
    sex, sexes = _coded(data.groups["sex"])
    age, bands = age_bands(_ages(data.groups), edges)
    keys: list[dict[str, object]] = [{"sex": s, "age": a} for s in sexes for a in bands]
    return np.where((sex >= 0) & (age >= 0), sex * len(bands) + age, -1), keys


def grouped_statistic(
    population: Population,
    code: NDArray[np.int64],
    keys: Sequence[dict[str, object]],
    risk: NDArray[np.float64],
    model: str,
) -> Statistic:
    """Observed risk by Aalen-Johansen within each group, mean predicted risk, and their ratio."""
    n_groups = len(keys)
    inside = code >= 0
    size = np.bincount(code[inside], minlength=n_groups)
    events = np.bincount(code[inside & population.ends.outcome], minlength=n_groups)
    whole = bool(inside.all())

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        observed = grouped_risk(population.ends, weighting.design, code, n_groups)
        rows, weight = (code, weighting.design) if whole else (code[inside], weighting.design[inside])
        total = np.bincount(rows, weights=weight, minlength=n_groups)
        mass = np.bincount(rows, weights=weight * (risk if whole else risk[inside]), minlength=n_groups)
        expected = np.divide(mass, total, out=np.full(n_groups, np.nan), where=total > 0)
        fine = (expected > 0) & (observed > 0)
        ratio = np.divide(observed, expected, out=np.full(n_groups, np.nan), where=fine)
        return np.concatenate([observed, expected, ratio])

    facts = [
        {**key, "model": model, "n": int(n), "events": int(e)} for key, n, e in zip(keys, size, events, strict=True)
    ]
    few = _few(population, code, n_groups, risk, events)
    rows = [
        {**fact, "measure": measure, "note": _note(measure, int(n), int(e)), **limits}
        for measure, shape in (("observed_risk", 0), ("expected_risk", None), ("observed_over_expected", 1))
        for fact, n, e, limits in zip(
            facts, size, events, few[shape] if shape is not None else [{}] * n_groups, strict=True
        )
    ]
    return Statistic(rows, compute)


def _few(
    population: Population,
    code: NDArray[np.int64],
    n_groups: int,
    risk: NDArray[np.float64],
    events: NDArray[np.int64],
) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
    """Give what gamma limits need where a group has fewer than ten events: for the risk, and for the ratio."""
    known = population.ends.inverse_weights(population.data.weight)
    rows = np.flatnonzero(population.ends.outcome & (code >= 0))
    largest = np.max(known[rows] if len(rows) else known)
    squares = np.bincount(code[rows], weights=known[rows] ** 2, minlength=n_groups)
    inside = code >= 0
    total = np.bincount(code[inside], weights=population.data.weight[inside], minlength=n_groups)
    expected = np.bincount(code[inside], weights=(population.data.weight * risk)[inside], minlength=n_groups)

    def shape(scale: NDArray[np.float64]) -> list[dict[str, object]]:
        needed = (events < LEAST_EVENTS) & (scale > 0)
        return [
            {"_gamma": (squares[g] / scale[g] ** 2, largest / scale[g])} if needed[g] else {} for g in range(n_groups)
        ]

    return shape(total), shape(expected)


def subgroup_statistic(  # noqa: PLR0917
    population: Population,
    code: NDArray[np.int64],
    keys: Sequence[dict[str, object]],
    risk: NDArray[np.float64],
    score: NDArray[np.float64],
    model: str,
) -> Statistic:
    """Observed, expected, O/E, AUROC and calibration slope within each group."""
    parts = [grouped_statistic(population, code, keys, risk, model)]
    for index, key in enumerate(keys):
        rows = np.flatnonzero(code == index)
        if len(rows):
            parts.append(_within(population, rows, {**key, "model": model}, risk, score))
    return combine(*parts)


def _within(
    population: Population,
    rows: NDArray[np.int64],
    facts: dict[str, object],
    risk: NDArray[np.float64],
    score: NDArray[np.float64],
) -> Statistic:
    outcome = population.ends.outcome[rows]
    n_events = int(outcome.sum())
    ladder = Ladder.of(outcome, score[rows])
    slope = slope_of(risk[rows], outcome)

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        here = weighting.take(rows)
        area = np.nan if n_events < LEAST_EVENTS else ladder.measures(here.known)[0]
        return np.array([area, slope(here)])

    facts = {**facts, "n": len(rows), "events": n_events}
    note = "" if n_events >= LEAST_EVENTS else f"only {n_events} events"
    return Statistic([{**facts, "measure": name, "note": note} for name in ("auroc", "slope")], compute)


def _coded(column: pd.Series) -> tuple[NDArray[np.int64], list[str]]:
    codes, names = pd.factorize(column, sort=True)
    return codes.astype(np.int64), [str(name) for name in names]


def _ages(frame: pd.DataFrame) -> NDArray[np.float64]:
    ages = frame["age_years"].to_numpy(dtype=np.float64, na_value=np.nan)
    missing = int(np.isnan(ages).sum())
    if missing:
        raise DataError(
            f"predictions: column age_years is missing in {missing} of {len(ages)} rows; drop or complete them"
        )
    return ages


def _age_name(low: float, high: float | None) -> str:
    if high is None:
        return f"{low:g} and over"
    return f"under {high:g}" if low <= 0 else f"{low:g} to {high - 1:g}"


def _note(measure: str, n: int, events: int) -> str:
    if n == 0:
        return "nobody in this group"
    if events == 0 and measure == "observed_over_expected":
        return "no outcome in this group"
    return (
        f"gamma limits: fewer than {LEAST_EVENTS} events"
        if events < LEAST_EVENTS and measure != "expected_risk"
        else ""
    )
