"""One page about a recalibration: the same people, predicted before and after it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from prodromal.evaluate import listing, plots
from prodromal.evaluate.sections import methods
from prodromal.evaluate.words import pick, window
from prodromal.page import Page, Section, count, details, figure, join, paragraph

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodromal.evaluate.evaluation import Evaluation

__all__ = ["before_after_page"]

_CAUTION = (
    "These are the people whom the level and the slope were fitted to, so agreement afterwards is no proof. Judge the "
    "recalibrated model on people whom neither training nor recalibration saw."
)


def before_after_page(
    before: Evaluation, after: Evaluation, *, title: str, kicker: str = "", provenance: Mapping[str, str] | None = None
) -> Page:
    """Put the calibration of two evaluations of the same people side by side, after disclosure control.

    Parameters
    ----------
    before, after : Evaluation
        Of the same rows; only the predicted risks differ.
    title, kicker : str
        Of the page.
    provenance : mapping of str to str, optional
        How it was made.
    """
    tenths = [one.released["calibration_deciles"] for one in (before, after)]
    ratios = [
        pick(one.released["calibration"], model="model", measure="observed_over_expected") for one in (before, after)
    ]
    said = f"Observed over expected: {ratios[0].text()} before, {ratios[1].text()} after."
    drawn = plots.svg(plots.plot_before_after(*tenths))
    caption = (
        "Tenths of the population by predicted risk. On the dashed line predictions come true as often as they say. "
        "People of the same age and sex keep their order."
    )
    numbers = pd.concat(
        [
            one.released["calibration"].loc[lambda rows: rows["model"] == "model"].assign(model=name)
            for name, one in (("before", before), ("after", after))
        ]
    )
    people = before.released["overview"].set_index("item")["n"]
    lead = paragraph(
        "How far were predicted risks from what happened at this site, and are they now? "
        f"{count(float(people['people']))} people, {window(before.facts)}. {said}"
    )
    sections = [
        Section(
            "tenths",
            "Predicted and observed risk, before and after",
            join(
                [
                    figure(drawn, caption, said),
                    *(
                        details(f"Numbers by tenth, {name}", listing.risks(table, ["group"], "Tenth"))
                        for name, table in zip(("before", "after"), tenths, strict=True)
                    ),
                ]
            ),
            "Before and after",
        ),
        Section("measures", "All measures of calibration", listing.measures(numbers, listing.CALIBRATION), "Measures"),
        methods(before.profile.sentence, before.facts),
    ]
    return Page(title=title, kicker=kicker, lead=lead, caution=_CAUTION, sections=sections, provenance=provenance or {})
