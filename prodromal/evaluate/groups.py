"""People in groups: deciles of risk, age-sex cells, subgroups; observed and expected side by side in each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.errors import DataError
from prodromal.evaluate.calibration import LEAST_EVENTS, slope_of
from prodromal.evaluate.follow_up import GroupedRisk
from prodromal.evaluate.ranking import Ladder
from prodromal.evaluate.resample import Statistic, combine
from prodromal.evaluate.tally import Ordering, Tally

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from prodromal.evaluate.data import EvaluationData
    from prodromal.evaluate.resample import Population, Weighting

__all__ = [
    "AGE_EDGES",
    "UNKNOWN",
    "age_bands",
    "age_sex_cells",
    "deciles",
    "grouped_statistic",
    "subgroup_statistic",
    "subgroups",
]

AGE_EDGES = (0, 50, 60, 70, 80)
UNKNOWN = "unknown"


def deciles(risk: Ordering, weight: NDArray[np.float64], n_groups: int = 10) -> NDArray[np.intp]:
    """Group rows by predicted risk into parts of equal population weight; equal risks stay together.

    Parameters
    ----------
    risk : Ordering
    weight : float array of shape (n_rows,)
        In the order of the rows.
    n_groups : int

    Returns
    -------
    int array of shape (n_rows,)
        0 for the lowest risks. A group may be empty where many risks are equal.
    """
    runs = risk.runs()
    tops = np.cumsum(np.add.reduceat(risk.sorted(weight), runs[:-1]))
    middle = (np.concatenate([[0.0], tops[:-1]]) + tops) / (2 * tops[-1])
    part = np.minimum((middle * n_groups).astype(np.intp), n_groups - 1)
    return risk.codes(runs[np.searchsorted(part, np.arange(n_groups + 1))])


def age_bands(age_years: NDArray[np.float64], edges: Sequence[float] = AGE_EDGES) -> tuple[NDArray[np.intp], list[str]]:
    """Group whole years of age; gives the group of each row and the names of the groups."""
    code = np.searchsorted(np.asarray(edges), age_years, side="right") - 1
    tops = [*edges[1:], None]
    names = [_age_name(low, high) for low, high in zip(edges, tops, strict=True)]
    return code.astype(np.intp), names


def subgroups(
    data: EvaluationData, *, age_edges: Sequence[float] = AGE_EDGES, columns: Sequence[str] | None = None
) -> dict[str, tuple[NDArray[np.intp], list[str]]]:
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
    found: dict[str, tuple[NDArray[np.intp], list[str]]] = {}
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
    further = {c: _coded(frame[c]) for c in wanted}
    # A column that says nothing of anybody forms no groups.
    return found | {c: (code, names) for c, (code, names) in further.items() if names != [UNKNOWN]}


def age_sex_cells(
    data: EvaluationData, edges: Sequence[float] = AGE_EDGES
) -> tuple[NDArray[np.intp], list[dict[str, object]]] | None:
    """Cells of sex by age band, or None where either column is absent."""
    if not {"sex", "age_years"} <= set(data.groups.columns):
        return None
    sex, sexes = _coded(data.groups["sex"])
    age, bands = age_bands(_ages(data.groups), edges)
    keys: list[dict[str, object]] = [{"sex": s, "age": a} for s in sexes for a in bands]
    return np.where((sex >= 0) & (age >= 0), sex * len(bands) + age, -1), keys


def grouped_statistic(population: Population, code: NDArray[np.intp], keys: Sequence[dict[str, object]]) -> Statistic:
    """Observed risk by Aalen-Johansen within each group, mean predicted risk, and their ratio.

    Parameters
    ----------
    population : Population
    code : int array of shape (n_rows,)
        Group of each row of `population`, -1 for none.
    keys : sequence of dict
        Key columns of each group.
    """
    n_groups, risk = len(keys), population.risk.ascending
    whole = bool((code >= 0).all())
    at_risk = GroupedRisk(population.ends, code, n_groups)
    everyone = Tally.by_code(code if whole else np.where(code >= 0, code, n_groups), n_groups + 1)

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        observed, total = at_risk(weighting.design)
        mass = everyone(weighting.design * risk)[:n_groups]
        expected = np.divide(mass, total, out=np.full(n_groups, np.nan), where=total > 0)
        fine = (expected > 0) & (observed > 0)
        ratio = np.divide(observed, expected, out=np.full(n_groups, np.nan), where=fine)
        return np.concatenate([observed, expected, ratio])

    size = np.bincount(code if whole else code[code >= 0], minlength=n_groups).tolist()
    cases = code[np.flatnonzero(population.ends.outcome)]
    events = np.bincount(cases[cases >= 0], minlength=n_groups).tolist()
    few = _few(population, code, everyone, events)
    rows = [
        {**keys[g], "model": "model", "measure": measure, "n": size[g], "events": events[g]}
        | {"note": _note(measure, size[g], events[g])}
        | few.get((measure, g), {})
        for measure in ("observed_risk", "expected_risk", "observed_over_expected")
        for g in range(n_groups)
    ]
    return Statistic(rows, compute)


def _few(
    population: Population, code: NDArray[np.intp], everyone: Tally, events: Sequence[int]
) -> dict[tuple[str, int], dict[str, object]]:
    """Give what gamma limits need where a group has fewer than ten events."""
    if min(events) >= LEAST_EVENTS:
        return {}
    weight = population.data.weight
    known = population.whole.known
    cases = np.flatnonzero(population.ends.outcome)
    largest = float(np.max(known[cases] if len(cases) else known))
    cases = cases[code[cases] >= 0]
    squares = np.bincount(code[cases], weights=known[cases] ** 2, minlength=len(events))
    scales = {
        "observed_risk": everyone(weight),
        "observed_over_expected": everyone(weight * population.risk.ascending),
    }
    return {
        (measure, g): {"_gamma": (squares[g] / scale[g] ** 2, largest / scale[g])}
        for measure, scale in scales.items()
        for g in range(len(events))
        if events[g] < LEAST_EVENTS and scale[g] > 0
    }


def subgroup_statistic(population: Population, code: NDArray[np.intp], keys: Sequence[dict[str, object]]) -> Statistic:
    """Observed, expected, O/E, AUROC and calibration slope within each group."""
    parts = [grouped_statistic(population, code, keys)]
    for index, key in enumerate(keys):
        rows = np.flatnonzero(code == index)
        if len(rows):
            parts.append(_within(population, rows, key))
    return combine(*parts)


def _within(population: Population, rows: NDArray[np.intp], key: dict[str, object]) -> Statistic:
    outcome = population.ends.outcome[rows]
    n_events = int(outcome.sum())
    risk = Ordering(population.risk.ascending[rows], None)
    ladder = Ladder.of(outcome, Ordering.of(population.data.score[rows]))
    slope = slope_of(risk, outcome, population.whole.take(rows))

    def compute(weighting: Weighting) -> NDArray[np.float64]:
        here = weighting.take(rows)
        area = np.nan if n_events < LEAST_EVENTS else ladder.measures(here.known)[0]
        return np.array([area, slope(here)])

    facts = {**key, "model": "model", "n": len(rows), "events": n_events}
    note = "" if n_events >= LEAST_EVENTS else f"fewer than {LEAST_EVENTS} events"
    return Statistic([{**facts, "measure": name, "note": note} for name in ("auroc", "slope")], compute)


def _coded(column: pd.Series) -> tuple[NDArray[np.intp], list[str]]:
    codes, values = pd.factorize(column, sort=True)
    names = [str(value) if str(value).strip() else UNKNOWN for value in values]
    distinct = list(dict.fromkeys(names))
    # The last one is for the code of what is missing, -1.
    return np.array([*(distinct.index(name) for name in names), -1], dtype=np.intp)[codes], distinct


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
