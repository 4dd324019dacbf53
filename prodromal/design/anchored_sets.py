"""Diagnosis-anchored sets for the association study: everyone is looked at on the day of the case's diagnosis."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prodromal.design.cohort import Attrition, Cohort, Outcome
from prodromal.design.facts import Facts
from prodromal.design.landmark_sets import assemble
from prodromal.design.sampling import Sampler
from prodromal.errors import DefinitionError, NotEstimable
from prodromal.register.persons import NEVER, UNKNOWN_DAY

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodromal.register import Register

__all__ = ["Comparator", "draw_anchored_sets"]


class Comparator(Enum):
    """With whom cases are compared."""

    POPULATION = "population"
    SIBLING = "sibling"
    SPOUSE = "spouse"


def draw_anchored_sets(
    register: Register,
    outcome: Outcome,
    *,
    comparator: str | Comparator,
    seed: int,
    controls_per_case: int = 5,
    max_caliper_years: int = 5,
) -> Cohort:
    """Draw matched sets whose index date is the diagnosis of their case.

    Parameters
    ----------
    register : Register
        Where the people are.
    outcome : Outcome
        Whose diagnosis; of its numbers only ``min_history_days`` is used.
    comparator : {"population", "sibling", "spouse"}
        Population controls have the same sex and birth year and are drawn by incidence-density sampling; of siblings
        and spouses all who are at risk on the day are taken, whatever their sex and age.
    seed : int
        The same seed, register and arguments give the same sets.
    controls_per_case, max_caliper_years : int
        As for landmark sets; population controls only.

    Returns
    -------
    Cohort
        Matched sets with one case each.

    Raises
    ------
    DefinitionError
        If `comparator` is none of the three.
    NotEstimable
        If no set can be formed.
    """
    try:
        chosen = Comparator(comparator)
    except ValueError as error:
        known = ", ".join(c.value for c in Comparator)
        raise DefinitionError(f"comparator '{comparator}': it is one of {known}") from error
    facts, flow = Facts.of(register, outcome), Attrition()
    cases = _cases(facts, flow)
    index = facts.diagnosed[cases]
    if chosen is Comparator.POPULATION:
        sampler, random = Sampler(facts, facts.usable), np.random.default_rng(seed)
        sets = (
            sampler.draw(c, t, controls_per_case, max_caliper_years, random) for c, t in zip(cases, index, strict=True)
        )
    else:
        sets = ((found, 0) for found in _relatives(register, facts, cases, chosen))
    return assemble(facts, cases, index, sets, flow)


def _cases(facts: Facts, flow: Attrition) -> npt.NDArray[np.int64]:
    diagnosed = np.flatnonzero(facts.diagnosed != NEVER)
    flow.step(f"people with a diagnosis of {facts.outcome.name}", len(diagnosed), 0)
    day, people = facts.diagnosed[diagnosed], facts.persons
    kept = (
        (people.birth[diagnosed] != UNKNOWN_DAY)
        & (people.sex[diagnosed] != 2)
        & (people.observed_from[diagnosed] <= day - facts.outcome.min_history_days)
        & (people.observed_to[diagnosed] >= day)
    )
    flow.step(f"known sex and birth date, observed for {facts.outcome.min_history_days} days before", kept.sum(), 0)
    if not kept.any():
        raise NotEstimable(f"none of the {len(diagnosed)} cases was observed long enough before diagnosis")
    return np.asarray(diagnosed[kept])


def _relatives(
    register: Register, facts: Facts, cases: npt.NDArray[np.int64], kind: Comparator
) -> Iterator[npt.NDArray[np.int64]]:
    """For each case its relatives at risk on the day of diagnosis."""
    table = register.table("relatives")
    table = table.filter(pa.compute.equal(table.column("relation").cast(pa.string()), kind.value))
    person, relative = (facts.persons.rows(table.column(name).to_numpy()) for name in ("person_id", "relative_id"))
    # A relation may be written in one direction or in both.
    pairs = np.unique(
        np.concatenate([np.column_stack([person, relative]), np.column_stack([relative, person])]), axis=0
    )
    low, high = np.searchsorted(pairs[:, 0], cases, "left"), np.searchsorted(pairs[:, 0], cases, "right")
    for case, start, end in zip(cases, low, high, strict=True):
        rows = pairs[start:end, 1]
        known = (facts.persons.birth[rows] != UNKNOWN_DAY) & (facts.persons.sex[rows] != 2)
        day = int(facts.diagnosed[case])
        yield rows[known & facts.followed(rows, day, day)]
