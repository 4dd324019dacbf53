"""The predictor gives the bits of the library's own sum, whatever the model, and knows when it cannot."""

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings

from prodromal.trees import Predictor, code_rows, predictor, read_forest
from tests.properties.test_treeshap_libraries import models


def margins(booster, rows, *, once):
    found = Predictor.of(read_forest(booster))
    return found.margins(code_rows(found.book, rows, once=once))


@settings(max_examples=60)
@given(models())
def test_the_bits_of_the_library(model):
    booster, rows = model
    expected = booster.inplace_predict(rows, predict_type="margin")
    assert Predictor.of(read_forest(booster)) is not None or deep(booster)
    if not deep(booster):
        for once in (False, True):
            assert margins(booster, np.concatenate([rows, rows]), once=once).tobytes() == np.tile(expected, 2).tobytes()


def deep(booster):
    return most_leaves(booster) > 256


def most_leaves(booster):
    frame = booster.trees_to_dataframe()
    return (frame["Feature"] == "Leaf").groupby(frame["Tree"]).sum().max()


def trained(rows=4000, **growth):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(rows, 5)).astype(np.float32)
    matrix[rng.random(matrix.shape) < 0.1] = np.nan
    data = xgboost.DMatrix(matrix, rng.normal(size=rows))
    parameters = {"lambda": 0, "min_child_weight": 0, "nthread": 1, "tree_method": "hist", "max_bin": 2000, **growth}
    return xgboost.train(parameters, data, 3), matrix


LOPSIDED = {"grow_policy": "lossguide", "max_depth": 0}


@pytest.mark.parametrize(
    ("growth", "leaves"),
    [({"max_depth": 6}, 40), ({"max_depth": 8}, 100), ({**LOPSIDED, "max_leaves": 256}, 256)],
    ids=["depth 6", "depth 8", "256 leaves"],
)
def test_large_trees_give_the_bits_of_the_library(growth, leaves):
    booster, matrix = trained(**growth)
    assert most_leaves(booster) >= leaves
    expected = booster.inplace_predict(matrix, predict_type="margin")
    assert margins(booster, matrix, once=True).tobytes() == expected.tobytes()


def test_trees_of_more_than_256_leaves_are_left_to_the_library():
    assert Predictor.of(read_forest(trained(**LOPSIDED, max_leaves=257)[0])) is None


@pytest.mark.parametrize("shift", [-1, 1])
def test_sabotage_a_shifted_leaf_is_another_margin(monkeypatch, shift):
    booster, matrix = trained(max_depth=4)
    walk = predictor._walk

    def shifted(forest, root):
        steps, leaves = walk(forest, root)
        return steps, leaves[shift:] + leaves[:shift]

    monkeypatch.setattr(predictor, "_walk", shifted)
    assert not np.array_equal(
        margins(booster, matrix, once=True), booster.inplace_predict(matrix, predict_type="margin")
    )
