"""The classifier keeps scikit-learn's contract with no expected failure, and refuses another plan's matrix."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from prodromal.errors import BundleError
from prodromal.risk.classifier import BoostedRiskClassifier


@parametrize_with_checks([BoostedRiskClassifier()])
def test_scikit_learns_contract(estimator, check):
    state = np.random.get_state()  # noqa: NPY002  the checks draw from numpy's global state
    try:
        check(estimator)
    finally:
        np.random.set_state(state)  # noqa: NPY002


@pytest.fixture(scope="module")
def fitted(world):
    return BoostedRiskClassifier(rounds=20).fit(world.matrix, world.sets.frame["case"])


def test_cases_rank_above_controls(world, fitted):
    case = world.sets.frame["case"].to_numpy()
    score = fitted.decision_function(world.matrix)
    assert score[case].mean() > score[~case].mean()


def test_another_plan_is_refused(world, fitted):
    other = replace(world.matrix, plan=replace(world.plan, min_coverage=0.5))
    with pytest.raises(BundleError, match="built by plan"):
        fitted.predict(other)


def test_features_in_another_order_are_refused(world, fitted):
    frame = world.matrix.to_frame()[list(world.plan.names)]
    np.testing.assert_array_equal(fitted.predict_proba(frame), fitted.predict_proba(world.matrix))
    with pytest.raises(ValueError, match="feature names"):
        fitted.predict(frame[frame.columns[::-1]])


def test_one_class_is_said(world):
    with pytest.raises(ValueError, match="not estimable: y holds one class"):
        BoostedRiskClassifier().fit(world.matrix, np.zeros(len(world.matrix)))
