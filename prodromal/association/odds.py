"""Tables of odds ratios: by class and window, given each other, by age and sex, and by the time left out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prodromal.association.clogit import fit_conditional_logistic
from prodromal.association.exposure import HEADLINE, WINDOWS, YEAR, Definition
from prodromal.association.published import ODDS_RATIOS, Published
from prodromal.association.ratio_fit import ChiSquared
from prodromal.errors import NotEstimable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from prodromal.association.exposure import DrugClass, LookBack
    from prodromal.association.people import Comparison
    from prodromal.association.ratio_fit import RatioFit

__all__ = ["SPARSE", "compute_lag_ladder", "compute_modification", "compute_mutual", "compute_odds_ratios"]

# Fewer exposed than this among cases or among the others, and a note says so.
SPARSE = 5
LAGS_YEARS = (0.0, 0.5, 1.0, 2.0, 3.0, 5.0)
MODIFIERS = {"age": ("under 65", "65 and over"), "sex": ("women", "men")}
_NOTHING = Published(float("nan"))


def compute_odds_ratios(
    comparison: Comparison, classes: Sequence[DrugClass], look_back: LookBack, *, firth: bool = False
) -> pd.DataFrame:
    """Odds ratios of each class: beyond a year, and by window of first use, under both definitions of use.

    Returns
    -------
    DataFrame
        ``comparator, class, definition, window, estimate, ci_low, ci_high, p, exposed_cases, exposed_others, cases,
        others, sets, note, published, published_low, published_high``. The windows of a class and definition come from
        one model; their reference is people who never used it.
    """
    frames = []
    for definition in Definition:
        headline, windows = comparison.seen(look_back.headline_days), comparison.seen(look_back.windows_days)
        for group in classes:
            beyond = {HEADLINE: headline.used(group.name, definition, YEAR)} if len(headline.frame) else {}
            for chosen, exposed in ((headline, beyond), (windows, windows.windows(group.name, definition))):
                frame = _rows(chosen, exposed, firth=firth) if chosen.sets else _empty(list(exposed) or [HEADLINE])
                frame.insert(0, "comparator", comparison.name)
                frame.insert(1, "class", group.name)
                frame.insert(2, "definition", definition.value)
                frames.append(frame)
    out = pd.concat(frames, ignore_index=True)
    order = {window: place for place, window in enumerate((HEADLINE, *WINDOWS))}
    out = out.sort_values("window", key=lambda w: w.map(order), kind="stable")
    rank = {group.name: place for place, group in enumerate(classes)}
    out = out.sort_values("class", key=lambda c: c.map(rank), kind="stable")
    out = out.sort_values("definition", kind="stable", ascending=False).reset_index(drop=True)
    published = [
        ODDS_RATIOS.get((c, w), _NOTHING)
        if d == Definition.RECURRENT.value and comparison.name == "population"
        else _NOTHING
        for c, d, w in zip(out["class"], out["definition"], out["window"], strict=True)
    ]
    return out.assign(
        published=[p.estimate for p in published],
        published_low=[p.low for p in published],
        published_high=[p.high for p in published],
    )


def compute_mutual(comparison: Comparison, classes: Sequence[DrugClass], look_back: LookBack) -> pd.DataFrame:
    """Odds ratios of recurrent use beyond a year, all classes in one model; columns as for `compute_odds_ratios`."""
    seen = comparison.seen(look_back.headline_days)
    names = [group.name for group in classes]
    if not seen.sets:
        frame = _empty(names)
    else:
        frame = _rows(seen, {name: seen.used(name, Definition.RECURRENT, YEAR) for name in names})
    frame.insert(0, "comparator", comparison.name)
    return frame.rename(columns={"window": "class"})


def compute_lag_ladder(comparison: Comparison, classes: Sequence[DrugClass]) -> pd.DataFrame:
    """Odds ratios of recurrent use when ever more time before the diagnosis is left out.

    Returns
    -------
    DataFrame
        ``class, lag_years`` and the columns of estimates. At each lag only those are compared who were observed for a
        year before it.
    """
    frames = []
    for lag in LAGS_YEARS:
        days = round(lag * 365.25)
        seen = comparison.seen(days + YEAR)
        for group in classes:
            exposed = {group.name: seen.used(group.name, Definition.RECURRENT, days)} if seen.sets else {}
            frame = _rows(seen, exposed) if exposed else _empty([group.name])
            frame = frame.rename(columns={"window": "class"})
            frame.insert(1, "lag_years", lag)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True).sort_values("class", kind="stable").reset_index(drop=True)


def compute_modification(comparison: Comparison, classes: Sequence[DrugClass], look_back: LookBack) -> pd.DataFrame:
    """Odds ratios of recurrent use beyond a year within levels of age and sex, with a test that they are equal.

    Returns
    -------
    DataFrame
        ``class, modifier, level``, the columns of estimates, and ``p_interaction`` (likelihood ratio, one degree of
        freedom).
    """
    seen = comparison.seen(look_back.headline_days)
    frames = []
    for group in classes:
        for modifier, levels in MODIFIERS.items():
            frame = _levels(seen, group.name, modifier, levels) if seen.sets else _empty(levels)
            frame = frame.rename(columns={"window": "level"})
            frame.insert(0, "class", group.name)
            frame.insert(1, "modifier", modifier)
            frames.append(frame)
    return pd.concat(frames, ignore_index=True)


def _levels(seen: Comparison, name: str, modifier: str, levels: tuple[str, str]) -> pd.DataFrame:
    case = seen.frame[seen.frame["case"]].set_index("set_id")
    of_case = case.loc[seen.frame["set_id"]]
    first = (of_case["age_years"] < 65 if modifier == "age" else of_case["sex"] == "F").to_numpy()
    used = seen.used(name, Definition.RECURRENT, YEAR)
    within = (first, ~first)
    frame = _rows(seen, {level: used & inside for level, inside in zip(levels, within, strict=True)}, within=within)
    try:
        both = _fit(seen, {level: used & inside for level, inside in zip(levels, within, strict=True)})
        one = _fit(seen, {name: used})
    except NotEstimable:
        return frame.assign(p_interaction=np.nan)
    finite = np.isfinite(both.coefficients[:2]).all()
    gain = ChiSquared(2 * (both.log_likelihood - one.log_likelihood), 1)
    return frame.assign(p_interaction=gain.p if finite else np.nan)


def _fit(seen: Comparison, exposed: Mapping[str, npt.NDArray[np.bool_]], *, firth: bool = False) -> RatioFit:
    X = pd.concat([pd.DataFrame(dict(exposed)).astype(float), seen.adjustment()], axis=1)
    return fit_conditional_logistic(seen.case.astype(int), X, seen.frame["set_id"], firth=firth)


def _rows(
    seen: Comparison,
    exposed: Mapping[str, npt.NDArray[np.bool_]],
    *,
    within: tuple[npt.NDArray[np.bool_], ...] | None = None,
    firth: bool = False,
) -> pd.DataFrame:
    """Estimates of one model with the numbers behind them."""
    counts = _counts(seen, exposed, within)
    try:
        table = _fit(seen, exposed, firth=firth).table().iloc[: len(exposed)]
    except NotEstimable as reason:
        return _empty(list(exposed), f"not estimable: {reason}").drop(columns=counts.columns).join(counts)
    frame = table[["term", "estimate", "ci_low", "ci_high", "p"]].rename(columns={"term": "window"})
    fewest = counts[["exposed_cases", "exposed_others"]].min(axis=1)
    sparse = np.where(fewest < SPARSE, f"sparse: fewer than {SPARSE} exposed", "")
    note = np.where(table["note"] != "", table["note"], sparse)
    return frame.reset_index(drop=True).join(counts).assign(note=note)


def _counts(seen: Comparison, exposed: Mapping[str, Any], within: tuple[Any, ...] | None) -> pd.DataFrame:
    everybody = np.ones(len(seen.frame), dtype=bool)
    rows = []
    for users, inside in zip(exposed.values(), within or [everybody] * len(exposed), strict=True):
        case = seen.case & inside
        other = ~seen.case & inside
        rows.append(((users & case).sum(), (users & other).sum(), case.sum(), other.sum(), case.sum()))
    return pd.DataFrame(rows, columns=["exposed_cases", "exposed_others", "cases", "others", "sets"])


def _empty(terms: Sequence[str], note: str = "not estimable: nobody was observed for long enough") -> pd.DataFrame:
    frame = pd.DataFrame({"window": list(terms)})
    frame[["estimate", "ci_low", "ci_high", "p"]] = np.nan
    frame[["exposed_cases", "exposed_others", "cases", "others", "sets"]] = 0
    return frame.assign(note=note)
