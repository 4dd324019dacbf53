"""After the diagnosis: hazard ratios and curves of death or invasive ventilation by use before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.association.cox import fit_cox
from prodromal.association.curves import aalen_johansen, kaplan_meier
from prodromal.association.exposure import Definition
from prodromal.association.odds import SPARSE
from prodromal.association.proportionality import compute_proportionality
from prodromal.association.published import HAZARD_RATIOS, Published
from prodromal.errors import NotEstimable
from prodromal.register.persons import NEVER, to_days

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodromal.association.exposure import DrugClass
    from prodromal.association.people import Comparison
    from prodromal.register import Register

__all__ = ["Course", "compute_causes", "compute_hazard_ratios", "compute_survival"]

_YEAR_DAYS = 365.25


@dataclass(frozen=True, eq=False)
class Course:
    """Cases followed from their diagnosis.

    Parameters
    ----------
    frame : DataFrame
        ``person_row, index_day, sex, age_years, time_days, cause`` (0 censored, 1 death, 2 invasive ventilation), and
        one bool column a class: recurrent use before the diagnosis.
    left_out : int
        Cases whose follow-up ends on the day of diagnosis.
    """

    frame: pd.DataFrame
    left_out: int

    @classmethod
    def of(cls, comparison: Comparison, register: Register, classes: Sequence[DrugClass]) -> Course:
        """Follow the cases of a comparison to the first of death, ventilation and the end of observation."""
        cases = comparison.frame[comparison.case].reset_index(drop=True)
        rows, start = cases["person_row"].to_numpy(), cases["index_day"].to_numpy()
        death = register.persons.death[rows].astype(np.int64)
        ventilated = _ventilation(register)[rows].astype(np.int64)
        stop = np.minimum(np.minimum(death, ventilated), register.persons.observed_to[rows].astype(np.int64))
        frame = cases[["person_row", "index_day", "sex", "age_years"]].assign(
            time_days=stop - start,
            cause=np.where(ventilated <= stop, 2, np.where(death <= stop, 1, 0)),
        )
        for group in classes:
            frame[group.name] = comparison.histories.used_before(group.name, rows, start, Definition.RECURRENT)
        followed = frame["time_days"].to_numpy() > 0
        return cls(frame[followed].reset_index(drop=True), int((~followed).sum()))

    @property
    def adjustment(self) -> pd.DataFrame:
        """Sex, and age at diagnosis in decades."""
        woman = (self.frame["sex"] == "F").astype(float)
        return pd.DataFrame({"woman": woman, "age": (self.frame["age_years"] - 65) / 10})


def _ventilation(register: Register) -> np.ndarray:
    """First day of invasive ventilation of every person; ``NEVER`` without one."""
    out = np.full(len(register.persons), NEVER, dtype=np.int32)
    if register.has("follow_up"):
        table = register.table("follow_up", ["person_id", "invasive_ventilation_on"])
        rows = register.persons.rows(table.column("person_id").to_numpy())
        days = to_days(table.column("invasive_ventilation_on"), NEVER)
        np.minimum.at(out, rows[rows >= 0], days[rows >= 0])
    return out


def compute_hazard_ratios(course: Course, classes: Sequence[DrugClass]) -> pd.DataFrame:
    """Cause-specific hazard ratios of death or invasive ventilation, adjusted for age and sex, robust limits.

    Returns
    -------
    DataFrame
        ``class, model, estimate, ci_low, ci_high, p, p_proportional, exposed, exposed_events, people, events, note,
        published, published_low, published_high``; each class alone, then given the others.
    """
    names = [group.name for group in classes]
    frames = [_hazards(course, [name], "each class alone") for name in names]
    frames.append(_hazards(course, names, "given the other classes"))
    out = pd.concat(frames, ignore_index=True)
    alone = out["model"] == "each class alone"
    known = [
        HAZARD_RATIOS.get(c, Published(np.nan)) if a else Published(np.nan)
        for c, a in zip(out["class"], alone, strict=True)
    ]
    return out.assign(
        published=[p.estimate for p in known],
        published_low=[p.low for p in known],
        published_high=[p.high for p in known],
    )


def _hazards(course: Course, names: list[str], model: str) -> pd.DataFrame:
    frame = course.frame
    event = (frame["cause"] > 0).to_numpy()
    used = frame[names].to_numpy(dtype=bool)
    out = pd.DataFrame(
        {
            "class": names,
            "model": model,
            "exposed": used.sum(axis=0),
            "exposed_events": (used & event[:, None]).sum(axis=0),
            "people": len(frame),
            "events": int(event.sum()),
        }
    )
    X = pd.concat([frame[names].astype(float), course.adjustment], axis=1)
    try:
        fitted = fit_cox(frame["time_days"], event, X, cluster=np.arange(len(frame)))
        proportional = compute_proportionality(fitted)
    except NotEstimable as reason:
        empty = dict.fromkeys(("estimate", "ci_low", "ci_high", "p", "p_proportional"), np.nan)
        return out.assign(**empty, note=f"not estimable: {reason}")
    table = fitted.fit.table().iloc[: len(names)]
    sparse = np.where(out["exposed_events"] < SPARSE, f"sparse: fewer than {SPARSE} events of users", "")
    return out.assign(
        **{c: table[c].to_numpy() for c in ("estimate", "ci_low", "ci_high", "p")},
        p_proportional=proportional["p"].to_numpy()[: len(names)],
        note=sparse,
    )


def compute_survival(course: Course, classes: Sequence[DrugClass], *, years: float = 6.0) -> pd.DataFrame:
    """Kaplan-Meier curves without death or invasive ventilation, of users and others, on a monthly grid.

    Returns
    -------
    DataFrame
        ``class, group, time_years, at_risk, events, survival, ci_low, ci_high``; `events` up to then.
    """
    event = course.frame["cause"].to_numpy() > 0
    time = course.frame["time_days"].to_numpy() / _YEAR_DAYS
    frames = []
    for group in classes:
        used = course.frame[group.name].to_numpy(dtype=bool)
        for name, mask in (("users", used), ("others", ~used)):
            if event[mask].any():
                part = _monthly(kaplan_meier(time[mask], event[mask]), years, time[mask], event[mask])
                part.insert(0, "class", group.name)
                part.insert(1, "group", name)
                frames.append(part)
    columns = ["class", "group", "time_years", "at_risk", "events", "survival", "ci_low", "ci_high"]
    return pd.concat(frames, ignore_index=True)[columns] if frames else pd.DataFrame(columns=columns)


def _monthly(curve: pd.DataFrame, years: float, time: np.ndarray, event: np.ndarray) -> pd.DataFrame:
    grid = np.arange(0, round(years * 12) + 1) / 12
    grid = grid[grid <= np.max(time)]
    start = pd.DataFrame({"time": [0.0], "survival": [1.0], "ci_low": [1.0], "ci_high": [1.0]})
    whole = pd.concat([start, curve[["time", "survival", "ci_low", "ci_high"]]], ignore_index=True)
    place = np.searchsorted(whole["time"].to_numpy(), grid + 1e-9, "right") - 1
    at_risk = len(time) - np.searchsorted(np.sort(time), grid, "left")
    held: pd.DataFrame = whole.iloc[place].drop(columns="time").reset_index(drop=True)
    events = np.searchsorted(np.sort(time[event]), grid + 1e-9, "right")
    return held.assign(time_years=grid, at_risk=at_risk, events=events)


def compute_causes(course: Course, *, years: float = 6.0) -> pd.DataFrame:
    """Aalen-Johansen probabilities of death and of invasive ventilation as the first event, at whole years.

    Returns
    -------
    DataFrame
        ``cause, time_years, at_risk, events, probability, ci_low, ci_high``; `events` up to then.
    """
    columns = ["cause", "time_years", "at_risk", "events", "probability", "ci_low", "ci_high"]
    time, cause = course.frame["time_days"].to_numpy() / _YEAR_DAYS, course.frame["cause"].to_numpy()
    if not (cause > 0).any():
        return pd.DataFrame(columns=columns)
    curve = aalen_johansen(time, cause)
    frames = []
    for number, name in ((1, "death"), (2, "invasive ventilation")):
        part = curve[curve["cause"] == number]
        grid = np.arange(1, int(min(years, float(np.max(time)))) + 1).astype(float)
        place = np.searchsorted(part["time"].to_numpy(), grid + 1e-9, "right") - 1
        grid, place = grid[place >= 0], place[place >= 0]
        at_risk = len(time) - np.searchsorted(np.sort(time), grid, "left")
        events = [int(((cause == number) & (time <= t)).sum()) for t in grid]
        rows = part.iloc[place].assign(cause=name, time_years=grid, at_risk=at_risk, events=events)
        frames.append(rows[columns])
    return pd.concat(frames, ignore_index=True)
