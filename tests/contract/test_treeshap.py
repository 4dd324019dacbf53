"""What may be explained, what is refused, and what is said when the library has to do it."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
import xgboost

from prodromal.errors import BundleError, DataError, DefinitionError
from prodromal.explain import tables
from prodromal.explain.treeshap import Method, TreeShap, contributions
from prodromal.trees import CUTS_PER_COLUMN


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(2)
    rows = rng.normal(0, 1, (600, 4)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    return rows


def train(rows, rounds=4, **parameters):
    label = np.nan_to_num(rows[:, 0] - rows[:, 1]) + np.sin(1000 * np.nan_to_num(rows[:, 2])) > 0.2
    data = xgboost.DMatrix(rows, label, nthread=1)
    return xgboost.train({"objective": "binary:logistic", "nthread": 1, **parameters}, data, rounds)


def edit(booster, change):
    """The booster with its JSON changed, as a foreign or damaged file would bring it."""

    class Edited:
        def save_raw(self, _):
            model = json.loads(booster.save_raw("json"))
            change(model["learner"])
            return json.dumps(model).encode()

    return Edited()


def first_tree(learner):
    return learner["gradient_booster"]["model"]["trees"][0]


def test_sum_and_bias_are_the_margin(rows):
    booster = train(rows, 50)
    values, bias = contributions(booster, rows)
    margin = booster.predict(xgboost.DMatrix(rows, nthread=1), output_margin=True)
    assert np.abs(values.sum(axis=1, dtype=np.float64) + bias - margin).max() < 1e-5


def test_unused_features_get_exactly_zero(rows):
    booster = train(np.where(np.arange(4) == 2, np.float32(0), rows))
    assert not contributions(booster, rows).values[:, 2].any()


def test_constant_model_has_only_a_bias(rows):
    booster = train(rows, gamma=1e9)
    values, bias = contributions(booster, rows)
    assert not values.any()
    assert bias == pytest.approx(booster.predict(xgboost.DMatrix(rows[:1], nthread=1), output_margin=True)[0], abs=1e-6)


def test_no_trees_and_no_rows(rows):
    values, bias = contributions(train(rows, 0, base_score=0.5), rows)
    assert not values.any()
    assert bias == 0.0
    assert contributions(train(rows), rows[:0]).values.shape == (0, 4)


def test_more_cuts_than_a_byte_can_count(rows):
    booster = train(rows, 200, max_depth=6, min_child_weight=0.001, tree_method="exact")
    prepared = TreeShap.of(booster)
    assert np.diff(prepared.tables.book.cut_from).max() == CUTS_PER_COLUMN
    expected = booster.predict(xgboost.DMatrix(rows, nthread=1), pred_contribs=True)
    assert np.abs(prepared.contributions(rows).values - expected[:, :-1]).max() < 1e-5


@pytest.mark.parametrize("why", ["deep", "many"])
def test_the_library_does_it_and_it_is_said(rows, why, monkeypatch):
    booster = train(rows, max_depth=12 if why == "deep" else 4, min_child_weight=0.001)
    if why == "many":
        monkeypatch.setattr(tables, "MAX_ENTRIES", 100)
    found = contributions(booster, rows)
    assert found.method is Method.LIBRARY
    expected = booster.predict(xgboost.DMatrix(rows, nthread=1), pred_contribs=True)
    assert np.array_equal(found.values, expected[:, :-1])
    assert found.bias == expected[0, -1]
    nothing = contributions(booster, rows[:0])
    assert nothing.values.shape == (0, 4)
    assert nothing.bias == found.bias
    grouped = contributions(booster, rows, groups=[0, 1, 0, 1])
    assert np.allclose(grouped.values[:, 0], expected[:, 0] + expected[:, 2], atol=1e-6)
    with pytest.raises(DefinitionError, match="too deep"):
        contributions(booster, rows, background=rows[:5])


def test_margins_at_hand_are_used_and_checked(rows):
    booster = train(rows)
    prepared, margin = TreeShap.of(booster), booster.predict(xgboost.DMatrix(rows, nthread=1), output_margin=True)
    assert np.array_equal(prepared.contributions(rows, margins=margin).values, prepared.contributions(rows).values)
    margin[:3] += 0.01
    with pytest.raises(DataError, match="3 of 600 rows do not add up"):
        prepared.contributions(rows, margins=margin)
    margin[:3] = np.nan
    with pytest.raises(DataError, match="3 of 600 rows do not add up"):
        prepared.contributions(rows, margins=margin)
    with pytest.raises(DataError, match="600 rows"):
        prepared.contributions(rows, margins=margin[1:])


@pytest.mark.parametrize(
    ("parameters", "label"),
    [
        ({"booster": "dart", "rate_drop": 0.5, "one_drop": 1}, None),
        ({"booster": "gblinear"}, None),
        ({"objective": "multi:softprob", "num_class": 3}, 3),
    ],
)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_other_kinds_of_model_are_refused(rows, parameters, label):
    target = np.arange(len(rows)) % (label or 2)
    booster = xgboost.train({"nthread": 1, **parameters}, xgboost.DMatrix(rows, target, nthread=1), 2)
    with pytest.raises(BundleError, match="model"):
        contributions(booster, rows)


def test_vector_leaves_are_refused(rows):
    target = np.nan_to_num(rows[:, :2])
    parameters = {"nthread": 1, "multi_strategy": "multi_output_tree", "tree_method": "hist"}
    booster = xgboost.train(parameters, xgboost.DMatrix(rows, target, nthread=1), 2)
    with pytest.raises(BundleError, match="outputs"):
        contributions(booster, rows)


def test_categorical_splits_are_refused(rows):
    codes = np.abs(np.nan_to_num(rows) * 3).astype(np.int64).astype(np.float32)
    data = xgboost.DMatrix(codes, codes[:, 0] % 2, feature_types=["c"] * 4, enable_categorical=True, nthread=1)
    booster = xgboost.train({"nthread": 1, "tree_method": "hist", "max_cat_to_onehot": 1}, data, 2)
    with pytest.raises(BundleError, match="categories"):
        contributions(booster, codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda learner: first_tree(learner)["left_children"].__setitem__(0, 10**6), "children"),
        (lambda learner: first_tree(learner)["right_children"].__setitem__(0, -1), "children"),
        (lambda learner: first_tree(learner)["left_children"].__setitem__(0, 0), "two parents"),
        (lambda learner: first_tree(learner)["right_children"].__setitem__(0, 1), "two parents"),
        (lambda learner: first_tree(learner)["sum_hessian"].__setitem__(0, 0.0), "cover"),
        (lambda learner: first_tree(learner)["sum_hessian"].__setitem__(1, -1.0), "cover"),
        (lambda learner: first_tree(learner)["sum_hessian"].__setitem__(1, float("nan")), "cover"),
        (lambda learner: first_tree(learner)["sum_hessian"].pop(), "sum_hessian"),
        (lambda learner: first_tree(learner)["split_indices"].__setitem__(0, 4), "beyond the 4"),
        (lambda learner: first_tree(learner)["split_conditions"].__setitem__(-1, float("inf")), "not a number"),
        (lambda learner: first_tree(learner)["split_conditions"].__setitem__(0, float("nan")), "not a number"),
        (lambda learner: learner["learner_model_param"].__setitem__("base_score", "[0.5,0.5]"), "base_score"),
        (
            lambda learner: (
                learner["objective"].__setitem__("name", "count:poisson"),
                learner["learner_model_param"].__setitem__("base_score", "0"),
            ),
            "base_score",
        ),
    ],
)
def test_malformed_trees_are_refused(rows, change, message):
    with pytest.raises(BundleError, match=message):
        TreeShap.of(edit(train(rows), change))


def test_base_score_without_brackets_is_read(rows):
    booster = train(rows, base_score=0.25)
    as_before_version_3 = edit(
        booster, lambda learner: learner["learner_model_param"].__setitem__("base_score", "2.5E-1")
    )
    assert TreeShap.of(as_before_version_3).tables.bias == TreeShap.of(booster).tables.bias


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"matrix": np.zeros((3, 5))}, DataError),
        ({"matrix": np.zeros(4)}, DataError),
        ({"threads": 0}, DefinitionError),
        ({"groups": [0, 1]}, DefinitionError),
        ({"groups": [0, 1, 3, 0]}, DefinitionError),
        ({"groups": [0, 1, -1, 0]}, DefinitionError),
        ({"groups": [0.0, 1.0, 0.0, 0.0]}, DefinitionError),
        ({"background": np.zeros((3, 5))}, DataError),
        ({"background": np.zeros((0, 4))}, DefinitionError),
    ],
)
def test_what_does_not_fit_is_refused_without_values(rows, arguments, error):
    matrix = np.where(np.isnan(rows), np.nan, np.float32(987654.0))
    with pytest.raises(error) as caught:
        contributions(**{"booster": train(rows), "matrix": matrix, **arguments})
    assert not re.search("987654", str(caught.value))


def test_importing_loads_neither_numba_nor_the_boosters_library():
    code = (
        "import sys, prodromal.explain.treeshap;"
        "print(sorted({'numba', 'xgboost', 'shap', 'joblib', 'pandas'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
