"""A page about chosen people."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.explain.explanation import By, explain
from prodromal.explain.person import CAUTION, person_section
from prodromal.page import Page, paragraph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodromal.features import FeatureMatrix
    from prodromal.page import Section
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["people_page", "people_sections"]


def people_sections(
    register: Register, model: RiskModel, matrix: FeatureMatrix, titles: Sequence[str]
) -> list[Section]:
    """One section for each row of a matrix; whoever shows them shows ``CAUTION`` too."""
    explanation = explain(model, matrix, register.persons, by=By.CLASS)
    risks = model.score(matrix, register.persons)
    return [
        person_section(register, explanation, risks, position, title=title, anchor=f"person-{position + 1}")
        for position, title in enumerate(titles)
    ]


def people_page(register: Register, model: RiskModel, matrix: FeatureMatrix, *, provenance: Mapping[str, str]) -> Page:
    """A page with one section for each row of a matrix; ids are in the headings, so it must stay where the data are."""
    titles = [
        f"Person {person} on {str(day)[:10]}" for person, day in zip(matrix.person_id, matrix.index_date, strict=True)
    ]
    asked = model.outcome
    lead = paragraph(
        f"Risk of a diagnosis of {asked.name} more than {asked.lag_days} and up to {asked.horizon_days} days after the "
        "index date, and what moved each score. This page names people by their pseudonyms: keep it where the data are."
    )
    return Page(
        title=f"Why the model scores {len(titles)} {'person' if len(titles) == 1 else 'people'} as it does",
        lead=lead,
        sections=people_sections(register, model, matrix, titles),
        caution=CAUTION,
        kicker=model.warning,
        provenance=provenance,
    )
