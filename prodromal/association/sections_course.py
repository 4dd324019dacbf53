"""Sections on what came after the diagnosis: survival and function."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pandas as pd

from prodromal.association.drawing import BLUE, VERMILLION, ForestRow, Panel, Series, forest, multiples
from prodromal.association.section_parts import CLASSES, alternative, estimates_table, found_in, own, published, records
from prodromal.association.wording import listed, ratio, untold
from prodromal.page import Section, count, details, figure, join, paragraph, percent, table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["function", "survival"]

_QUANTITIES = {
    "slope of others": "slope of others",
    "slope of users": "slope of users",
    "difference": "difference of slopes",
    "users against others": "hazard ratio, users against others",
    "decline faster by 0.5 points a month": "hazard ratio, decline faster by 0.5 points a month",
}


def survival(tables: Mapping[str, pd.DataFrame]) -> Section:
    """Curves and hazard ratios of death or invasive ventilation."""
    ratios = tables["hazard_ratios"]
    alone = ratios[ratios["model"] == "each class alone"]
    rows: list[ForestRow] = []
    for row in records(alone):
        rows += [own(row, row.drug.capitalize()), *published(row)]
    caption = (
        "Recurrent use before the diagnosis against none, adjusted for sex and age. The published hazard ratios come "
        "from a joint model of survival and ALSFRS-R; the joint model of this register stands under the next heading."
    )
    columns = ["class", "model", "exposed", "exposed_events", "estimate_text", "p", "p_proportional"]
    fold = estimates_table(ratios, columns, heading="hazard ratio (95 %)")
    drawing = forest(rows, axis="Hazard ratio of death or invasive ventilation")
    parts = [
        _curves(tables["survival"]),
        figure(drawing, caption, alternative(rows)),
        details("All hazard ratios", fold),
        details("Death and invasive ventilation as competing ends", _causes(tables["causes"])),
    ]
    return Section("survival", f"After the diagnosis: hazard {found_in(alone)}", join(parts), "Survival")


def _panels(curves: pd.DataFrame, columns: Sequence[str], places: Mapping[str, tuple[float, float]]) -> list[Panel]:
    """One panel a class: users and others, named at places of the chart that the curves leave free."""
    panels = []
    for name in CLASSES:
        series = []
        for group, colour in (("others", BLUE), ("users", VERMILLION)):
            part = curves[(curves["class"] == name) & (curves["group"] == group)]
            x, y, low, high = (part[c].to_numpy(dtype=float) for c in columns)
            series.append(Series(x, y, low, high, colour=colour, label=group, label_at=places[group]))
        panels.append(Panel(name.capitalize(), series))
    return panels


def _curves(curves: pd.DataFrame) -> Any:
    places = {"others": (2.3, 0.62), "users": (0.12, 0.12)}
    drawing = multiples(
        _panels(curves, ("time_years", "survival", "ci_low", "ci_high"), places),
        y=(0.0, 1.0),
        ticks=[(0.0, "0 %"), (0.25, "25 %"), (0.5, "50 %"), (0.75, "75 %"), (1.0, "100 %")],
        x_ticks=[(float(t), str(t)) for t in range(7)],
        x_title="Years since the diagnosis",
        height=300,
    )
    after = records(curves.dropna(subset="survival").drop_duplicates(["class", "group"], keep="last"))
    words = "; ".join(f"{r.drug}, {r.group}: {percent(r.survival)} after {r.time_years:.1f} years" for r in after)
    caption = (
        "Share alive without invasive ventilation (Kaplan-Meier, 95 % bands), users before the diagnosis and others. "
        "The lines join points that enough events lie between."
    )
    return figure(drawing, caption, f"Alive without invasive ventilation, at the end of each line: {words}")


def _causes(frame: pd.DataFrame) -> Any:
    if not len(frame):
        return paragraph("No case died or was ventilated.")
    text: Any = [
        None if math.isnan(r.probability) else f"{percent(r.probability)} ({percent(r.ci_low)} to {percent(r.ci_high)})"
        for r in records(frame)
    ]
    note = ["suppressed" if r.note else "" for r in records(frame)]
    shown = frame.assign(text=text, note=note)[["cause", "time_years", "at_risk", "text", "note"]]
    headings = {"time_years": "years", "at_risk": "at risk", "text": "probability by then (95 %)"}
    return table(shown, headings=headings, formats={"text": str, "at_risk": count}, missing="suppressed")


def function(tables: Mapping[str, pd.DataFrame]) -> Section | None:
    """ALSFRS-R by mixed model and by joint model; none without visits."""
    frame = tables["decline"]
    if not len(frame):
        return None
    places = {"others": (12.5, 30.5), "users": (1.0, 20.0)}
    drawing = multiples(
        _panels(tables["trajectories"], ("months", "mean", "ci_low", "ci_high"), places),
        y=(0.0, 48.0),
        ticks=[(float(t), str(t)) for t in (0, 12, 24, 36, 48)],
        x_ticks=[(float(t), str(t)) for t in (0, 6, 12, 18, 24, 30)],
        x_title="Months since the diagnosis",
        height=300,
    )
    best = tables["joint"] if len(tables["joint"]) else frame
    gaps = records(best[best["quantity"] == "difference"])
    words = "; ".join(f"{r.drug}: {_written(r)} points per month" for r in gaps)
    caption = (
        "Mean ALSFRS-R (48 is full function) at 65 years by linear mixed model, 95 % bands. The published study "
        "reports a faster decline with antidepressants; no number was found."
    )
    parts = [figure(drawing, caption, f"Difference of slopes: {words}"), _models(frame, tables["joint"])]
    return Section("function", f"Function declines {_pace(gaps)}", join(parts), "Function")


def _pace(gaps: Sequence[Any]) -> str:
    """What the heading says of slopes, one a class."""
    rest = untold({r.drug: r.note for r in gaps if math.isnan(r.estimate)}, of=len(gaps))
    if rest in (["suppressed"], ["not estimable"]):
        return f"at a pace that is {rest[0]}"
    return "; ".join([_faster_or_slower(gaps), *rest])


def _faster_or_slower(gaps: Sequence[Any]) -> str:
    for word, found in (
        ("faster", [r.drug for r in gaps if r.ci_high < 0]),
        ("slower", [r.drug for r in gaps if r.ci_low > 0]),
    ):
        if found:
            return f"{word} in users of {listed(found)} than in others"
    return "alike in users and others, as far as can be told"


def _models(alone: pd.DataFrame, joint: pd.DataFrame) -> Any:
    """The two models side by side, a quantity a line."""
    frames = [alone.assign(model="mixed model", scale="points per month")]
    frames += [joint.assign(model="joint model")] if len(joint) else []
    both = pd.concat(frames, ignore_index=True)
    both["text"] = [_written(row) for row in records(both)]
    both["what"] = [_QUANTITIES[q] for q in both["quantity"]]
    wide = both.pivot_table(index=["class", "what"], columns="model", values="text", aggfunc="first", sort=False)
    models = [m for m in ("mixed model", "joint model") if m in wide.columns]
    shown = wide[models].reset_index()
    shown = shown.sort_values("class", key=lambda c: c.map(CLASSES.index), kind="stable")
    caption = (
        "Estimates with 95 % intervals. Slopes are in ALSFRS-R points per month; hazard ratios are of death or "
        "invasive ventilation, given each person's own level and slope. The joint model's slopes allow for those who "
        "died; the heading follows them."
    )
    return table(shown, caption=caption, headings={"what": "quantity"}, formats=dict.fromkeys(models, str), missing="-")


def _written(row: Any) -> str:
    """Slopes with three decimals, ratios with two, or why there is none."""
    decimals = 2 if getattr(row, "scale", "") == "hazard ratio" else 3
    return ratio(row.estimate, row.ci_low, row.ci_high, decimals=decimals) or row.note.split(":")[0]
