"""Sections on what came before the diagnosis: odds ratios."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.association.drawing import BLUE, ForestRow, Panel, Series, forest, multiples
from prodromal.association.exposure import HEADLINE, NEGATIVE_CONTROLS
from prodromal.association.published import SOURCE
from prodromal.association.section_parts import (
    CLASSES,
    GROUP_WORDS,
    WINDOW_WORDS,
    alternative,
    estimates_table,
    found_in,
    own,
    published,
    records,
    with_text,
)
from prodromal.association.wording import listed, untold
from prodromal.page import Section, details, figure, join, paragraph, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["age_and_sex", "lags", "relatives", "windows"]

_NEGATIVE = [group.name for group in NEGATIVE_CONTROLS]
_NO_RUNG = "suppressed or not estimable"


def windows(tables: Mapping[str, pd.DataFrame]) -> Section:
    """Odds ratios by class and window against population controls, with the published ones."""
    every = tables["odds_ratios"]
    every = every[(every["comparator"] == "population") & every["class"].isin(CLASSES)]
    frame = every[every["definition"] == "recurrent"]
    rows: list[ForestRow] = []
    for name in CLASSES:
        rows.append(ForestRow(name.capitalize(), heading=True))
        for row in records(frame[frame["class"] == name]):
            rows += [own(row, WINDOW_WORDS[row.window]), *published(row)]
    headline = frame[frame["window"] == HEADLINE]
    found = found_in(headline)
    caption = (
        "Dots are odds ratios with 95 % intervals in this register; hollow dots are the published study's. "
        "The windows are exclusive, by the time of the first dispensing."
    )
    drawing = forest(rows, axis="Odds ratio of the diagnosis, recurrent users against others")
    columns = ["class", "definition", "window", "exposed_cases", "exposed_others", "estimate_text", "p"]
    mutual = estimates_table(
        tables["mutual"],
        ["class", "comparator", "exposed_cases", "exposed_others", "estimate_text", "p"],
        caption="Recurrent use more than a year before, each class given the other two.",
    )
    parts = [
        figure(drawing, caption, alternative(rows)),
        paragraph(SOURCE),
        details("All numbers, under both definitions of use", estimates_table(every, [*columns, "published_text"])),
        details("The three classes in one model", mutual),
    ]
    return Section("windows", f"Use more than a year before the diagnosis: odds {found}", join(parts), "Odds ratios")


def relatives(tables: Mapping[str, pd.DataFrame]) -> Section | None:
    """Odds ratios beyond a year against each group of comparators; none if there are no relatives."""
    every = tables["odds_ratios"]
    every = every[every["class"].isin(CLASSES) & (every["definition"] == "recurrent")]
    if every["comparator"].nunique() < 2:
        return None
    rows: list[ForestRow] = []
    for name in CLASSES:
        rows.append(ForestRow(name.capitalize(), heading=True))
        part = every[(every["class"] == name) & (every["window"] == HEADLINE)]
        rows += [own(row, GROUP_WORDS[row.comparator]) for row in records(part)]
    caption = (
        "Siblings share much of the genes and the childhood, spouses much of the later life: what a family shares "
        "cannot explain an odds ratio against them. Both are adjusted for age and sex. The published study calls its "
        "comparisons with relatives consistent; their odds ratios were not found."
    )
    columns = ["class", "comparator", "window", "exposed_cases", "exposed_others", "estimate_text", "p"]
    fold = estimates_table(every[every["comparator"] != "population"], columns)
    drawing = forest(rows, axis="Odds ratio, recurrent use more than a year before")
    html = join([figure(drawing, caption, alternative(rows)), details("By window", fold)])
    return Section("relatives", "The same question asked of siblings and spouses", html, "Relatives")


def age_and_sex(tables: Mapping[str, pd.DataFrame]) -> Section:
    """Odds ratios within levels of age and sex."""
    frame = tables["modification"]
    rows: list[ForestRow] = []
    for name in CLASSES:
        rows.append(ForestRow(name.capitalize(), heading=True))
        rows += [own(row, row.level.capitalize()) for row in records(frame[frame["class"] == name])]
    tests = records(frame.drop_duplicates(["class", "modifier"]))
    small = [f"{row.drug} by {row.modifier}" for row in tests if row.p_interaction < 0.05]
    rest = untold(_untested(frame), of=len(tests))
    told = f"Odds ratios differ for {listed(small)}" if small else "Odds ratios do not clearly differ by age or sex"
    unseen = rest in (["suppressed"], ["not estimable"])
    title = f"Odds ratios by age and sex: {rest[0]}" if unseen else "; ".join([told, *rest])
    columns = ["class", "modifier", "level", "exposed_cases", "exposed_others", "estimate_text", "p_interaction"]
    caption = (
        "Recurrent use more than a year before, population controls. The published study was reported to find the "
        "association only below 65 years, in men and women alike; no odds ratios by age were found."
    )
    drawing = forest(rows, axis="Odds ratio, recurrent use more than a year before")
    fold = details("Numbers and interaction tests", estimates_table(frame, columns))
    return Section("age-sex", title, join([figure(drawing, caption, alternative(rows)), fold]), "Age and sex")


def _untested(frame: pd.DataFrame) -> dict[str, str]:
    """Notes of the classes and modifiers without a test."""
    rows = [row for row in records(frame) if math.isnan(row.p_interaction)]
    return {f"{row.drug} by {row.modifier}": row.note for row in sorted(rows, key=_is_suppressed)}


def _is_suppressed(row: Any) -> bool:
    return str(row.note).startswith("suppressed")


def lags(tables: Mapping[str, pd.DataFrame]) -> Section:
    """Odds ratios when ever more time is left out, and the classes that should show nothing."""
    frame = tables["lag_ladder"]
    at_one = frame[(frame["lag_years"] == 1) & frame["class"].isin(_NEGATIVE)]
    quiet = len(at_one) > 0 and bool(((at_one["ci_low"] <= 1) & (at_one["ci_high"] >= 1)).all())
    title = (
        "Negative controls show no association; what remains as more time is left out"
        if quiet
        else "What remains as more time is left out, and what negative controls show"
    )
    caption = (
        "Odds ratios of recurrent use on a logarithmic axis. Statins and proton pump inhibitors are taken for reasons "
        "that ALS is not known to change: an association with them would point at a fault of the comparison."
    )
    shown = with_text(frame)
    told = shown.assign(estimate_text=shown["estimate_text"].fillna(_NO_RUNG))
    words = "; ".join(f"{r.drug}, {_years(r.lag_years)}: {r.estimate_text}" for r in records(told))
    others = tables["odds_ratios"]
    others = others[(others["comparator"] == "population") & others["class"].isin(_NEGATIVE)]
    columns = ["class", "definition", "window", "exposed_cases", "exposed_others", "estimate_text", "p"]
    parts = [
        figure(_ladder(frame), caption, f"Odds ratios by years left out: {words}"),
        details("The ladder in numbers", _ladder_table(shown)),
        details("Negative controls by window", estimates_table(others, columns)),
    ]
    return Section("lags", title, join(parts), "Lags and negative controls")


def _ladder(frame: pd.DataFrame) -> str:
    panels = []
    for name in (*CLASSES, *_NEGATIVE):
        part = frame[frame["class"] == name]
        x, y, low, high = (part[c].to_numpy(dtype=float) for c in ("lag_years", "estimate", "ci_low", "ci_high"))
        studied = name in CLASSES
        series = Series(x, y, low, high, colour=BLUE if studied else "var(--muted)", dots=True)
        panels.append(Panel(name.capitalize() + ("" if studied else " (negative control)"), [series]))
    known = frame[["ci_low", "ci_high"]].to_numpy(dtype=float)
    reach = [0.7, 2.0, *known[np.isfinite(known)].tolist()]
    bottom, top = min(reach), max(reach)
    return multiples(
        panels,
        y=(bottom / 1.03, top * 1.03),
        ticks=[(t, f"{t:g}") for t in (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 3.0, 5.0, 10.0) if bottom <= t <= top],
        x_ticks=[(0.0, "0"), (1.0, "1"), (2.0, "2"), (3.0, "3"), (5.0, "5")],
        x_title="Years left out before the diagnosis",
        log=True,
        reference=1.0,
    )


def _ladder_table(shown: pd.DataFrame) -> Any:
    wide = shown.pivot_table(
        index="lag_years", columns="class", values="estimate_text", aggfunc="first", sort=False, dropna=False
    )
    names = [*CLASSES, *_NEGATIVE]
    rows = wide[names].reset_index()
    rows["lag_years"] = [_years(lag) for lag in rows["lag_years"]]
    formats = dict.fromkeys(names, str)
    return table(rows, headings={"lag_years": "left out"}, formats=formats, missing=_NO_RUNG)


def _years(number: float) -> str:
    return "1 year" if number == 1 else f"{number:g} years"
