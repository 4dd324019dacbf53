"""Trees start from the study's exposures, and a slope is shrunk by its own uncertainty."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from prodromal.features import build
from prodromal.risk import train
from prodromal.risk.boosting import OutOfFold, Settings, boost
from prodromal.risk.exposures import STUDY_CLASSES, exposure_columns
from prodromal.risk.material import prepare
from prodromal.risk.training import _slope
from tests.world import SMALL_SEARCH

FIRST = 20


def features_by_tree(booster):
    table = booster.trees_to_dataframe()
    split = table[table["Feature"] != "Leaf"]
    return {tree: set(names) for tree, names in split.groupby("Tree")["Feature"]}


def test_the_first_trees_are_stumps_on_the_exposures_and_later_ones_are_not(world):
    plan = world.plan
    found = features_by_tree(world.model.booster)
    exposures = {f"f{column}" for column in exposure_columns(plan)}
    assert len(exposures) == len(STUDY_CLASSES)
    assert world.model.training["rounds"] > FIRST
    assert all(found[tree] <= exposures and len(found[tree]) == 1 for tree in range(FIRST))
    assert not all(found[tree] <= exposures for tree in found if tree >= FIRST)


def test_without_exposures_in_the_plan_all_trees_look_at_everything(world):
    plan = replace(world.plan, since=("days_since_last",))
    assert not len(exposure_columns(plan))
    matrix = build(plan, world.register, world.sets.index_dates)
    model = train(matrix, world.sets, population=world.population, seed=1, search=SMALL_SEARCH)
    assert model.training["rounds"] > 0


def test_the_first_trees_alone_rank_as_the_exposures_do(world):
    material = prepare(world.matrix, world.sets, world.population, folds=5, seed=1)
    booster = boost(material.X, material.likelihood, Settings(), FIRST, seed=1, exposures=material.exposures)
    score = booster.inplace_predict(material.X, predict_type="margin")
    used = material.X[:, material.exposures]
    patterns = {tuple(row) for row in used}
    assert len(np.unique(score)) == len(patterns)
    assert len(patterns) == 2 ** len(STUDY_CLASSES)


@pytest.mark.parametrize(
    ("slope", "error", "expected"),
    [(0.5, 1.0, 0.1), (-1.0, 0.1, 0.0), (1.0, 1.0, 0.5), (2.0, 1.0, 1.6), (1.0, 0.1, 1 / 1.01), (10.0, 0.1, 2.0)],
)
def test_the_slope_is_shrunk_by_its_uncertainty(slope, error, expected):
    likelihood = SimpleNamespace(
        linear=lambda X: SimpleNamespace(coefficients=np.array([slope]), standard_errors=np.array([error]))
    )
    best = OutOfFold(Settings(), 1, 0.0, np.array([0.0, 1.0]))
    found, told = _slope(best, likelihood)
    assert found == pytest.approx(expected)
    assert told == error


def test_equal_scores_have_no_slope():
    assert _slope(OutOfFold(Settings(), 1, 0.0, np.zeros(3)), None) == (0.0, None)


def test_with_many_cases_trees_find_their_own_start(world, monkeypatch):
    assert len(prepare(world.matrix, world.sets, world.population, folds=5, seed=1).exposures)
    monkeypatch.setattr("prodromal.risk.material._MANY_CASES", 100)
    assert not len(prepare(world.matrix, world.sets, world.population, folds=5, seed=1).exposures)
