"""The report: the released tables as one page, the number that matters first, depth folded away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from prodromal.evaluate import sections as made
from prodromal.evaluate.words import CAUTION, pick, window, years
from prodromal.page import (
    Page,
    Section,
    count,
    interval,
    join,
    number,
    one_in,
    paragraph,
    per_100k,
    percent,
    rounded,
    strip,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd
    from matplotlib.figure import Figure

    from prodromal.evaluate.evaluation import Evaluation

__all__ = ["Report", "report"]


@dataclass(frozen=True, eq=False)
class Report:
    """A page and the figures on it."""

    page: Page
    figures: Mapping[str, Figure]

    def write_png(self, folder: Path) -> None:
        """Write every figure as PNG into `folder`."""
        from prodromal.evaluate.plots import png
        from prodromal.files import atomic_file

        for name, figure in self.figures.items():
            with atomic_file(folder / f"{name}.png") as partial:
                partial.write_bytes(png(figure))


def report(
    evaluation: Evaluation,
    title: str,
    provenance: Mapping[str, str],
    *,
    attrition: pd.DataFrame | None = None,
    table_one: pd.DataFrame | None = None,
    extra_sections: Sequence[Section] = (),
) -> Report:
    """Put the released tables of an evaluation on a page."""
    tables, facts = evaluation.released, evaluation.facts
    built = [
        made.calibration(tables),
        made.ranking(tables),
        made.use(tables),
        made.lead_time(tables),
        made.subgroups(tables),
        made.people(tables, facts, attrition, table_one, evaluation.profile),
    ]
    sections = [part.section for part in built if part is not None]
    figures = {name: drawn for part in built if part is not None for name, drawn in part.figures.items()}
    page = Page(
        title=title,
        kicker=f"Evaluation of predicted risks, {window(facts)}",
        lead=_lead(tables, facts, evaluation.warnings),
        caution=paragraph(CAUTION),
        sections=[*sections, *extra_sections, made.methods(evaluation.profile.sentence, facts), made.checklist()],
        provenance=provenance,
    )
    return Report(page, figures)


def _lead(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any], warnings: Sequence[str]) -> Markup:
    overview = tables["overview"].set_index("item")["n"]
    stand = (
        f", who stand for a population of {count(facts['population'])}"
        if abs(facts["population"] - facts["n"]) > 0.5
        else ""
    )
    events = float(overview["outcome in the window"])
    cases = "a suppressed number were" if math.isnan(events) else f"{count(events)} were"
    asked = (
        f"How well do the predicted risks match what happened? Asked of {count(float(overview['people']))} people"
        f"{stand}, all alive and undiagnosed at their index date; {cases} diagnosed {window(facts)}. "
        f"Diagnoses within {years(facts['lag_days'])} of the prediction do not count."
        if facts["lag_days"]
        else f"How well do the predicted risks match what happened? Asked of {count(float(overview['people']))} people"
        f"{stand}, all alive and undiagnosed at their index date; {cases} diagnosed {window(facts)}."
    )
    notes = join(Markup('<p class="why">{}</p>').format(text) for text in warnings)
    return join([paragraph(asked), strip(_numbers(tables)), notes])


def _numbers(tables: Mapping[str, pd.DataFrame]) -> list[Markup]:
    return [_ratio(tables), _within(tables), _risk(tables)]


def _ratio(tables: Mapping[str, pd.DataFrame]) -> Markup:
    found = pick(tables["calibration"], model="model", measure="observed_over_expected")
    label = "Outcomes observed for each one predicted"
    if not found.known:
        return number("—", label, aside=found.note)
    slope = pick(tables["calibration"], model="model", measure="slope")
    aside = f"1 is ideal; calibration slope {slope.text()}" if slope.known else f"calibration slope: {slope.note}"
    return number(rounded(found.value), label, interval=interval(found.low, found.high), aside=aside)


def _within(tables: Mapping[str, pd.DataFrame]) -> Markup:
    frame = tables["discrimination"]
    found = pick(frame, model="model", measure="c_within_sets")
    label = "Case ranked above a control of same age and sex"
    if found.known:
        limits = f"{percent(found.low, 3)} to {percent(found.high, 3)}" if not math.isnan(found.low) else ""
        return number(percent(found.value, 3), label, interval=limits, aside="50 % is chance")
    found = pick(frame, model="model", measure="auroc")
    base = pick(frame, model="age and sex", measure="auroc")
    if not found.known:
        return number("—", "AUROC in the whole population", aside=found.note)
    aside = f"age and sex alone: {rounded(base.value)}" if base.known else "age and sex alone: not given"
    return number(
        rounded(found.value), "AUROC in the whole population", interval=interval(found.low, found.high), aside=aside
    )


def _risk(tables: Mapping[str, pd.DataFrame]) -> Markup:
    found = pick(tables["calibration"], model="model", measure="observed_risk")
    if not found.known:
        return number("—", "Observed risk", aside=found.note)
    limits = "" if math.isnan(found.low) else f"{per_100k(found.low)} to {per_100k(found.high)}"
    return number(
        per_100k(found.value), "Observed risk", unit="per 100,000", interval=limits, aside=one_in(found.value)
    )
