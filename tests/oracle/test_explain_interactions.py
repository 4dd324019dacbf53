"""Interactions of classes equal the library's, summed, and the definition, counted out by hand."""

from __future__ import annotations

from itertools import combinations
from math import factorial

import numpy as np
import pytest
import xgboost

from prodromal.explain import By, dependence, explain, importance, interaction
from prodromal.explain.explanation import columns_of
from prodromal.explain.interaction import group_interactions, users


def booster(depth, *, features=6, trees=12, seed=4):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 9, (400, features)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    known = np.nan_to_num(rows)
    label = known @ rng.normal(0, 1, features) + 3 * (known[:, 0] > 4) * (known[:, 1] < 3) + known[:, 2] * known[:, 3]
    parameters = {"max_depth": depth, "eta": 0.3, "nthread": 1, "base_score": 0.5}
    return xgboost.train(parameters, xgboost.DMatrix(rows, label, nthread=1), trees), rows[:60]


def summed(library, columns):
    """The library's matrix of features as one of groups; it keeps half of an interaction in each of two places."""
    n = max(columns) + 1
    found = np.zeros((len(library), n, n))
    for i, a in enumerate(columns):
        for j, b in enumerate(columns):
            if a != b:
                found[:, a, b] += 2 * library[:, i, j]
    return found


@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
@pytest.mark.parametrize("columns", [[0, 1, 2, 3, 4, 5], [0, 0, 1, 1, 2, 2], [1, 0, 0, 2, 1, 0], [0, 0, 0, 0, 0, 0]])
def test_equal_to_the_librarys(depth, columns):
    model, rows = booster(depth)
    library = model.predict(xgboost.DMatrix(rows, nthread=1), pred_interactions=True)[:, :-1, :-1].astype(np.float64)
    found = group_interactions(model, rows, np.asarray(columns))
    np.testing.assert_allclose(found, summed(library, columns), atol=1e-4)
    assert (np.abs(found).max() > 0.1) == (depth > 1 and len(set(columns)) > 1)


def path_dependent_value(tree, rows, known):
    """What a tree gives on average where only the features in `known` are known."""

    def below(node):
        if "leaf" in node:
            return np.full(len(rows), node["leaf"])
        yes, no = (next(c for c in node["children"] if c["nodeid"] == node[side]) for side in ("yes", "no"))
        feature = int(node["split"][1:])
        value = rows[:, feature]
        goes_yes = np.where(np.isnan(value), node["missing"] == node["yes"], value < node["split_condition"])
        share = yes["cover"] / node["cover"]
        weight = goes_yes if feature in known else share
        return weight * below(yes) + (1 - weight) * below(no)

    return below(tree)


def test_equal_to_the_definition():
    """The Shapley interaction index, from the value of every coalition of features."""
    import json

    model, rows = booster(3, features=4, trees=2)
    trees = [json.loads(text) for text in model.get_dump(with_stats=True, dump_format="json")]
    n = 4
    worth = {
        s: sum(path_dependent_value(tree, rows, s) for tree in trees)
        for k in range(n + 1)
        for s in combinations(range(n), k)
    }
    found = group_interactions(model, rows, np.arange(n))
    for i, j in combinations(range(n), 2):
        index = np.zeros(len(rows))
        rest = [x for x in range(n) if x not in {i, j}]
        for k in range(n - 1):
            for s in combinations(rest, k):
                with_ = [tuple(sorted((*s, *more))) for more in ((i, j), (i,), (j,), ())]
                step = worth[with_[0]] - worth[with_[1]] - worth[with_[2]] + worth[with_[3]]
                index += factorial(k) * factorial(n - 2 - k) / factorial(n - 1) * step
        np.testing.assert_allclose(found[:, i, j], index, atol=1e-4)


@pytest.fixture(scope="module")
def explained(world):
    rows = np.arange(0, len(world.matrix), 8)
    return explain(world.model, world.matrix.take(rows), world.register.persons, by="feature")


def test_the_table_is_made_of_exact_interactions(world, explained):
    matrix = explained.matrix
    labels, columns = columns_of(world.plan, By.CLASS)
    exact = world.model.slope * group_interactions(world.model.booster, matrix.values, columns)
    frame = interaction(world.model, matrix, replicates=50, seed=1, groups=matrix.person_row)
    assert len(frame) == len(labels) * (len(labels) - 1) // 2
    assert frame["mean_abs_interaction"].is_monotonic_decreasing
    top = frame.iloc[0]
    a, b = labels.index(top["label"]), labels.index(top["other"])
    assert top["mean_abs_interaction"] == pytest.approx(np.abs(exact[:, a, b]).mean())
    both = users(matrix, top["label"]) & users(matrix, top["other"])
    assert top["users_of_both"] == both.sum()
    assert top["factor_of_users"] == pytest.approx(np.exp(exact[both, a, b].mean()))
    assert top["ci_low"] <= top["mean_abs_interaction"] <= top["ci_high"]
    assert frame.loc[frame["note"] != "", "factor_of_users"].isna().all()


def test_importance_of_classes_is_the_mean_of_their_absolute_sums(explained):
    classes = explained.grouped(By.CLASS)
    frame = importance(classes, replicates=0, seed=1).set_index("label")["mean_abs_contribution"]
    for label, column in zip(classes.labels, classes.values.T, strict=True):
        assert frame[label] == pytest.approx(np.abs(column).mean())


def test_sums_by_feature_equal_what_is_explained_by_class_at_once(world, explained):
    for by in (By.CLASS, By.WINDOW, By.CLASS_WINDOW):
        at_once = explain(world.model, explained.matrix, world.register.persons, by=by)
        summed_up = explained.grouped(by)
        assert summed_up.labels == at_once.labels
        np.testing.assert_allclose(summed_up.values, at_once.values, atol=1e-5)


def test_dependence_averages_to_the_mean_contribution_of_the_class(explained):
    column = explained.grouped(By.CLASS)
    for label in column.labels:
        frame = dependence(explained, label, replicates=0, seed=1)
        if frame["note"].eq("").all():
            assert frame["people"].sum() == len(explained.score)
            mean = np.average(frame["mean_contribution"], weights=frame["people"])
            assert mean == pytest.approx(column.values[:, column.labels.index(label)].mean())
