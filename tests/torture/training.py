"""Training on the same data in another order, with other threads."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from prodromal.design import Cohort
from prodromal.features import build
from prodromal.risk import SearchSpace, train
from tests.world import World

__all__ = ["training_is_identical"]

_SEARCH = SearchSpace(max_depth=(2, 3), min_cases_per_leaf=(10.0,), features_per_tree=(0.5,), trials=2, max_rounds=8)


def training_is_identical(trials: int, seed: int) -> tuple[int, int]:
    """Rows in random order, 1, 2 and 4 threads in turn: the bytes of the model stay."""
    with tempfile.TemporaryDirectory() as name:
        world = World.make(Path(name), persons=2_000_000, noncase_fraction=0.005)
        expected = _bytes(world, world.sets, threads=1)
        failures = 0
        for trial in range(trials):
            order = np.random.default_rng([seed, trial]).permutation(len(world.sets.frame))
            frame = world.sets.frame.iloc[order].reset_index(drop=True)
            mixed = Cohort(frame, world.sets.outcome, world.sets.attrition)
            failures += _bytes(world, mixed, threads=(1, 2, 4)[trial % 3]) != expected
    return trials, failures


def _bytes(world: World, cohort: Cohort, *, threads: int) -> tuple[object, ...]:
    matrix = build(world.plan, world.register, cohort.index_dates)
    model = train(matrix, cohort, population=world.population, seed=3, search=_SEARCH, threads=threads)
    return bytes(model.booster.save_raw("ubj")), model.slope, model.normaliser.log_mean.tobytes()
