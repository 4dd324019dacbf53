"""Landmark matched sets: each case at a random date before diagnosis, with controls at risk when it was diagnosed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.design.cohort import Attrition, Cohort, Outcome
from prodromal.design.facts import Facts
from prodromal.design.sampling import Sampler
from prodromal.errors import DefinitionError, NotEstimable
from prodromal.register.persons import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from prodromal.register import Register

__all__ = ["assemble", "draw_landmark_sets"]


def draw_landmark_sets(
    register: Register,
    outcome: Outcome,
    *,
    seed: int,
    controls_per_case: int = 5,
    max_caliper_years: int = 5,
    among: npt.NDArray[np.bool_] | None = None,
) -> Cohort:
    """Draw matched sets by incidence-density sampling at landmarks.

    A case diagnosed on day ``D`` gets one index date ``t``, uniform over the days for which the diagnosis lies in
    ``(t + lag, t + horizon]``. Its controls have the same sex and birth year, the same index date, and are alive,
    resident, observed and undiagnosed on day ``D``; a control may be diagnosed later, and a case may be a control
    before. Nobody is in a set twice.

    Parameters
    ----------
    register : Register
        Where the people are.
    outcome : Outcome
        The question.
    seed : int
        The same seed, register and arguments give the same sets.
    controls_per_case : int
        Controls drawn for each case; fewer where the register has fewer.
    max_caliper_years : int
        How far the birth year may differ where the same year has too few controls; widened year by year.
    among : ndarray of bool, shape (n_persons,), optional
        Only these people, as cases and as controls.

    Returns
    -------
    Cohort
        Matched sets, each with one case and at least one control, and the column ``caliper_years``.

    Raises
    ------
    NotEstimable
        If no set can be formed.

    Notes
    -----
    Controls are drawn with probability proportional to their sampling weight, so that in a case-cohort extract they
    represent the population. Being at risk on the case's day of diagnosis, rather than at ``t + lag``, makes the
    conditional odds ratio a rate ratio also where the medication is related to other mortality.
    """
    if controls_per_case < 1 or max_caliper_years < 0:
        raise DefinitionError("controls_per_case must be at least 1 and max_caliper_years at least 0")
    facts, flow = Facts.of(register, outcome), Attrition()
    random = np.random.default_rng(seed)
    chosen = facts.usable if among is None else facts.usable & among
    cases, index = _cases(facts, chosen, random, flow)
    sampler = Sampler(facts, chosen)
    sets = (sampler.draw(c, t, controls_per_case, max_caliper_years, random) for c, t in zip(cases, index, strict=True))
    return assemble(facts, cases, index, sets, flow)


def assemble(
    facts: Facts,
    cases: npt.NDArray[np.int64],
    index: npt.NDArray[np.int32],
    sets: Iterable[tuple[npt.NDArray[np.int64], int]],
    flow: Attrition,
) -> Cohort:
    """Put cases and their controls into one frame.

    Parameters
    ----------
    facts : Facts
        About all people.
    cases : ndarray of int64, shape (n_cases,)
        Rows of the persons table.
    index : ndarray of int32, shape (n_cases,)
        Index day of each case and its controls.
    sets : iterable of (ndarray of int64, int)
        For each case its controls and the caliper in years.
    flow : Attrition
        Gets the last steps.

    Raises
    ------
    NotEstimable
        If no case has a control.
    """
    rows, days, numbers, calipers = [], [], [], []
    for number, (case, day, (controls, caliper)) in enumerate(zip(cases, index, sets, strict=True)):
        if len(controls):
            size = len(controls) + 1
            rows.append(np.concatenate([[case], controls]))
            days.append(np.full(size, day, dtype=np.int32))
            numbers.append(np.full(size, number, dtype=np.int64))
            calipers.append(np.full(size, caliper, dtype=np.int16))
    if not rows:
        raise NotEstimable(f"no control was at risk for any of the {len(cases)} cases")
    members = np.concatenate(rows)
    flow.step("with at least one control", len(rows), len(members) - len(rows))
    frame = facts.frame(members, np.concatenate(days))
    frame.insert(0, "set_id", np.concatenate(numbers))
    frame.insert(1, "case", np.concatenate([np.arange(len(row)) == 0 for row in rows]))
    frame["caliper_years"] = np.concatenate(calipers)
    widened = int((frame.loc[frame["case"], "caliper_years"] > 0).sum())
    flow.step("of these with a widened caliper of birth years", widened, 0)
    return Cohort(frame, facts.outcome, flow.to_frame())


def _cases(
    facts: Facts, chosen: npt.NDArray[np.bool_], random: np.random.Generator, flow: Attrition
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
    """Cases with a random index day, of those who were followed from it to the diagnosis."""
    asked = facts.outcome
    diagnosed = np.flatnonzero(facts.diagnosed != NEVER)
    flow.step(f"people with a diagnosis of {asked.name}", len(diagnosed), 0)
    cases = diagnosed[chosen[diagnosed]]
    flow.step("chosen, known sex and birth date, a sampling weight above 0", len(cases), 0)
    if not len(cases):
        raise NotEstimable(f"nobody chosen for training has a diagnosis of {asked.name}")
    before = random.integers(asked.lag_days + 1, asked.horizon_days, endpoint=True, size=len(cases))
    index = (facts.diagnosed[cases] - before).astype(np.int32)
    people = facts.persons
    kept = (
        (people.observed_from[cases] <= index - asked.min_history_days)
        & (people.observed_to[cases] >= facts.diagnosed[cases])
        & (people.age_years(cases, index) >= 0)
    )
    flow.step(
        f"observed for {asked.min_history_days} days before a random index date and up to diagnosis", kept.sum(), 0
    )
    if not kept.any():
        raise NotEstimable(f"none of the {len(cases)} cases was observed long enough before an index date")
    return cases[kept], index[kept]
