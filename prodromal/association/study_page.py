"""The report of a study: one page, the numbers that matter first."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from prodromal.association import sections_course, sections_people, sections_risk
from prodromal.association.exposure import HEADLINE, STUDIED
from prodromal.association.section_parts import records
from prodromal.association.wording import CAUTION, SIMULATED, listed, ratio, written
from prodromal.page import Page, count, join, number, paragraph, strip

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from markupsafe import Markup

    from prodromal.association.study import Study
    from prodromal.disclosure import Profile

__all__ = ["report"]


def report(study: Study, released: Mapping[str, pd.DataFrame], profile: Profile, provenance: Mapping[str, str]) -> Page:
    """Put released tables on a page.

    Parameters
    ----------
    study : Study
        Its design and notes; of its tables nothing is shown.
    released : mapping of str to DataFrame
        As `release` gives them.
    profile : Profile
        By which they were released.
    provenance : mapping of str to str
    """
    built = [
        sections_risk.windows(released),
        sections_risk.relatives(released),
        sections_risk.age_and_sex(released),
        sections_risk.lags(released),
        sections_course.survival(released),
        sections_course.function(released),
        sections_people.people(released, study.notes),
        sections_people.methods(study.design, profile.sentence),
    ]
    outcome = study.design.outcome
    return Page(
        title=f"Psychiatric medicines before a diagnosis of {outcome}, and the course after it",
        kicker=f"{SIMULATED} " if study.simulated else "A matched study of one register",
        lead=_lead(released, outcome),
        caution=paragraph(CAUTION),
        sections=[section for section in built if section is not None],
        provenance=provenance,
    )


def _lead(tables: Mapping[str, pd.DataFrame], outcome: str) -> Markup:
    one = tables["table_one"]
    sizes = {row.group: row.people for row in records(one[one["characteristic"] == "people"])}
    asked = (
        f"Had people with a diagnosis of {outcome} been dispensed anxiolytics, hypnotics or antidepressants more often "
        f"than others, more than a year before it? {_compared(sizes)}"
    )
    frame = tables["odds_ratios"].query("comparator == 'population' and definition == 'recurrent'")
    frame = frame[frame["window"] == HEADLINE]
    rows = {row.drug: row for row in records(frame)}
    return join([paragraph(asked), strip(_number(rows[group.name]) for group in STUDIED)])


def _number(row: Any) -> Markup:
    label = f"Odds ratio of the diagnosis, recurrent use of {row.drug}"
    if math.isnan(row.estimate):
        return number("-", label, aside=row.note)
    known = ratio(row.published, row.published_low, row.published_high)
    limits = f"{written(row.ci_low)} to {written(row.ci_high)}"
    return number(written(row.estimate), label, interval=limits, aside=f"published: {known}" if known else "")


def _compared(sizes: Mapping[str, float]) -> str:
    """Say who is compared with whom, and how many they are where that may be told."""
    told = {group: group if math.isnan(n) else f"{count(n)} {group}" for group, n in sizes.items()}
    compared = f"{told.pop('cases').capitalize()} are compared with {listed(list(told.values()))}"
    hidden = [group for group, n in sizes.items() if math.isnan(n)]
    if not hidden:
        return f"{compared}."
    return f"{compared}; the {'number is' if len(hidden) == 1 else 'numbers are'} suppressed for {listed(hidden)}."
