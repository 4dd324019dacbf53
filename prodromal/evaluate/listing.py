"""Tables of the report: numbers with their intervals as people read them, and why a cell is empty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pandas as pd
from markupsafe import Markup

from prodromal.evaluate.words import Found, capital, pick
from prodromal.page import count, details, interval, join, one_in, per_100k, percent, rounded, table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "CALIBRATION",
    "DISCRIMINATION",
    "distribution",
    "flags",
    "measures",
    "over_time",
    "risks",
    "text",
    "wide",
    "with_interval",
    "with_reasons",
]

CALIBRATION = {
    "observed_risk": "Observed risk, per 100,000",
    "expected_risk": "Mean predicted risk, per 100,000",
    "observed_over_expected": "Observed over expected",
    "in_the_large": "Calibration in the large (0 is ideal)",
    "intercept": "Intercept (0 is ideal)",
    "slope": "Slope (1 is ideal)",
    "ici_per_100k": "ICI, per 100,000",
    "e50_per_100k": "E50, per 100,000",
    "e90_per_100k": "E90, per 100,000",
    "emax_per_100k": "Emax, per 100,000",
}


DISCRIMINATION = {
    "c_within_sets": "Concordance within matched sets",
    "auroc": "AUROC",
    "average_precision": "Average precision, per 100,000",
    "average_precision_over_prevalence": "Average precision over prevalence",
    "brier": "Brier score, per 100,000",
    "scaled_brier": "Scaled Brier score, per 100,000",
}


_DISTANCES = frozenset({"ici_per_100k", "e50_per_100k", "e90_per_100k", "emax_per_100k"})
_PER_100K = frozenset({"observed_risk", "expected_risk", "average_precision", "brier", "scaled_brier"})


def measures(frame: pd.DataFrame, names: Mapping[str, str]) -> Markup:
    """Show every measure of a table, models side by side."""
    models = list(dict.fromkeys(frame["model"]))
    rows: list[dict[str, object]] = []
    for measure, name in names.items():
        if (frame["measure"] == measure).any():
            found = {m: pick(frame, model=m, measure=measure) for m in models}
            write = _scaled if measure in _PER_100K else _distance if measure in _DISTANCES else _text_of
            rows.append({"measure": name, **{m: write(f) for m, f in found.items()}})
    shown = table(_frame(rows), headings={"measure": "Measure"}, formats=dict.fromkeys(models, rounded))
    return with_reasons(shown, frame)


def _frame(rows: list[dict[str, object]]) -> pd.DataFrame:
    """Keep markup as it is: a column of strings would lose it."""
    return pd.DataFrame(rows, dtype=object)


def _scaled(found: Found) -> str:
    return _text_of(Found(1e5 * found.value, 1e5 * found.low, 1e5 * found.high, found.note))


def _distance(found: Found) -> str:
    return found.at_most(3) if found.known and not math.isnan(found.high) else _text_of(found)


def _why(found: Found) -> Markup:
    """Say in a word why a cell is empty; the reason stands under the table."""
    return Markup('<span class="why">{}</span>').format("suppressed" if _hidden(found.note) else "not computed")


def _hidden(note: str) -> bool:
    return note.startswith("suppressed")


def with_reasons(shown: Markup, *frames: pd.DataFrame) -> Markup:
    """Put under a table why some of its cells are empty."""
    notes = dict.fromkeys(str(n) for frame in frames for n in frame.loc[frame["value"].isna(), "note"])
    reasons = capital("; ".join(n for n in notes if n))
    return join([shown, Markup('<p class="why">{}.</p>').format(reasons)]) if reasons else shown


def _text_of(found: Found) -> str:
    if not found.known:
        return _why(found)
    limits = "" if math.isnan(found.low) else f" ({interval(found.low, found.high)})"
    return f"{rounded(found.value)}{limits}"


def risks(frame: pd.DataFrame, keys: list[str], first: str) -> Markup:
    """Show observed and predicted risk by group."""
    found = wide(frame, keys, ("observed_risk", "expected_risk", "observed_over_expected"))
    columns = {
        **{k: k.capitalize() for k in keys},
        keys[0]: first,
        "n": "People",
        "events": "Outcomes",
        "expected_risk": "Predicted per 100,000",
        "observed_risk": "Observed per 100,000 (95 % interval), about 1 in",
        "observed_over_expected": "O/E (95 % interval)",
    }
    shown = table(found[list(columns)], headings=columns, formats=text(found), missing="suppressed")
    return with_reasons(shown, frame)


def wide(frame: pd.DataFrame, keys: list[str], measures: tuple[str, ...]) -> pd.DataFrame:
    """Put the measures of each group side by side, as written."""
    rows: list[dict[str, object]] = []
    for key, part in frame.groupby(keys, sort=False, observed=True):
        found = {m: pick(part, measure=m) for m in measures}
        names = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
        facts = {"n": part["n"].iloc[0], "events": part["events"].iloc[0]}
        shown = {m: _risk_text(f) if m == "observed_risk" else _text_of(f) for m, f in found.items()}
        shown["expected_risk"] = (
            per_100k(found["expected_risk"].value) if found["expected_risk"].known else "suppressed"
        )
        rows.append({**names, **facts, **shown})
    return _frame(rows)


def _risk_text(found: Found) -> str:
    if not found.known:
        return _why(found)
    limits = "" if math.isnan(found.low) else f" ({per_100k(found.low)} to {per_100k(found.high)})"
    return f"{per_100k(found.value)}{limits}, {one_in(found.value).removeprefix('about ')}"


def text(frame: pd.DataFrame) -> dict[str, Callable[[float], str]]:
    """Say how the columns of `wide` are written."""
    numbers = ("n", "events", "observed_risk", "expected_risk", "observed_over_expected", "auroc", "slope")
    return {name: count if name in {"n", "events"} else rounded for name in numbers if name in frame}


def with_interval(frame: pd.DataFrame) -> pd.Series:
    """Write the one number of each row with its interval."""
    return pd.Series([_text_of(pick(frame.iloc[[i]])) for i in range(len(frame))], index=frame.index, dtype=object)


def over_time(frame: pd.DataFrame) -> Markup:
    """Show the AUROC by length of follow-up."""
    shown = frame.assign(text=with_interval(frame))[["to_days", "text", "events"]]
    headings = {"to_days": "Outcome up to day", "text": "AUROC (95 % interval)", "events": "Outcomes"}
    return table(shown, headings=headings, formats={"to_days": count, "text": rounded}, missing="suppressed")


def flags(frame: pd.DataFrame, thresholds: pd.DataFrame | None) -> Markup:
    """Show what flagging at capacities and at stated risks would find."""
    rows = [_flag_row(part, f"top {percent(share, 1)}") for share, part in _by(frame, "capacity")]
    parts = [with_reasons(_flag_table(rows, "If so many people can be reviewed"), frame)]
    if thresholds is not None:
        at = [_flag_row(part, f"{per_100k(t)} per 100,000") for t, part in _by(thresholds, "threshold")]
        parts.append(
            details("If everyone from a stated risk on is flagged", with_reasons(_flag_table(at, ""), thresholds))
        )
    return join(parts)


def _by(frame: pd.DataFrame, name: str) -> list[tuple[float, pd.DataFrame]]:
    return [(float(value), frame[frame[name] == value]) for value in sorted(frame[name].unique())]


def _flag_row(part: pd.DataFrame, name: str) -> list[dict[str, object]]:
    rows: list[dict[str, object]] = []
    for model in [m for m in ("model", "age and sex") if (part["model"] == m).any()]:
        found = {
            m: pick(part, model=model, measure=m)
            for m in ("share_flagged", "sensitivity", "ppv", "flagged_per_true_case")
        }
        ppv = found["ppv"]
        frequency = f", {one_in(ppv.value).removeprefix('about ')}" if ppv.known else ""
        rows.append(
            {
                "rule": name if not rows else "",
                "model": model,
                "share": _share(found["share_flagged"]),
                "sensitivity": _share(found["sensitivity"], limits=True),
                "ppv": Markup("{}{}").format(_share(ppv, limits=True), frequency),
                "cost": _cost(found["flagged_per_true_case"]),
            }
        )
    return rows


def _flag_table(rows: list[list[dict[str, object]]], caption: str) -> Markup:
    headings = {
        "rule": "Flagged",
        "model": "By",
        "share": "Share flagged",
        "sensitivity": "Later cases among them",
        "ppv": "Flagged who become cases, about 1 in",
        "cost": "Flagged per true case",
    }
    frame = _frame([row for group in rows for row in group])
    return table(
        frame,
        caption=caption,
        headings=headings,
        formats=dict.fromkeys(("share", "sensitivity", "ppv", "cost"), rounded),
    )


def _share(found: Found, *, limits: bool = False) -> str:
    if not found.known:
        return _why(found)
    ends = (percent(end).removesuffix(" %") for end in (found.low, found.high))
    shown = f" ({' to '.join(ends)})" if limits and not math.isnan(found.low) else ""
    return f"{percent(found.value)}{shown}"


def _cost(found: Found) -> str:
    if not found.known:
        return _why(found)
    shown = "" if math.isnan(found.low) else f" ({count(found.low)} to {count(found.high)})"
    return f"{count(found.value)}{shown}"


def distribution(frame: pd.DataFrame) -> Markup:
    """Show the distribution of predicted risk."""
    spread = frame.pivot_table(
        index="class", columns="measure", values="value", sort=False, observed=True
    ).reset_index()
    names = {
        "class": "Among",
        "mean": "Mean",
        "p05": "5 %",
        "p25": "25 %",
        "p50": "Median",
        "p75": "75 %",
        "p95": "95 %",
    }
    columns = [c for c in names if c in spread]
    return table(spread[columns], headings=names, formats=dict.fromkeys(columns[1:], per_100k))
