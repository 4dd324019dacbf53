"""Contributions equal those of the libraries, whatever the model."""

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.explain.treeshap import Method, contributions

AGREEMENT = 1e-5


@st.composite
def models(draw, parallel=2):
    """A booster and rows to explain: few features (so that paths repeat them), ties with thresholds, missing values."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_rows, n_features = draw(st.sampled_from([400, 150, 40, 2])), draw(st.sampled_from([6, 12, 3, 1]))
    matrix = rng.integers(0, draw(st.sampled_from([30, 5, 2])), (n_rows, n_features)).astype(np.float32)
    matrix[:, ::2] += rng.normal(0, draw(st.sampled_from([0.0, 1.0])), matrix[:, ::2].shape).astype(np.float32)
    matrix[rng.random(matrix.shape) < draw(st.sampled_from([0.3, 0.0, 0.95]))] = np.nan
    signal = np.nan_to_num(matrix) @ rng.normal(0, 1, n_features) + rng.normal(0, 1, n_rows)
    objective = draw(st.sampled_from(["reg:squarederror", "binary:logistic", "count:poisson"]))
    label = signal > np.median(signal) if objective != "reg:squarederror" else signal
    if draw(st.sampled_from(["varies"] * 9 + ["constant"])) == "constant":
        label = np.ones(n_rows)
    parameters = {
        "objective": objective,
        "max_depth": draw(st.sampled_from([8, 7, 6, 5, 4, 3, 2, 1])),
        "eta": draw(st.sampled_from([0.1, 1.0])),
        "lambda": draw(st.sampled_from([0.0, 1.0])),
        "gamma": draw(st.sampled_from([0.0, 0.0, 0.5])),
        "min_child_weight": draw(st.sampled_from([0.001, 1.0])),
        "max_delta_step": 3,
        "tree_method": draw(st.sampled_from(["hist", "exact"])),
        "num_parallel_tree": draw(st.integers(1, parallel)),
        "base_score": draw(st.sampled_from([0.1, 0.5, None])),
        "nthread": 1,
    }
    parameters = {name: value for name, value in parameters.items() if value is not None}
    booster = xgboost.train(parameters, xgboost.DMatrix(matrix, label, nthread=1), draw(st.integers(1, 6)))
    return booster, np.concatenate([matrix, at_thresholds(booster, n_features, rng)])


def at_thresholds(booster, n_features, rng):
    """Rows of values on thresholds and one float to either side, where a strict comparison in float32 decides."""
    cuts = booster.trees_to_dataframe()["Split"].dropna().to_numpy(np.float32)
    if not len(cuts):
        return np.full((1, n_features), np.nan, np.float32)
    drawn = rng.choice(cuts, (20, n_features))
    return np.concatenate([drawn, np.nextafter(drawn, np.float32(-np.inf)), np.nextafter(drawn, np.float32(np.inf))])


def assert_agree(values, bias, expected, expected_bias):
    limit = AGREEMENT * max(1.0, np.abs(expected).max(), abs(expected_bias))
    assert np.abs(values - expected).max() <= limit
    assert abs(bias - expected_bias) <= limit


def pred_contribs(booster, rows):
    found = booster.predict(xgboost.DMatrix(rows, nthread=1), pred_contribs=True)
    return found[:, :-1], found[0, -1]


@settings(max_examples=100)
@given(models())
def test_equal_to_the_boosters_own(model):
    booster, rows = model
    found = contributions(booster, rows)
    assert found.method is Method.TABLES
    assert found.values.shape == rows.shape
    assert found.values.dtype == np.float32
    assert_agree(*found, *pred_contribs(booster, rows))


@pytest.mark.parametrize("perturbation", ["tree_path_dependent", "interventional"])
@settings(max_examples=30)
@given(model=models(parallel=1))
def test_equal_to_shap(perturbation, model):
    shap = pytest.importorskip("shap")
    booster, rows = model
    background = rows[:20] if perturbation == "interventional" else None
    explainer = shap.TreeExplainer(booster, data=background, feature_perturbation=perturbation)
    explainer.model.model_type = "internal"  # shap's own loops, where it would hand the model back to its library
    expected = explainer.shap_values(rows, check_additivity=False)
    found = contributions(booster, rows, background=background)
    margin = booster.predict(xgboost.DMatrix(rows[:1], nthread=1), output_margin=True)[0]
    assert_agree(*found, expected, margin - expected[0].sum())


@settings(max_examples=30)
@given(models(), st.integers(0, 2**32 - 1))
def test_groups_sum_their_features(model, seed):
    booster, rows = model
    groups = np.unique(np.random.default_rng(seed).integers(0, 4, rows.shape[1]), return_inverse=True)[1]
    single, grouped = contributions(booster, rows), contributions(booster, rows, groups=groups)
    expected = np.zeros((len(rows), groups.max() + 1))
    np.add.at(expected.T, groups, single.values.T.astype(np.float64))
    assert_agree(*grouped, expected, single.bias)
