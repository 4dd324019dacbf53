"""Contributions and base beside the score that they explain."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from prodromal.explain import By, explain
from prodromal.features import build
from prodromal.risk import load
from tests.torture.small import deliver, make_bundle, make_register

__all__ = ["explanations_add_up"]

_TOLERANCE = 1e-4


def explanations_add_up(trials: int, seed: int) -> tuple[int, int]:
    """One person at a random date a trial: contributions by feature, class, window and both add up to the score."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deliver(folder / "d", persons=2_000, seed=seed)
        register = make_register(folder / "d", folder / "r")
        model = load(make_bundle(register, folder / "b"))
        asked = register.frame("persons")[["person_id"]].sample(trials, replace=True, random_state=seed)
        asked["index_date"] = np.datetime64("2011-01-01") + rng.integers(0, 3600, trials).astype("timedelta64[D]")
        matrix = build(model.plan, register, asked)
    score = model.score(matrix, register.persons)["score"].to_numpy()
    wrong = np.zeros(trials, dtype=bool)
    for by in By:
        found = explain(model, matrix, register.persons, by=by)
        wrong |= ~(np.abs(found.values.sum(axis=1) + found.base - score) <= _TOLERANCE)
    return trials, int(wrong.sum())
