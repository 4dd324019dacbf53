"""Contributions equal the definition of the Shapley value, summed over all coalitions of features."""

import json
from itertools import combinations
from math import factorial

import numpy as np
import pytest
import xgboost

from prodromal.explain.treeshap import contributions

N_FEATURES = 5


@pytest.fixture(scope="module", params=[1, 3, 6])
def booster(request):
    rng = np.random.default_rng(request.param)
    rows = draw_rows(rng, 400)
    label = np.nan_to_num(rows) @ rng.normal(0, 1, N_FEATURES) + np.nan_to_num(rows[:, 0] * rows[:, 1])
    parameters = {"max_depth": request.param, "eta": 0.5, "base_score": 0.3, "nthread": 1}
    return xgboost.train(parameters, xgboost.DMatrix(rows, label, nthread=1), 5)


def draw_rows(rng, n_rows):
    rows = rng.integers(0, 6, (n_rows, N_FEATURES)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    return rows


def goes_left(tree, node, row):
    value = row[tree["split_indices"][node]]
    return bool(tree["default_left"][node]) if np.isnan(value) else value < np.float32(tree["split_conditions"][node])


def by_covers(tree, row, coalition, node=0):
    """The tree's expected value with the features of a coalition known, others weighted by training covers."""
    children = tree["left_children"][node], tree["right_children"][node]
    if children[0] < 0:
        return tree["split_conditions"][node]
    if tree["split_indices"][node] in coalition:
        return by_covers(tree, row, coalition, children[0] if goes_left(tree, node, row) else children[1])
    cover = tree["sum_hessian"]
    return sum(cover[child] / cover[node] * by_covers(tree, row, coalition, child) for child in children)


def by_background(background):
    def expected(tree, row, coalition):
        known = np.isin(np.arange(N_FEATURES), list(coalition))
        mixed = np.where(known, row, background)
        return np.mean([by_covers(tree, each, range(N_FEATURES)) for each in mixed])

    return expected


def shapley(expected, trees, row):
    def game(coalition):
        return sum(expected(tree, row, coalition) for tree in trees)

    values = np.zeros(N_FEATURES)
    for feature in range(N_FEATURES):
        others = [other for other in range(N_FEATURES) if other != feature]
        for size in range(N_FEATURES):
            weight = factorial(size) * factorial(N_FEATURES - size - 1) / factorial(N_FEATURES)
            for coalition in combinations(others, size):
                values[feature] += weight * (game((*coalition, feature)) - game(coalition))
    return values, game(())


@pytest.mark.parametrize("form", ["covers", "background"])
def test_definition(booster, form):
    trees = json.loads(booster.save_raw("json"))["learner"]["gradient_booster"]["model"]["trees"]
    rng = np.random.default_rng(5)
    rows, background = draw_rows(rng, 12), draw_rows(rng, 4) if form == "background" else None
    expected = by_covers if background is None else by_background(background)
    values, bias = contributions(booster, rows, background=background)
    for row, found in zip(rows, values, strict=True):
        shares, base = shapley(expected, trees, row)
        assert np.abs(found - shares).max() < 5e-6
        assert abs(bias - 0.3 - base) < 5e-6
