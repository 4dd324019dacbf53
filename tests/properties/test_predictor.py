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
    frame = booster.trees_to_dataframe()
    return (frame["Feature"] == "Leaf").groupby(frame["Tree"]).sum().max() > 64


def trained(depth, rows=4000):
    rng = np.random.default_rng(1)
    matrix = rng.normal(size=(rows, 5)).astype(np.float32)
    data = xgboost.DMatrix(matrix, rng.normal(size=rows))
    return xgboost.train({"max_depth": depth, "lambda": 0, "min_child_weight": 0, "nthread": 1}, data, 3), matrix


def test_trees_of_64_leaves_are_predicted_and_larger_ones_refused():
    booster, matrix = trained(6)
    assert (
        margins(booster, matrix, once=True).tobytes()
        == booster.inplace_predict(matrix, predict_type="margin").tobytes()
    )
    assert Predictor.of(read_forest(trained(8)[0])) is None


@pytest.mark.parametrize("shift", [-1, 1])
def test_sabotage_a_shifted_leaf_is_another_margin(monkeypatch, shift):
    booster, matrix = trained(4)
    walk = predictor._walk

    def shifted(forest, root):
        splits, masks, leaves = walk(forest, root)
        return splits, masks, leaves[shift:] + leaves[:shift]

    monkeypatch.setattr(predictor, "_walk", shifted)
    assert not np.array_equal(
        margins(booster, matrix, once=True), booster.inplace_predict(matrix, predict_type="margin")
    )
