"""Each of these breaks makes a comparison with the library, or with the margin, fail."""

import numpy as np
import pytest
import xgboost

from prodromal.errors import DataError
from prodromal.explain import games, plan, tables
from prodromal.explain.treeshap import contributions
from prodromal.trees import stored
from tests.properties.test_treeshap_libraries import assert_agree, at_thresholds, pred_contribs


@pytest.fixture(scope="module")
def model():
    rng = np.random.default_rng(4)
    rows = rng.integers(0, 9, (500, 6)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    label = np.nan_to_num(rows) @ rng.normal(0, 1, 6) + 3 * (np.nan_to_num(rows[:, 0]) > 4) * np.isnan(rows[:, 1])
    parameters = {"max_depth": 5, "eta": 0.3, "nthread": 1, "base_score": 0.5}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, label, nthread=1), 8)
    return booster, np.concatenate([rows, at_thresholds(booster, 6, rng)])


def wrapped(function, change):
    return lambda *given, **named: change(function(*given, **named))


def with_nodes(change):
    def break_(monkeypatch):
        real = stored.read_forest
        monkeypatch.setattr(stored, "read_forest", wrapped(real, change))

    return break_


def with_leaves(change):
    def break_(monkeypatch):
        monkeypatch.setattr(plan, "_leaves", wrapped(plan._leaves, change))

    return break_


def with_splits(change):
    def break_(monkeypatch):
        real = tables.code_splits
        monkeypatch.setattr(tables, "code_splits", wrapped(real, lambda pair: (pair[0], change(pair[1]))))

    return break_


def changed(instance, **columns):
    from dataclasses import replace

    return instance._replace(**columns) if hasattr(instance, "_replace") else replace(instance, **columns)


def count_repeated_features_twice(monkeypatch):
    monkeypatch.setattr(plan, "_once", lambda unit_of, asked: (unit_of, asked))


def leave_out_the_tables_rounding_bound(monkeypatch):
    monkeypatch.setattr(tables, "_bounds", lambda table, *rest: np.full(len(rest[2]), 1e-3))


def play_the_game_of_the_mean(monkeypatch):
    real = games.fill_tables

    def fill(layout, leaves, units, share, table):
        real(layout, changed(leaves, weight=np.full_like(leaves.weight, 0.5)), units, share, table)

    monkeypatch.setattr(games, "fill_tables", fill)


BREAKS = {
    "missing goes right": with_nodes(lambda f: changed(f, default_left=np.zeros_like(f.default_left))),
    "missing goes the other way": with_nodes(lambda f: changed(f, default_left=~f.default_left)),
    "at the threshold goes left": with_nodes(
        lambda f: changed(f, threshold=np.where(f.left < 0, f.threshold, np.nextafter(f.threshold, np.float32(np.inf))))
    ),
    "children swapped": with_nodes(lambda f: changed(f, left=f.right, right=f.left)),
    "cover is the number of leaves": with_nodes(lambda f: changed(f, cover=np.ones_like(f.cover))),
    "base score on the wrong scale": with_nodes(lambda f: changed(f, base_margin=f.base_margin + 0.1)),
    "bound one too low": with_splits(lambda s: changed(s, bound=s.bound - np.uint8(1))),
    "one tree too few": with_nodes(lambda f: changed(f, roots=f.roots[:-1])),
    "leaf on the other side": with_leaves(lambda leaves: changed(leaves, step_left=~leaves.step_left)),
    "leaf values in float16": with_leaves(
        lambda leaves: changed(leaves, value=leaves.value.astype(np.float16).astype(np.float64))
    ),
    "repeated features counted twice": count_repeated_features_twice,
    "totals overflow": leave_out_the_tables_rounding_bound,
    "every split a coin": play_the_game_of_the_mean,
}


def test_unbroken(model):
    assert_agree(*contributions(*model), *pred_contribs(*model))


@pytest.mark.parametrize("name", BREAKS)
def test_a_break_is_seen(model, name, monkeypatch):
    BREAKS[name](monkeypatch)
    with pytest.raises((AssertionError, DataError)):
        assert_agree(*contributions(*model), *pred_contribs(*model))


@pytest.mark.parametrize(
    "name",
    [
        "missing goes right",
        "at the threshold goes left",
        "base score on the wrong scale",
        "one tree too few",
        "totals overflow",
    ],
)
def test_the_check_against_the_margin_sees_it_without_a_library(model, name, monkeypatch):
    BREAKS[name](monkeypatch)
    with pytest.raises(DataError, match="do not add up"):
        contributions(*model)
