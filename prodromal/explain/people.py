"""A page about chosen people: a list that sorts and filters, then each person's reasons."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from prodromal.explain.explanation import By, explain
from prodromal.explain.limits import limits_section
from prodromal.explain.listed import list_section
from prodromal.explain.person import CAUTION, person_section
from prodromal.explain.stability import stability
from prodromal.page import SCRIPT, Page, paragraph

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodromal.features import FeatureMatrix
    from prodromal.page import Section
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["MOST_LISTED", "MOST_SHOWN", "people_page", "people_sections"]

MOST_SHOWN, MOST_LISTED = 50, 1000


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


def people_page(
    register: Register,
    model: RiskModel,
    matrix: FeatureMatrix,
    *,
    provenance: Mapping[str, str],
    chosen: int | None = None,
    refits: Sequence[RiskModel] = (),
) -> Page:
    """Describe the people of a matrix; ids are in the headings, so the page must stay where the data are.

    Parameters
    ----------
    register : Register
        For age, sex and dispensings.
    model : RiskModel
        Whose scores.
    matrix : FeatureMatrix
        One row a person at an index date. More than one opens with a list, highest score first.
    provenance : mapping of str to str
        For the footer.
    chosen : int, optional
        How many people were asked about, where the matrix holds only those with the highest scores.
    refits : sequence of RiskModel, optional
        The model trained again on people drawn again; gives limits beside the factors.

    Returns
    -------
    Page
        With a section of its own for each of the ``MOST_SHOWN`` highest scores.
    """
    risks = model.score(matrix, register.persons)
    order = np.argsort(-risks["score"].to_numpy(), kind="stable")
    matrix, risks = matrix.take(order), risks.iloc[order].reset_index(drop=True)
    explanation = explain(model, matrix, register.persons, by=By.CLASS)
    people = len(matrix)
    asked = chosen or people
    first = matrix.take(np.arange(min(people, MOST_SHOWN)))
    stable = stability(refits, first, register.persons) if refits else None
    sections = [
        person_section(
            register,
            explanation,
            risks,
            position,
            title=f"Person {matrix.person_id[position]} on {str(matrix.index_date[position])[:10]}",
            anchor=f"person-{position + 1}",
            back="list" if people > 1 else "",
            stable=stable,
        )
        for position in range(len(first))
    ]
    if people > 1:
        sections.insert(0, list_section(register, explanation, risks, shown=len(sections), chosen=asked))
    return Page(
        title=f"Why the model scores {asked:,} {'person' if asked == 1 else 'people'} as it does",
        lead=_lead(model) + _shown(asked, people, len(first)),
        sections=[*sections, limits_section(model)],
        caution=CAUTION,
        kicker=model.warning,
        provenance=provenance,
        script=SCRIPT if people > 1 else "",
    )


def _shown(asked: int, listed: int, described: int) -> Markup:
    """Say how many of the people asked about are listed, and how many have a section."""
    if described == asked:
        return Markup("")
    rows = f"the {listed:,} with the highest scores are" if listed < asked else "all are"
    return paragraph(
        f"Of the {asked:,} people, {rows} listed, and the {described:,} with the highest scores have a section of "
        "their own."
    )


def _lead(model: RiskModel) -> Markup:
    asked = model.outcome
    return paragraph(
        f"Risk of a diagnosis of {asked.name} more than {asked.lag_days:,} and up to {asked.horizon_days:,} days after "
        "the index date, and what moved each score. This page names people by their pseudonyms: keep it where the data "
        "are."
    )
