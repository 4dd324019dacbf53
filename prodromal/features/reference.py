"""What every measure means, said slowly in plain Python. The fast engine is proven equal to this file.

A feature is a pure function of one person, that person's dispensings and an index date. Nothing here is fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from math import fsum, nan
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prodromal.features.plan import Feature, FeaturePlan
    from prodromal.windows import Window

__all__ = ["Dispensing", "Person", "compute_feature", "compute_row"]


@dataclass(frozen=True)
class Person:
    """What the register knows of a person."""

    sex: str
    birth_date: date | None
    observed_from: date
    observed_to: date


@dataclass(frozen=True)
class Dispensing:
    """One dispensing; `ddd` and `days_supply` are None where they are missing."""

    dispensed_on: date
    atc: str
    ddd: float | None = None
    days_supply: int | None = None


def count(inside: Sequence[Dispensing]) -> float:
    """Number of dispensings."""
    return float(len(inside))


def recurrent(inside: Sequence[Dispensing]) -> float:
    """1 if there are at least two dispensings, the study's definition of use."""
    return 1.0 if len(inside) >= 2 else 0.0


def ddd(inside: Sequence[Dispensing]) -> float:
    """Sum of the DDDs that are known."""
    return fsum(dispensing.ddd for dispensing in inside if dispensing.ddd is not None)


def days_since_last(before: Sequence[Dispensing], index_date: date) -> float:
    """Days from the last dispensing to the index date; missing if there was none."""
    return float(min(((index_date - d.dispensed_on).days for d in before), default=nan))


def days_since_first(before: Sequence[Dispensing], index_date: date) -> float:
    """Days from the first dispensing to the index date; missing if there was none."""
    return float(max(((index_date - d.dispensed_on).days for d in before), default=nan))


def age_years(person: Person, index_date: date) -> float:
    """Whole years since birth; someone born on 29 February ages on 1 March of a common year."""
    if person.birth_date is None:
        return nan
    had_birthday = (index_date.month, index_date.day) >= (person.birth_date.month, person.birth_date.day)
    return float(index_date.year - person.birth_date.year - (not had_birthday))


def sex(person: Person, _: date) -> float:
    """0 for M, 1 for F, missing for U."""
    return {"M": 0.0, "F": 1.0}.get(person.sex, nan)


def observed_years(person: Person, index_date: date) -> float:
    """Whole years of 365 days from the start of observation to the index date, at least 0."""
    return float(max(0, (index_date - person.observed_from).days // 365))


WINDOW: Mapping[str, Callable[[Sequence[Dispensing]], float]] = MappingProxyType(
    {"count": count, "recurrent": recurrent, "ddd": ddd}
)
SINCE: Mapping[str, Callable[[Sequence[Dispensing], date], float]] = MappingProxyType(
    {"days_since_last": days_since_last, "days_since_first": days_since_first}
)
PERSON: Mapping[str, Callable[[Person, date], float]] = MappingProxyType(
    {"age_years": age_years, "sex": sex, "observed_years": observed_years}
)


def is_observed(person: Person, window: Window, index_date: date, min_coverage: float) -> bool:
    """Whether at least `min_coverage` of the window's days were observed."""
    days = (index_date - timedelta(days=k) for k in range(window.from_days, window.to_days))
    observed = sum(person.observed_from <= day <= person.observed_to for day in days)
    return observed >= min_coverage * window.days


def compute_feature(
    feature: Feature, person: Person, dispensings: Sequence[Dispensing], index_date: date, plan: FeaturePlan
) -> float:
    """The value of one feature; NaN if it is missing.

    Parameters
    ----------
    feature : Feature
        One of the plan's.
    person : Person
        Who.
    dispensings : sequence of Dispensing
        All of the person's, in any order; those on or after the index date are ignored.
    index_date : date
        When.
    plan : FeaturePlan
        For ``min_coverage``.
    """
    if feature.group is None:
        return PERSON[feature.measure](person, index_date)
    before = [d for d in dispensings if feature.group.matches(d.atc) and d.dispensed_on < index_date]
    if feature.window is None:
        return SINCE[feature.measure](before, index_date)
    if not is_observed(person, feature.window, index_date, plan.min_coverage):
        return nan
    inside = [d for d in before if feature.window.contains(days_before=(index_date - d.dispensed_on).days)]
    return WINDOW[feature.measure](inside)


def compute_row(plan: FeaturePlan, person: Person, dispensings: Sequence[Dispensing], index_date: date) -> list[float]:
    """All features of a plan for one person and index date, in the plan's order."""
    return [compute_feature(feature, person, dispensings, index_date, plan) for feature in plan.features]
