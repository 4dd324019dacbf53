"""Training gives the same bytes for any order of rows and any number of threads."""

from __future__ import annotations

import numpy as np
import pytest

from prodromal.design import Cohort
from prodromal.features import build
from prodromal.risk import SearchSpace, train

SEARCH = SearchSpace(max_depth=(2, 3), min_cases_per_leaf=(10.0,), features_per_tree=(0.5,), trials=2, max_rounds=8)


@pytest.mark.parametrize("threads", [1, 2, 4])
@pytest.mark.parametrize("seed", [0, 1])
def test_any_order_and_threads(world, threads, seed):
    def bytes_of(cohort, n):
        matrix = build(world.plan, world.register, cohort.index_dates)
        model = train(matrix, cohort, population=world.population, seed=3, search=SEARCH, threads=n)
        return bytes(model.booster.save_raw("ubj")), model.slope, model.normaliser.log_mean.tobytes()

    order = np.random.default_rng(seed).permutation(len(world.sets.frame))
    mixed = Cohort(world.sets.frame.iloc[order].reset_index(drop=True), world.sets.outcome, world.sets.attrition)
    assert bytes_of(world.sets, 1) == bytes_of(mixed, threads)
