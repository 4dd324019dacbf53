"""Derivatives are those of the likelihoods, and fits do not depend on units, coding, order or what tells nothing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.association import fit_conditional_logistic, fit_cox, fit_mixed
from prodromal.association.clogit import likelihood_of
from prodromal.association.joint import _prepare
from prodromal.association.joint_likelihood import JointLikelihood
from prodromal.association.mixed import ProfiledDeviance
from prodromal.association.newton import inverse
from prodromal.association.strata import Strata
from tests.oracle.test_association_definitions import joint_data, matched

EXACT = {"rtol": 1e-8, "atol": 1e-10}


def numeric(value, at, step=1e-5):
    """Central differences of a function of a vector, along the first axis of the result."""
    return np.array([(value(at + h) - value(at - h)) / (2 * step) for h in step * np.eye(len(at))])


def close(left, right, relative):
    np.testing.assert_allclose(left, right, rtol=relative, atol=relative * np.abs(right).max())


def survival_data(n=120, seed=1):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 3))
    time = np.ceil(rng.exponential(np.exp(-X @ [0.5, -0.2, 0.0])) * 8)  # ties
    start = np.where(rng.random(n) < 0.4, np.floor(time * rng.random(n)), 0.0)
    return time, rng.random(n) < 0.7, X, start, rng.integers(0, 3, n)


def conditional(most_cases):
    case, X, sets = matched(60, seed=3, most_cases=most_cases)
    strata = Strata.of(case, sets)
    return likelihood_of(strata, X[strata.order])


def cox(ties):
    time, event, X, start, strata = survival_data()
    return fit_cox(time, event, X, entry=start, strata=strata, ties=ties).likelihood


LIKELIHOODS = {
    "one case a set": lambda: conditional(1),
    "several cases a set": lambda: conditional(3),
    "Cox, Efron": lambda: cox("efron"),
    "Cox, Breslow": lambda: cox("breslow"),
}


@pytest.mark.parametrize("name", LIKELIHOODS)
def test_score_and_information_are_the_derivatives(name):
    likelihood = LIKELIHOODS[name]()
    for b in (np.zeros(3), np.array([0.7, -0.4, 0.2])):
        gradient, information = likelihood.derivatives(b)
        close(gradient, numeric(likelihood.value, b), 1e-7)
        close(information, -numeric(lambda x: likelihood.derivatives(x)[0], b), 1e-7)


def test_firths_score_is_the_derivative_of_the_penalised_likelihood():
    likelihood = conditional(1)
    b = np.array([0.7, -0.4, 0.2])
    half = numeric(lambda x: 0.5 * np.linalg.slogdet(likelihood.derivatives(x)[1])[1], b)
    close(likelihood.third(b, inverse(likelihood.derivatives(b)[1], "abc")), half, 1e-7)


@pytest.mark.parametrize("name", ["one case a set", "Cox, Efron", "Cox, Breslow"])
def test_score_residuals_add_up_to_the_score(name):
    likelihood = LIKELIHOODS[name]()
    b = np.array([0.7, -0.4, 0.2])
    close(likelihood.residuals(b).sum(axis=0), likelihood.derivatives(b)[0], 1e-10)


@pytest.mark.parametrize("reml", [True, False])
@pytest.mark.parametrize("correlated", [True, False])
def test_gradient_of_the_mixed_model(reml, correlated):
    d = joint_data(40, seed=1)
    Z = np.column_stack([np.ones(len(d.months)), d.months / 10])
    names = tuple(d.X.columns)
    deviance = ProfiledDeviance.of(d.y, d.X.to_numpy(), Z, d.person, names, reml=reml, correlated=correlated)
    theta = np.array([1.5, 0.3, 0.8])[: 3 if correlated else 2]
    close(deviance(theta)[1], numeric(lambda t: deviance(t)[0], theta), 1e-7)


def test_score_and_information_of_the_joint_model():
    d = joint_data(60, seed=2)
    data, theta = _prepare(d.y, d.X, d.person, d.months, d.time, d.event, d.W, 3)
    theta = theta + np.random.default_rng(0).normal(0, 0.05, len(theta))
    theta[-2:] = [-0.08, -1.5]
    likelihood = JointLikelihood(data)
    close(likelihood.score(theta), numeric(likelihood.value, theta), 1e-6)
    close(likelihood.information(theta), -numeric(likelihood.score, theta, 1e-4), 1e-6)


def fitted(kind):
    """A function of covariates and an order of rows that gives a fit."""
    if kind == "cox":
        time, event, X, start, strata = survival_data()

        def fit(values, order):
            return fit_cox(time[order], event[order], values[order], entry=start[order], strata=strata[order]).fit

        return fit, X
    case, X, sets = matched(80, seed=5, most_cases=3 if kind == "several" else 1)

    def fit_sets(values, order):
        return fit_conditional_logistic(case[order], values[order], sets[order])

    return fit_sets, X


KINDS = ["one", "several", "cox"]


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25)
@given(st.lists(st.floats(-4, 4), min_size=3, max_size=3), st.integers(0, 1000))
def test_units_origins_and_order_of_rows_change_nothing(kind, powers, seed):
    fit, X = fitted(kind)
    scale, order = 10.0 ** np.array(powers), np.random.default_rng(seed).permutation(len(X))
    plain, other = fit(X, np.arange(len(X))), fit(X * scale + 3 * scale, order)
    np.testing.assert_allclose(other.coefficients * scale, plain.coefficients, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(other.standard_errors * scale, plain.standard_errors, rtol=1e-6)
    assert other.log_likelihood == pytest.approx(plain.log_likelihood, rel=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_another_coding_of_the_same_groups_is_the_same_model(kind):
    """Contrasts against another reference: same likelihood, differences of coefficients."""
    fit, X = fitted(kind)
    group = np.digitize(X[:, 1], [-0.5, 0.5])
    codings = [np.column_stack([X[:, 0], *(group == g for g in others)]).astype(float) for others in ((1, 2), (0, 2))]
    first, second = (fit(coding, np.arange(len(X))) for coding in codings)
    assert first.log_likelihood == pytest.approx(second.log_likelihood, rel=1e-12)
    assert first.coefficients[0] == pytest.approx(second.coefficients[0], rel=1e-8)
    assert first.coefficients[1] == pytest.approx(-second.coefficients[1], rel=1e-7)
    assert first.coefficients[2] - first.coefficients[1] == pytest.approx(second.coefficients[2], rel=1e-7)
    assert first.wald.statistic == pytest.approx(second.wald.statistic, rel=1e-8)


def test_sets_that_tell_nothing_and_their_labels_change_nothing():
    case, X, sets = matched(50, seed=7)
    plain = fit_conditional_logistic(case, X, sets)
    more = np.concatenate([X, X[:5], X[:4]])
    silent = np.concatenate([sets, np.full(5, 900), [901, 902, 903, 904]])
    also = np.concatenate([case, np.zeros(5, dtype=int), [1, 1, 0, 0]])
    for label in (silent, [f"set {n}" for n in -silent]):
        other = fit_conditional_logistic(also, more, label)
        np.testing.assert_allclose(other.coefficients, plain.coefficients, **EXACT)
        np.testing.assert_allclose(other.covariance, plain.covariance, **EXACT)
        assert other.rows == plain.rows


def test_a_constant_of_the_set_changes_nothing():
    case, X, sets = matched(50, seed=8)
    plain = fit_conditional_logistic(case, X, sets)
    shifted = fit_conditional_logistic(case, X + 100 * np.sin(sets)[:, None], sets)
    np.testing.assert_allclose(shifted.coefficients, plain.coefficients, rtol=1e-7, atol=1e-9)


def test_each_set_twice_halves_the_variance_but_not_the_clustered_one():
    case, X, sets = matched(50, seed=9)
    twice = np.concatenate([case, case]), np.concatenate([X, X]), np.concatenate([sets, sets + 1000])
    plain, double = fit_conditional_logistic(case, X, sets, cluster=sets), fit_conditional_logistic(*twice)
    clustered = fit_conditional_logistic(*twice, cluster=np.concatenate([sets, sets]))
    np.testing.assert_allclose(double.covariance, plain.naive_covariance / 2, **EXACT)
    np.testing.assert_allclose(clustered.covariance, plain.covariance, rtol=1e-7, atol=1e-12)


def test_a_set_is_never_several_groups():
    """Residuals within a set add up to almost nothing: taken one by one they would make the limits too narrow."""
    case, X, sets = matched(50, seed=10)
    by_set = fit_conditional_logistic(case, X, sets, cluster=sets)
    by_person = fit_conditional_logistic(case, X, sets, cluster=np.arange(len(case)))
    np.testing.assert_allclose(by_person.covariance, by_set.covariance, **EXACT)
    family = np.where(np.arange(len(case)) < 2, 0, np.arange(len(case)))
    family[np.flatnonzero(sets == 7)[0]] = 0
    merged = fit_conditional_logistic(case, X, sets, cluster=np.where(np.isin(sets, [sets[0], 7]), -1, sets))
    np.testing.assert_allclose(
        fit_conditional_logistic(case, X, sets, cluster=family).covariance, merged.covariance, **EXACT
    )


def test_units_of_time_change_nothing_in_a_mixed_model():
    d = joint_data(60, seed=3)

    def fit(unit):
        X = pd.DataFrame({"1": 1.0, "t": d.months * unit})
        return fit_mixed(d.y, X, d.person, X.to_numpy())

    months, days = fit(1.0), fit(30.4375)
    assert months.log_likelihood == pytest.approx(days.log_likelihood + np.log(30.4375), rel=1e-8)
    assert months.coefficients[1] == pytest.approx(days.coefficients[1] * 30.4375, rel=1e-5)
    assert months.random[1, 1] == pytest.approx(days.random[1, 1] * 30.4375**2, rel=1e-3)
