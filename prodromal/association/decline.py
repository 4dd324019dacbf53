"""Functional decline: ALSFRS-R from the diagnosis on, by use before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prodromal.association.mixed import fit_mixed
from prodromal.association.ratio_fit import _NORMAL_975
from prodromal.errors import DataError, NotEstimable
from prodromal.register.persons import NEVER, to_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodromal.association.exposure import DrugClass
    from prodromal.association.mixed import MixedFit
    from prodromal.association.prognosis import Course
    from prodromal.register import Register

__all__ = [
    "DAYS_PER_MONTH",
    "SLOPES",
    "Decline",
    "check_visits",
    "combined",
    "compute_decline",
    "design_of",
    "visits_of",
]

DAYS_PER_MONTH = 30.4375
_TOP = 48
_MONTHS = np.arange(0, 31, 3.0)
_CURVE = ["class", "group", "months", "mean", "ci_low", "ci_high", "people"]
# Weights of the slope and of its change with use.
SLOPES = {"slope of others": (1.0, 0.0), "slope of users": (1.0, 1.0), "difference": (0.0, 1.0)}


def check_visits(person: Any, months: Any, score: Any) -> None:
    """Refuse visits that cannot be.

    Raises
    ------
    DataError
        If a score is outside 0 to 48, a time negative or missing, or one person has two visits at one time.
    """
    who, when, what = np.asarray(person), np.asarray(months, dtype=float), np.asarray(score, dtype=float)
    n = len(who)
    if not n == len(when) == len(what):
        raise DataError("visits: persons, times and scores differ in length; give one of each a visit")
    if outside := int((~((what >= 0) & (what <= _TOP))).sum()):
        raise DataError(f"visits: ALSFRS-R is missing or outside 0 to {_TOP} in {outside} of {n}; correct or drop them")
    if early := int((~(when >= 0)).sum()):
        raise DataError(f"visits: {early} of {n} have a negative or missing time; count from the diagnosis on")
    if twice := int(pd.DataFrame({"who": who, "when": when}).duplicated().sum()):
        raise DataError(f"visits: {twice} of {n} repeat another visit's person and day; keep one of each")


def visits_of(course: Course, register: Register) -> pd.DataFrame:
    """Visits of the cases from the diagnosis to the end of their follow-up.

    Returns
    -------
    DataFrame
        ``person`` (position in ``course.frame``), ``months``, ``alsfrs_r``. A visit that repeats another one's person,
        day and score counts once.

    Raises
    ------
    DataError
        As `check_visits`.
    NotEstimable
        If the register has no visit of a case.
    """
    if not register.has("follow_up"):
        raise NotEstimable("the register has no follow-up table, so there is no ALSFRS-R")
    table = register.table("follow_up", ["person_id", "visit_on", "alsfrs_r"])
    rows = register.persons.rows(table.column("person_id").to_numpy())
    day = to_days(table.column("visit_on"), NEVER).astype(np.int64)
    score = table.column("alsfrs_r").to_pandas().to_numpy(dtype=float)
    place = np.full(len(register.persons) + 1, -1, dtype=np.int64)
    place[course.frame["person_row"].to_numpy()] = np.arange(len(course.frame))
    person = place[rows]
    since = day - course.frame["index_day"].to_numpy()[person]
    mine = (person >= 0) & (since >= 0) & (since <= course.frame["time_days"].to_numpy()[person]) & ~np.isnan(score)
    if not mine.any():
        raise NotEstimable("no case has a visit with an ALSFRS-R after the diagnosis")
    visits = pd.DataFrame({"person": person[mine], "months": since[mine] / DAYS_PER_MONTH, "alsfrs_r": score[mine]})
    visits = visits.drop_duplicates().sort_values(["person", "months"], ignore_index=True)
    check_visits(visits["person"], visits["months"], visits["alsfrs_r"])
    return visits


def design_of(course: Course, visits: pd.DataFrame, name: str) -> pd.DataFrame:
    """Fixed effects of a visit: intercept, months, use, months by use, sex, age."""
    people = course.frame.iloc[visits["person"].to_numpy()]
    used = people[name].to_numpy(dtype=float)
    months = visits["months"].to_numpy()
    return pd.DataFrame(
        {
            "intercept": 1.0,
            "months": months,
            "use": used,
            "months by use": months * used,
            "woman": (people["sex"] == "F").to_numpy(dtype=float),
            "age": (people["age_years"].to_numpy(dtype=float) - 65) / 10,
        }
    )


@dataclass(frozen=True, eq=False)
class Decline:
    """What the mixed models say.

    Parameters
    ----------
    slopes : DataFrame
        ``class, quantity, estimate, ci_low, ci_high, p, people, visits, note``; points per month. Quantities are the
        slope of others, the slope of users, and their difference.
    trajectories : DataFrame
        ``class, group, months, mean, ci_low, ci_high, people``: mean ALSFRS-R at 65 years, of women and men alike;
        `people` have a visit within six weeks of the month.
    """

    slopes: pd.DataFrame
    trajectories: pd.DataFrame


def compute_decline(course: Course, visits: pd.DataFrame, classes: Sequence[DrugClass]) -> Decline:
    """Fit ALSFRS-R of users and others, class by class, with random intercept and slope.

    Notes
    -----
    Who dies stops being measured, and those who decline fast die first: the model is right only if dropout depends on
    the scores seen. The joint model does not need that.
    """
    slopes, curves = [], [pd.DataFrame(columns=_CURVE)]
    Z = np.column_stack([np.ones(len(visits)), visits["months"]])
    for group in classes:
        fit: MixedFit | NotEstimable
        try:
            fit = fit_mixed(visits["alsfrs_r"], design_of(course, visits, group.name), visits["person"], Z)
            curves.append(_trajectories(course, visits, group.name, fit))
        except NotEstimable as reason:
            fit = reason
        slopes.append(_slopes(course, visits, group.name, fit))
    drawn = [curve for curve in curves if len(curve)] or curves
    return Decline(pd.concat(slopes, ignore_index=True), pd.concat(drawn, ignore_index=True))


def _slopes(course: Course, visits: pd.DataFrame, name: str, fit: MixedFit | NotEstimable) -> pd.DataFrame:
    used = course.frame[name].to_numpy(dtype=bool)[visits["person"].to_numpy()]
    masks = (~used, used, used)
    out = pd.DataFrame(
        {
            "class": name,
            "quantity": list(SLOPES),
            "people": [visits["person"][m].nunique() for m in masks],
            "visits": [int(m.sum()) for m in masks],
        }
    )
    if isinstance(fit, NotEstimable):
        empty = dict.fromkeys(("estimate", "ci_low", "ci_high", "p"), np.nan)
        return out.assign(**empty, note=f"not estimable: {fit}")
    return out.assign(**combined(fit.terms, fit.coefficients, fit.covariance), note=fit.note)


def combined(terms: tuple[str, ...], b: Any, covariance: Any) -> dict[str, Any]:
    """Estimates, limits and p values of the ``SLOPES``."""
    from scipy.special import ndtr

    at = [terms.index("months"), terms.index("months by use")]
    weights = np.array(list(SLOPES.values()))
    value = weights @ b[at]
    se = np.sqrt(np.einsum("qi,ij,qj->q", weights, covariance[np.ix_(at, at)], weights))
    return {
        "estimate": value,
        "ci_low": value - _NORMAL_975 * se,
        "ci_high": value + _NORMAL_975 * se,
        "p": 2 * ndtr(-np.abs(value / se)),
    }


def _trajectories(course: Course, visits: pd.DataFrame, name: str, fit: MixedFit) -> pd.DataFrame:
    month, person = visits["months"].to_numpy(), visits["person"].to_numpy()
    used = course.frame[name].to_numpy(dtype=bool)[person]
    ones = np.ones(len(_MONTHS))
    frames = []
    for group, value in (("users", 1.0), ("others", 0.0)):
        X = np.column_stack([ones, _MONTHS, value * ones, value * _MONTHS, 0.5 * ones, 0 * ones])
        mean, se = X @ fit.coefficients, np.sqrt(np.einsum("ij,jk,ik->i", X, fit.covariance, X))
        low, high = mean - _NORMAL_975 * se, mean + _NORMAL_975 * se
        near = [len(np.unique(person[(used == value) & (np.abs(month - m) <= 1.5)])) for m in _MONTHS]
        columns = (name, group, _MONTHS, mean, low, high, near)
        frames.append(pd.DataFrame(dict(zip(_CURVE, columns, strict=True))))
    return pd.concat(frames, ignore_index=True)
