"""An attacker on the released tables of an association study."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd

from prodromal.association import release
from prodromal.evaluate import PROFILES
from tests.security.attacker import reach

__all__ = ["attacked_studies"]

_ESTIMATES = {"estimate": 1.5, "ci_low": 1.1, "ci_high": 2.0, "p": 0.01}
_TABLES = (
    *("flow", "table_one", "odds_ratios", "mutual", "modification", "lag_ladder"),
    *("hazard_ratios", "survival", "causes", "decline", "trajectories", "joint"),
)
_CLASS = "hypnotics"
# Days seen before; window of the first dispensing, dispensings, those beyond a year; after the diagnosis followed,
# with an event, with a visit.
_USES = [("", 0, 0), ("0-1", 1, 0), ("0-1", 2, 0), *((w, *n) for w in (">1-5", ">5") for n in ((1, 1), (2, 1), (2, 2)))]
_COURSES = [(False, False, False), *((True, event, visit) for event in (False, True) for visit in (False, True))]
_KINDS = pd.DataFrame(
    [
        (seen, *use, woman, young, *course)
        for seen, use, woman, young, course in product((600, 900, 3000), _USES, (False, True), (False, True), _COURSES)
    ],
    columns=["seen", "window", "total", "beyond", "woman", "young", "followed", "event", "visit"],
)


def attacked_studies(trials: int, seed: int) -> tuple[int, int]:
    """Studies of random people, each profile in turn; one with any hole is a failure.

    The attacker sees every number of people in the tables of one class of medicines, and looks for small numbers: those
    of the tables, and the few by whom one of them exceeds another.
    """
    rng, failures, cells = np.random.default_rng(seed), 0, list(_cells())
    for trial in range(trials):
        profile = list(PROFILES.values())[trial % len(PROFILES)]
        people = {"cases": _drawn(rng, "cases"), "others": _drawn(rng, "others")}
        exact = _tables(cells, people)
        released = release(exact, profile)
        failures += sum(_holes(cells, released, role, many, profile) for role, many in people.items()) > 0
    return trials, failures


def _drawn(rng, role):
    """Numbers of people of each kind: most use nothing, and many kinds are rare."""
    k = _KINDS
    rate = np.where(k["total"] == 0, rng.choice([5.0, 60.0]), rng.choice([0.5, 2.0, 8.0]))
    rate *= np.where(k["seen"] < 3000, rng.choice([0.01, 0.1]), 1.0) * np.where(
        k["followed"], 1.0, rng.choice([0.02, 0.3])
    )
    if role == "others":
        rate = np.where(k["followed"], 0.0, 5 * rate)
    return rng.poisson(rate * rng.gamma(0.5, 2.0, len(k)))


def _cells():
    """Every cell of counts: its table and row, its column, and which people it counts; in the words of this test."""
    k = _KINDS
    nobody, all_ = np.zeros(len(k), dtype=bool), np.ones(len(k), dtype=bool)
    long, whole = (k["seen"] >= 730).to_numpy(), (k["seen"] >= 2191).to_numpy()
    recurrent = (k["beyond"] == 2).to_numpy()
    followed, event, visit = (k[c].to_numpy() for c in ("followed", "event", "visit"))
    woman, young, user = k["woman"].to_numpy(), k["young"].to_numpy(), (k["total"] >= 2).to_numpy()
    yield from _flow(all_, whole, followed)
    for group, role in (("cases", "cases"), ("population controls", "others")):
        for words, people, n in (
            ("people", all_, all_),
            ("women: n (%)", all_, woman),
            (f"{_CLASS} beyond a year: n (%)", all_, recurrent),
        ):
            yield "table_one", {"group": group, "characteristic": words}, {("people", role): people, ("n", role): n}
    for definition, least in (("recurrent", 2), ("first use", 1)):
        words = {"class": _CLASS, "comparator": "population", "definition": definition}
        yield "odds_ratios", {**words, "window": ">1"}, _pair((k["beyond"] >= least).to_numpy(), long)
        for window in ("0-1", ">1-5", ">5"):
            inside = ((k["window"] == window) & (k["total"] >= least)).to_numpy()
            yield "odds_ratios", {**words, "window": window}, _pair(inside, whole)
    yield "mutual", {"class": _CLASS, "comparator": "population"}, _pair(recurrent, long)
    for modifier, level, inside in (
        ("age", "under 65", young),
        ("age", "65 and over", ~young),
        ("sex", "women", woman),
        ("sex", "men", ~woman),
    ):
        yield "modification", {"class": _CLASS, "modifier": modifier, "level": level}, _pair(recurrent, long & inside)
    for model in ("each class alone", "given the other classes"):
        counts = {"exposed": followed & user, "exposed_events": event & user, "people": followed, "events": event}
        yield "hazard_ratios", {"class": _CLASS, "model": model}, {(c, "cases"): m for c, m in counts.items()}
    for group, inside in (("users", user), ("others", ~user)):
        words = {"class": _CLASS, "group": group, "time_years": 0.0, "survival": 1.0}
        yield "survival", words, {("at_risk", "cases"): followed & inside, ("events", "cases"): nobody}
    for quantity, inside in (("slope of others", ~user), ("slope of users", user), ("difference", user)):
        words = {"class": _CLASS, "quantity": quantity}
        yield "decline", words, {("people", "cases"): visit & inside}
        yield "joint", words, {("people", "cases"): followed & inside, ("events", "cases"): event & inside}
    words = {"class": _CLASS, "quantity": "decline faster by 0.5 points a month"}
    yield "joint", words, {("people", "cases"): followed, ("events", "cases"): event}


def _flow(all_, whole, followed):
    for step, cases, others in (
        ("with at least one control", all_, all_),
        ("observed for 2191 days before (windows only)", whole, whole),
        ("cases followed after the day of diagnosis (prognosis)", followed, np.zeros_like(followed)),
    ):
        counts = {("cases", "cases"): cases, ("others", "others"): others}
        yield "flow", {"comparator": "population", "step": step}, counts


def _pair(exposed, total):
    counts = {(f"exposed_{role}", role): exposed & total for role in ("cases", "others")}
    return counts | {(role, role): total for role in ("cases", "others")} | {("sets", "cases"): total}


def _tables(cells, people):
    rows = {name: [] for name in _TABLES}
    for table, words, counts in cells:
        numbers = {column: int(people[role][mask].sum()) for (column, role), mask in counts.items()}
        rows[table].append({**words, **_ESTIMATES, "note": "", **numbers})
    empty = pd.DataFrame(columns=["time_years", "at_risk"])
    return {name: pd.DataFrame(found) if found else empty for name, found in rows.items()}


def _holes(cells, released, role, people, profile) -> int:
    """Small numbers that are shown, or that what is shown places within an interval that is too narrow."""
    masks, told = [], []
    number = dict.fromkeys(_TABLES, 0)
    for table, _, counts in cells:
        row = released[table].iloc[number[table]]
        number[table] += 1
        mine = {column: mask for (column, whose), mask in counts.items() if whose == role and column in row}
        masks += mine.values()
        told += [row[column] for column in mine]
    masks, told = np.array(masks), np.array(told, dtype=float)
    exact, known = masks @ people, ~np.isnan(told)
    slack = np.where(exact == 0, 0, (profile.base - 1) // 2)[known]
    assert (np.abs(told[known] - exact[known]) <= slack).all(), "the attacker reads the tables otherwise than they are"
    rest = [big & ~part for part, big in product(masks, repeat=2) if not (part & ~big).any()]
    small = {m.tobytes(): m for m in (*masks, *rest) if 0 < people[m].sum() < profile.smallest}
    limits = masks[known], told[known] - slack, told[known] + slack
    reached = (reach(mask, *limits) for mask in small.values())
    return sum(bool(high - low < profile.smallest - 1e-6) for low, high in reached)
