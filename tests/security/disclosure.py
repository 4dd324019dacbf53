"""An attacker on released tables: whoever sees them, how closely can they place a count that was suppressed?"""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd

from prodromal.evaluate import PROFILES, EvaluationData, evaluate
from prodromal.evaluate.disclosure import suppress
from tests.security.attacker import reach
from tests.security.studies import attacked_studies
from tests.security.use_told import attacked_use

__all__ = ["attacked_evaluations", "attacked_studies", "attacked_sums", "attacked_use"]


def attacked_sums(trials: int, seed: int) -> tuple[int, int]:
    """Random crossed and nested tables, each profile in turn: a table with any hole is a failure."""
    rng, failures = np.random.default_rng(seed), 0
    for trial in range(trials):
        members, counts = _crossed(rng) if trial % 2 else _nested(rng)
        smallest = list(PROFILES.values())[trial % len(PROFILES)].smallest
        failures += _holes(members, counts, suppress(members, counts, smallest), smallest) > 0
    return trials, failures


def _crossed(rng):
    """Cells of two groupings, both margins and the total."""
    shape = int(rng.integers(2, 4)), int(rng.integers(2, 6))
    cells = rng.negative_binomial(1, rng.uniform(0.005, 0.3), shape).ravel()
    atoms = np.arange(len(cells)).reshape(shape)
    return _sums(cells, [*([a] for a in atoms.ravel()), *atoms, *atoms.T, atoms.ravel()])


def _nested(rng):
    """Tops of one ranking, and tenths of it."""
    parts = rng.negative_binomial(1, rng.uniform(0.01, 0.3), int(rng.integers(4, 12)))
    tops = [range(i) for i in range(1, len(parts) + 1) if i == len(parts) or rng.random() < 0.7]
    return _sums(parts, [*tops, *([i] for i in range(len(parts)) if rng.random() < 0.7)])


def _sums(cells, sums):
    members = np.zeros((len(sums), len(cells)), dtype=bool)
    for row, atoms in zip(members, sums, strict=True):
        row[list(atoms)] = True
    return members, members @ cells


def _holes(members, counts, hidden, smallest) -> int:
    """Small counts that are shown, and hidden ones that the shown place within an interval that is too narrow."""
    found = int(((counts > 0) & (counts < smallest) & ~hidden).sum())
    for which in np.flatnonzero(hidden):
        low, high = reach(members[which], members[~hidden], counts[~hidden], counts[~hidden])
        found += high - low < smallest - 1e-6
    return found


def attacked_evaluations(trials: int, seed: int) -> tuple[int, int]:
    """Evaluations of random people, each profile in turn; one with any hole is a failure.

    The attacker sees every number of people and of outcomes by sex, age, region, sex and age, and above each threshold,
    and knows that in any group the outcomes are some of its people.
    """
    rng, failures = np.random.default_rng(seed), 0
    for trial in range(trials):
        profile = list(PROFILES.values())[trial % len(PROFILES)]
        frame = _people(rng)
        data = EvaluationData.from_frame(frame, horizon_days=1826, lag_days=0)
        result = evaluate(data, replicates=0, seed=1, profile=profile.name)
        failures += _exposed(frame, result.released, profile) > 0
    return trials, failures


def _people(rng):
    n = int(rng.integers(300, 3000))
    risk = rng.gamma(1.0, rng.choice([0.005, 0.02, 0.1]), n).clip(1e-5, 0.9)
    event = (rng.random(n) < risk).astype(int)
    event[rng.integers(n, size=2)] = [0, 1]
    rare = rng.uniform(0.001, 0.02)
    frame = {"risk": risk, "event": event, "time_days": np.where(event == 1, rng.integers(1, 1800, n), 1826)}
    frame |= {"sex": rng.choice(["M", "F"], n, p=[1 - (s := rng.uniform(0.02, 0.5)), s])}
    frame |= {"age_years": rng.choice(np.arange(40, 95), n)}
    return pd.DataFrame(frame | {"region": rng.choice(["a", "b", "c"], n, p=[0.6, 0.4 - rare, rare])})


_AGES = {
    "under 50": (0, 50),
    "50 to 59": (50, 60),
    "60 to 69": (60, 70),
    "70 to 79": (70, 80),
    "80 and over": (80, 999),
}


def _groups(frame, released):
    """Each group that the tables count, the people in it, and its shown numbers of people and outcomes."""
    inside = {("sex", s): frame["sex"] == s for s in ("M", "F")}
    inside |= {("age", a): frame["age_years"].between(low, high - 1) for a, (low, high) in _AGES.items()}
    inside |= {("region", r): frame["region"] == r for r in frame["region"].unique()}
    overview = released["overview"].set_index("item")["n"]
    yield frame["risk"] > 0, overview["people"], overview["outcome in the window"]
    for key, rows in released["subgroups"].groupby(["grouping", "group"], sort=False, observed=True):
        yield inside[key], rows["n"].max(), rows["events"].max()
    for (sex, age), rows in released["calibration_cells"].groupby(["sex", "age"], sort=False, observed=True):
        yield inside["sex", sex] & inside["age", age], rows["n"].max(), rows["events"].max()
    for threshold, rows in released["thresholds"].query("model == 'model'").groupby("threshold"):
        yield frame["risk"] >= threshold, rows["n"].max(), rows["events"].max()


def _thinkable(frame, released):
    """One of every kind of people that there may be: which kinds there are is told to nobody."""
    edges = np.sort(released["thresholds"]["threshold"].unique())
    kinds = itertools.product(["M", "F"], [low for low, _ in _AGES.values()], frame["region"].unique(), [1e-9, *edges])
    return pd.DataFrame(list(kinds), columns=["sex", "age_years", "region", "risk"])


def _exposed(frame, released, profile) -> int:
    groups = list(_groups(frame, released))
    thinkable = _thinkable(frame, released)
    masks = [np.array([mask.to_numpy() for mask, _, _ in _groups(whose, released)]) for whose in (frame, thinkable)]
    atoms, kind = np.unique(np.hstack(masks), axis=1, return_inverse=True)
    kind, case = kind.ravel()[: len(frame)], frame["event"].to_numpy() == 1
    cases, others = (np.bincount(kind[chosen], minlength=atoms.shape[1]) for chosen in (case, ~case))
    # Of each kind of people first the outcomes, then the others; zeros may be shown as they are.
    people, outcomes = np.hstack([atoms, atoms]), np.hstack([atoms, np.zeros_like(atoms)])
    true = np.concatenate([cases, others])
    told = np.array([[n, events] for _, n, events in groups], dtype=float)
    sums, shown = np.concatenate([people, outcomes]), np.concatenate([told[:, 0], told[:, 1]])
    exact, known = sums @ true, ~np.isnan(shown)
    slack = np.where(exact[known] == 0, 0, (profile.base - 1) // 2)
    assert (np.abs(shown[known] - exact[known]) <= slack).all(), "the attacker reads the tables otherwise than they are"
    found = int(((shown > 0) & (shown < profile.smallest)).sum())
    for which in np.flatnonzero(~known & (exact > 0)):
        low, high = reach(sums[which], sums[known], shown[known] - slack, shown[known] + slack)
        found += high - low < profile.smallest - 1e-6
    return found
