"""What every measure means, said slowly in plain Python. The fast engine is proven equal to this file.

A feature is a pure function of one person, that person's dispensings and an index date. Nothing here is fast.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from itertools import pairwise
from math import floor, fsum, nan
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from prodromal.features.plan import Feature, FeaturePlan
    from prodromal.windows import Window

__all__ = ["Dispensing", "Person", "View", "compute_feature", "compute_row"]


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


@dataclass(frozen=True)
class View:
    """What a measure of a group may look at: its dispensings before the index date, and a window."""

    plan: FeaturePlan
    person: Person
    index_date: date
    before: tuple[Dispensing, ...]
    window: Window

    @property
    def inside(self) -> list[Dispensing]:
        """Dispensings in the window."""
        return [d for d in self.before if self.window.contains(days_before=(self.index_date - d.dispensed_on).days)]

    @property
    def days(self) -> list[date]:
        """Days of the window."""
        return [self.index_date - timedelta(days=k) for k in range(self.window.from_days, self.window.to_days)]


def count(view: View) -> float:
    """Number of dispensings in the window."""
    return float(len(view.inside))


def recurrent(view: View) -> float:
    """1 if there are at least two dispensings in the window, the study's definition of use."""
    return 1.0 if len(view.inside) >= 2 else 0.0


def ddd(view: View) -> float:
    """Sum of the DDDs in the window that are known."""
    return fsum(dispensing.ddd for dispensing in view.inside if dispensing.ddd is not None)


def days_of_supply(dispensing: Dispensing, plan: FeaturePlan) -> int:
    """Days that a dispensing lasts: as recorded; else one per DDD, rounded half up, 1 to 3650; else the default."""
    if dispensing.days_supply is not None:
        return dispensing.days_supply
    if dispensing.ddd is not None:
        return min(max(floor(dispensing.ddd + 0.5), 1), 3650)
    return plan.default_days_supply


def days_covered(view: View) -> float:
    """Days of the window on which a supply was in hand, also one dispensed before the window."""
    supplied = {d.dispensed_on + timedelta(days=k) for d in view.before for k in range(days_of_supply(d, view.plan))}
    return float(len(supplied.intersection(view.days)))


def initiated(view: View) -> float:
    """1 if the first dispensing ever observed lies in the window and followed an observed washout."""
    first = min((d.dispensed_on for d in view.before), default=None)
    if first is None or first not in view.days:
        return 0.0
    last_day_before = min(first - timedelta(days=1), view.person.observed_to)
    observed = (last_day_before - view.person.observed_from).days + 1
    return 1.0 if observed >= view.plan.washout_days else 0.0


def substances(view: View) -> float:
    """Number of different substances (codes of 7 characters) in the window."""
    return float(len(set(_substances(view))))


def switches(view: View) -> float:
    """Changes of substance from one dispensing in the window to the next; those of a day in the order of codes."""
    return float(sum(one != other for one, other in pairwise(_substances(view))))


def _substances(view: View) -> list[str]:
    ordered = sorted(view.inside, key=lambda d: (d.dispensed_on, d.atc))
    return [d.atc for d in ordered if len(d.atc) == 7]


def days_since_last(before: Sequence[Dispensing], index_date: date) -> float:
    """Days from the last dispensing to the index date; missing if there was none."""
    return float(min(((index_date - d.dispensed_on).days for d in before), default=nan))


def days_since_first(before: Sequence[Dispensing], index_date: date) -> float:
    """Days from the first dispensing to the index date; missing if there was none."""
    return float(max(((index_date - d.dispensed_on).days for d in before), default=nan))


def ever_recurrent(before: Sequence[Dispensing], _: date) -> float:
    """Whether there were two dispensings or more; 0 also where nothing was seen."""
    return float(len(before) >= 2)


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


WINDOW: Mapping[str, Callable[[View], float]] = MappingProxyType(
    {
        "count": count,
        "recurrent": recurrent,
        "ddd": ddd,
        "days_covered": days_covered,
        "initiated": initiated,
        "substances": substances,
        "switches": switches,
    }
)
SINCE: Mapping[str, Callable[[Sequence[Dispensing], date], float]] = MappingProxyType(
    {"days_since_last": days_since_last, "days_since_first": days_since_first, "ever_recurrent": ever_recurrent}
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
        For ``min_coverage``, ``default_days_supply`` and ``washout_days``.
    """
    if feature.group is None:
        return PERSON[feature.measure](person, index_date)
    before = tuple(d for d in dispensings if feature.group.matches(d.atc) and d.dispensed_on < index_date)
    if feature.window is None:
        return SINCE[feature.measure](before, index_date)
    if not is_observed(person, feature.window, index_date, plan.min_coverage):
        return nan
    return WINDOW[feature.measure](View(plan, person, index_date, before, feature.window))


def compute_row(plan: FeaturePlan, person: Person, dispensings: Sequence[Dispensing], index_date: date) -> list[float]:
    """All features of a plan for one person and index date, in the plan's order."""
    return [compute_feature(feature, person, dispensings, index_date, plan) for feature in plan.features]
