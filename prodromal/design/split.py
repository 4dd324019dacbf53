"""Splitting by family or by calendar time, so that nothing straddles train and held-out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import DefinitionError, NotEstimable

if TYPE_CHECKING:
    from datetime import date

    from prodromal.design.cohort import Cohort
    from prodromal.register import Register

__all__ = ["before", "family_components", "held_out", "since"]


def family_components(register: Register) -> npt.NDArray[np.int64]:
    """Number of the family of each person: people joined by any chain of relatives share one.

    Returns
    -------
    ndarray of int64, shape (n_persons,)
        The row of the family's first person.
    """
    people = len(register.persons)
    if not register.has("relatives"):
        return np.arange(people, dtype=np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    table = register.table("relatives", ["person_id", "relative_id"])
    pairs = [register.persons.rows(table.column(name).to_numpy()) for name in ("person_id", "relative_id")]
    graph = coo_array((np.ones(len(pairs[0]), dtype=np.int8), tuple(pairs)), shape=(people, people))
    _, label = connected_components(graph, directed=False)
    first = np.full(label.max() + 1, people, dtype=np.int64)
    np.minimum.at(first, label, np.arange(people))
    return np.asarray(first[label])


def held_out(register: Register, *, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Draw whole families to be held out of training.

    Parameters
    ----------
    register : Register
        Whose people.
    share : float
        About which share of families, between 0 and 1.
    seed : int
        The same seed and register give the same families.

    Returns
    -------
    ndarray of bool, shape (n_persons,)
    """
    if not 0 < share < 1:
        raise DefinitionError(f"held-out share {share}: it must lie between 0 and 1")
    family = family_components(register)
    draw = np.random.default_rng(seed).random(len(family))
    return np.asarray(draw[family] < share)


def before(cohort: Cohort, day: date) -> Cohort:
    """The part of a cohort whose questions are answered before a day: what could have been trained on then.

    Parameters
    ----------
    cohort : Cohort
        Matched sets, or a landmark cohort.
    day : date
        The first day that training must not have seen.

    Returns
    -------
    Cohort
        Rows whose index date plus horizon lies before `day`; matched sets whose case was diagnosed before it.

    Raises
    ------
    NotEstimable
        If nothing remains.

    Notes
    -----
    With ``since(cohort, day)`` it makes a temporal split: neither index dates nor outcomes of one part reach into the
    other. People may be in both parts at different times; split by family besides where that matters.
    """
    start = cohort.frame["index_date"]
    if cohort.is_matched:
        answered = start + cohort.frame["time_days"].where(cohort.frame["case"]).groupby(
            cohort.frame["set_id"]
        ).transform("max").astype("timedelta64[D]")
    else:
        answered = start + np.timedelta64(cohort.outcome.horizon_days, "D")
    return _remaining(cohort, (answered < np.datetime64(day)).to_numpy(), f"before {day.isoformat()}")


def since(cohort: Cohort, day: date) -> Cohort:
    """The part of a cohort with index dates on or after a day: what a model made before it is tested on.

    Raises
    ------
    NotEstimable
        If nothing remains.
    """
    later = (cohort.frame["index_date"] >= np.datetime64(day)).to_numpy()
    return _remaining(cohort, later, f"with index dates from {day.isoformat()} on")


def _remaining(cohort: Cohort, keep: npt.NDArray[np.bool_], which: str) -> Cohort:
    part = cohort.where(keep)
    if not len(part.frame):
        raise NotEstimable(f"not estimable: none of {len(cohort.frame)} rows of the cohort is {which}")
    import pandas as pd

    cases = part.frame["case"] if cohort.is_matched else part.frame["event"] == 1
    step = {"step": [which], "cases": [int(cases.sum())], "others": [int((~cases).sum())]}
    return replace(part, attrition=pd.concat([part.attrition, pd.DataFrame(step)], ignore_index=True))
