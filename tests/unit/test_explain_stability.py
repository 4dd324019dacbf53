"""Limits over refits: families drawn whole, copies of a set kept apart, nothing said from too few models."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from prodromal.errors import DefinitionError
from prodromal.explain import explain
from prodromal.explain.people import people_page
from prodromal.explain.stability import FEWEST_REFITS, _draw, refits, stability


@pytest.fixture(scope="module")
def few(world):
    return world.matrix.take(np.arange(0, 40, 10))


@pytest.fixture(scope="module")
def models(world):
    small = replace(world.model, training={**world.model.training, "rounds": 10})
    return list(refits(small, world.matrix, world.sets, replicates=FEWEST_REFITS, seed=3))


def test_sets_are_drawn_whole_and_copies_stay_apart(world):
    frame = world.sets.frame
    rows, names = _draw(frame, np.random.default_rng(1))
    drawn = frame.iloc[rows].assign(name=names)
    per_set = drawn.groupby("name")
    assert (per_set["case"].sum() == 1).all()
    assert (per_set["set_id"].nunique() == 1).all()
    size = frame.groupby("set_id").size()
    original = per_set["set_id"].first()
    assert (per_set.size() == size[original].to_numpy()).all()
    assert original.duplicated().any()
    assert 0.58 < original.nunique() / len(size) < 0.69  # 1 - 1/e of them


def test_sets_whose_cases_are_of_one_family_come_together(world):
    frame = world.sets.frame.copy()
    chosen = frame["set_id"].unique()[:60]
    frame.loc[frame["set_id"].isin(chosen) & frame["case"], "family"] = -1
    rows, _ = _draw(frame, np.random.default_rng(2))
    drawn = frame.iloc[rows]
    times = drawn[drawn["case"]].groupby("set_id").size().reindex(chosen, fill_value=0)
    assert times.nunique() == 1


def test_limits_hold_the_refits_and_not_always_the_model(world, few, models):
    found = stability(models, few, world.register.persons)
    values = np.asarray([explain(m, few, world.register.persons).values for m in models])
    assert (found.low >= values.min(axis=0)).all()
    assert (found.high <= values.max(axis=0)).all()
    assert (found.low <= np.median(values, axis=0)).all()
    assert (found.high >= np.median(values, axis=0)).all()
    assert found.refits == FEWEST_REFITS
    psychiatric = [found.labels.index(name) for name in ("Anxiolytics", "Hypnotics and sedatives")]
    assert (found.high - found.low)[:, psychiatric].max() > 0.01


def test_equal_models_leave_no_room(world, few):
    found = stability([world.model] * FEWEST_REFITS, few, world.register.persons)
    np.testing.assert_array_equal(found.low, found.high)
    np.testing.assert_allclose(found.low, explain(world.model, few, world.register.persons).values)


def test_limits_stand_beside_the_factors_on_the_page(world, few, models):
    page = people_page(world.register, world.model, few, provenance={}, refits=models).render()
    assert f"over {FEWEST_REFITS} models" in page
    limits = [tuple(map(float, pair)) for pair in re.findall(r"<small>([\d.]+) to ([\d.]+)</small>", page)]
    assert limits
    assert all(low <= high for low, high in limits)
    assert "models of the same settings" not in people_page(world.register, world.model, few, provenance={}).render()


def test_the_same_seed_gives_the_same_models(world, models):
    small = replace(world.model, training={**world.model.training, "rounds": 10})
    again = next(refits(small, world.matrix, world.sets, replicates=1, seed=3))
    assert again.booster.save_raw("ubj") == models[0].booster.save_raw("ubj")
    assert again.slope == models[0].slope != models[1].slope


def test_too_few_models_and_other_designs_are_refused(world, few):
    with pytest.raises(DefinitionError, match="at least 10 refits, 9 given"):
        stability([world.model] * 9, few, world.register.persons)
    with pytest.raises(DefinitionError, match="landmark cohort"):
        next(refits(world.model, world.matrix, world.cohort, replicates=1, seed=1))
