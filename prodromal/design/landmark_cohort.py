"""Landmark cohort: everyone at risk on one calendar date, as a deployed model meets them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.design.cohort import Attrition, Cohort, Outcome
from prodromal.design.facts import Facts
from prodromal.errors import NotEstimable

if TYPE_CHECKING:
    from datetime import date

    import numpy.typing as npt

    from prodromal.register import Register

__all__ = ["draw_landmark_cohort"]


def draw_landmark_cohort(
    register: Register,
    outcome: Outcome,
    *,
    on: date,
    among: npt.NDArray[np.bool_] | None = None,
    min_age_years: int = 18,
) -> Cohort:
    """Everyone alive, undiagnosed and observed on a date, followed up to the horizon.

    Parameters
    ----------
    register : Register
        Where the people are.
    outcome : Outcome
        The question; people who die or leave before the horizon end their follow-up there.
    on : date
        Index date of all.
    among : ndarray of bool, shape (n_persons,), optional
        Only these people, such as those held out.
    min_age_years : int
        Youngest age on the date.

    Returns
    -------
    Cohort
        With the people's sampling weights.

    Raises
    ------
    NotEstimable
        If nobody remains.
    """
    facts, flow = Facts.of(register, outcome), Attrition()
    day = np.int32(np.datetime64(on, "D").astype(np.int64))
    rows = np.arange(len(facts.persons), dtype=np.int64)
    everyone = np.full(len(rows), day, dtype=np.int32)
    steps = (
        ("people in the register", np.ones(len(rows), dtype=bool)),
        ("chosen for this cohort", np.ones(len(rows), dtype=bool) if among is None else among),
        ("known sex and birth date, a sampling weight above 0", facts.usable),
        (f"aged {min_age_years} years or more", facts.persons.age_years(rows, everyone) >= min_age_years),
        (
            f"alive, undiagnosed and observed on {on.isoformat()} and for {outcome.min_history_days} days before",
            facts.followed(rows, everyone, everyone),
        ),
    )
    keep = np.ones(len(rows), dtype=bool)
    future = (facts.diagnosed > day + outcome.lag_days) & (facts.diagnosed <= day + outcome.horizon_days)
    for sentence, condition in steps:
        keep &= condition
        flow.step(sentence, (keep & future).sum(), (keep & ~future).sum())
    if not keep.any():
        raise NotEstimable(f"nobody in the register was alive, undiagnosed and observed on {on.isoformat()}")
    return Cohort(facts.frame(rows[keep], everyone[keep]), outcome, flow.to_frame())
