"""Likelihoods equal their definitions, written slowly: enumeration, integration, dense matrices."""

from __future__ import annotations

from itertools import combinations
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq, minimize
from scipy.special import log_expit
from scipy.stats import binom, chi2, multivariate_normal

from prodromal.association import fit_conditional_logistic, fit_joint, fit_mixed
from prodromal.association.conditional_likelihood import likelihood_of
from prodromal.association.joint import _prepare
from prodromal.association.joint_likelihood import JointLikelihood
from prodromal.association.strata import Strata


def matched(n, seed, most_cases=1, terms=3):
    """Sets of two to seven members with one case each, or up to so many; some have nobody else."""
    rng = np.random.default_rng(seed)
    sets = np.repeat(np.arange(n), rng.integers(2, 8, n))
    X = rng.normal(size=(len(sets), terms))
    X[:, 0] = X[:, 0] > 0.5
    case = np.zeros(len(sets), dtype=int)
    for label in range(n):
        rows = np.flatnonzero(sets == label)
        weight = np.exp(X[rows] @ np.linspace(0.8, -0.4, terms))
        many = int(rng.integers(1, min(most_cases, len(rows)) + 1))
        case[rng.choice(rows, many, replace=False, p=weight / weight.sum())] = 1
    return case, X, sets


def joint_data(n, seed):
    """Scores and deaths that share a random intercept and slope, with the parameters that made them."""
    rng = np.random.default_rng(seed)
    use = (rng.random(n) < 0.3).astype(float)
    u = rng.multivariate_normal([0, 0], [[25, 0.3], [0.3, 0.2]], n)
    rate = 0.02 * np.exp(0.4 * use - 0.03 * u[:, 0] - 1.2 * u[:, 1])
    dead, lost = rng.exponential(1 / rate), rng.uniform(6, 60, n)
    time = np.minimum(dead, lost)
    person = np.repeat(np.arange(n), np.ceil(time / 3).astype(int))
    months = 3.0 * (np.arange(len(person)) - np.searchsorted(person, person))
    X = pd.DataFrame({"1": 1.0, "months": months, "use": use[person], "months by use": months * use[person]})
    y = 38 - 0.8 * months - 0.2 * X["months by use"].to_numpy() + u[person, 0] + u[person, 1] * months
    truth = {"score:1": 38, "score:months": -0.8, "score:months by use": -0.2, "hazard:use": 0.4}
    return SimpleNamespace(
        y=y + rng.normal(0, 1.5, len(y)),
        X=X,
        person=person,
        months=months,
        time=time,
        event=dead < lost,
        W=pd.DataFrame({"use": use}),
        truth=truth | {"link:intercept": -0.03, "link:slope": -1.2},
    )


def enumerated(b, case, X, sets):
    total = 0.0
    for label in np.unique(sets):
        rows = np.flatnonzero(sets == label)
        m = int(case[rows].sum())
        if not 0 < m < len(rows):
            continue
        eta = X[rows] @ b
        choices = [eta[list(c)].sum() for c in combinations(range(len(rows)), m)]
        total += eta[case[rows] == 1].sum() - np.log(np.exp(choices).sum())
    return total


@pytest.mark.parametrize("most_cases", [1, 3])
def test_conditional_likelihood_is_over_all_choices_of_cases(most_cases):
    case, X, sets = matched(40, seed=1, most_cases=most_cases)
    strata = Strata.of(case, sets)
    likelihood = likelihood_of(strata, X[strata.order])
    for b in (np.zeros(3), np.array([0.5, -0.3, 1.2])):
        assert likelihood.value(b) == pytest.approx(enumerated(b, case, X, sets), rel=1e-12)


def test_one_case_and_several_cases_are_the_same_where_both_apply():
    from prodromal.association.conditional_likelihood import OneCase, SeveralCases

    case, X, sets = matched(50, seed=2)
    strata = Strata.of(case, sets)
    b = np.array([0.4, -0.2, 0.1])
    one, several = (kind(strata, X[strata.order]) for kind in (OneCase, SeveralCases))
    assert one.value(b) == pytest.approx(several.value(b), rel=1e-12)
    for left, right in zip(one.derivatives(b), several.derivatives(b), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-9, atol=1e-9)


def test_pairs_have_closed_forms():
    """Among discordant pairs the odds ratio is their ratio; Firth's adds a half to each."""
    discordant = [30, 12]
    case = np.tile([1, 0], 42)
    x = np.concatenate([np.tile([1.0, 0.0], discordant[0]), np.tile([0.0, 1.0], discordant[1])])
    sets = np.repeat(np.arange(42), 2)
    plain = fit_conditional_logistic(case, x, sets)
    assert plain.table()["estimate"][0] == pytest.approx(30 / 12, rel=1e-10)
    assert plain.standard_errors[0] == pytest.approx(np.sqrt(1 / 30 + 1 / 12), rel=1e-10)
    gain = binom.logpmf(30, 42, 30 / 42) - binom.logpmf(30, 42, 0.5)
    assert plain.log_likelihood - plain.log_likelihood_null == pytest.approx(gain)
    assert fit_conditional_logistic(case, x, sets, firth=True).table()["estimate"][0] == pytest.approx(30.5 / 12.5)


def test_firths_limits_are_where_the_penalised_likelihood_of_pairs_has_fallen():
    """In closed form: half a pair more on each side."""
    case = np.tile([1, 0], 42)
    x = np.concatenate([np.tile([1.0, 0.0], 30), np.tile([0.0, 1.0], 12)])
    row = fit_conditional_logistic(case, x, np.repeat(np.arange(42), 2), firth=True).table().iloc[0]

    def fallen(b):
        return 30.5 * (log_expit(np.log(30.5 / 12.5)) - log_expit(b)) + 12.5 * (
            log_expit(-np.log(30.5 / 12.5)) - log_expit(-b)
        )

    low, high = (brentq(lambda b: fallen(b) - chi2.ppf(0.95, 1) / 2, *ends) for ends in ((-3, 0.89), (0.9, 5)))
    assert row["ci_low"] == pytest.approx(np.exp(low), rel=1e-8)
    assert row["ci_high"] == pytest.approx(np.exp(high), rel=1e-8)
    assert row["p"] == pytest.approx(chi2.sf(2 * fallen(0.0), 1), rel=1e-6)


def test_firths_limits_with_other_terms_are_those_of_a_blind_search():
    case, X, sets = matched(40, seed=8)
    row = fit_conditional_logistic(case, X, sets, firth=True).table().iloc[0]

    def information(b):
        total = np.zeros((3, 3))
        for label in np.unique(sets):
            rows = X[sets == label]
            p = np.exp(rows @ b) / np.exp(rows @ b).sum()
            total += (rows.T * p) @ rows - np.outer(p @ rows, p @ rows)
        return total

    def penalised(b):
        return enumerated(b, case, X, sets) + 0.5 * np.linalg.slogdet(information(b))[1]

    def profile(held):
        found = minimize(lambda o: -penalised(np.array([held, *o])), np.zeros(2), method="Nelder-Mead", tol=1e-10)
        return -found.fun

    top = profile(row["coefficient"])
    for limit in (row["ci_low"], row["ci_high"]):
        assert top - profile(np.log(limit)) == pytest.approx(chi2.ppf(0.95, 1) / 2, abs=1e-6)


@pytest.mark.parametrize("reml", [True, False])
def test_mixed_model_likelihood_is_that_of_the_whole_normal_vector(reml):
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(8), rng.integers(1, 6, 8))
    t = rng.random(len(groups)) * 10
    X = np.column_stack([np.ones(len(t)), t])
    y = 3 + 0.5 * t + rng.normal(size=8)[groups] + 0.3 * rng.normal(size=8)[groups] * t + rng.normal(size=len(t))
    fit = fit_mixed(y, X, groups, X, reml=reml)
    same = groups[:, None] == groups
    V = np.where(same, X @ fit.random @ X.T, 0.0) + fit.residual * np.eye(len(t))
    value = multivariate_normal(X @ fit.coefficients, V).logpdf(y)
    if reml:
        value += 0.5 * (2 * np.log(2 * np.pi) - np.linalg.slogdet(X.T @ np.linalg.solve(V, X))[1])
    assert fit.log_likelihood == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(fit.covariance, np.linalg.inv(X.T @ np.linalg.solve(V, X)), rtol=1e-7)


def test_joint_likelihood_is_the_double_integral():
    """Two random effects integrated on a dense grid, person by person."""
    d = joint_data(12, seed=3)
    data, theta = _prepare(d.y, d.X, d.person, d.months, d.time, d.event, d.W, 2)
    theta = theta.copy()
    theta[-2:] = [-0.08, -1.5]
    theta[-3] = 0.4
    likelihood = JointLikelihood(data)
    parts = likelihood._parts(theta)
    cov, sigma = parts.L @ parts.L.T, np.exp(parts.log_sigma)
    points, weights = np.polynomial.legendre.leggauss(80)
    grid = np.stack(np.meshgrid(8 * points, 8 * points, indexing="ij"), axis=-1).reshape(-1, 2)
    area = 64 * np.outer(weights, weights).ravel()
    total = 0.0
    X, Z = d.X.to_numpy(), np.column_stack([np.ones(len(d.months)), d.months])
    cumulative = data.spent @ np.exp(parts.baseline)
    for i in range(len(d.time)):
        mine = d.person == i
        # Around where the scores put this person, and as wide.
        around = np.linalg.inv(np.linalg.inv(cov) + Z[mine].T @ Z[mine] / sigma**2)
        root = np.linalg.cholesky(around)
        u = around @ Z[mine].T @ (d.y[mine] - X[mine] @ parts.b) / sigma**2 + grid @ root.T
        density = area * np.linalg.det(root) * multivariate_normal([0, 0], cov).pdf(u)
        away = d.y[mine, None] - (X[mine] @ parts.b)[:, None] - Z[mine] @ u.T
        log_f = -0.5 * (away**2).sum(axis=0) / sigma**2 - mine.sum() * np.log(sigma * np.sqrt(2 * np.pi))
        eta = d.W.to_numpy()[i] @ parts.g + u @ parts.a
        log_f = log_f + d.event[i] * (parts.baseline[data.piece[i]] + eta) - cumulative[i] * np.exp(eta)
        total += np.log((density * np.exp(log_f)).sum())
    assert likelihood.value(theta) == pytest.approx(total, rel=1e-8)


def test_more_points_of_quadrature_change_nothing():
    d = joint_data(80, seed=4)
    data, theta = _prepare(d.y, d.X, d.person, d.months, d.time, d.event, d.W, 3)
    theta = np.concatenate([theta[:-2], [-0.08, -1.5]])
    assert JointLikelihood(data, 15).value(theta) == pytest.approx(JointLikelihood(data, 60).value(theta), rel=1e-9)


def test_without_a_link_the_joint_model_is_the_mixed_model_and_a_hazard():
    d = joint_data(60, seed=5)
    data, theta = _prepare(d.y, d.X, d.person, d.months, d.time, d.event, d.W, 3)
    likelihood = JointLikelihood(data)
    Z = np.column_stack([np.ones(len(d.months)), d.months])
    alone = fit_mixed(d.y, d.X, d.person, Z, reml=False).log_likelihood
    baseline = theta[-6:-3]
    hazard = (d.event * baseline[data.piece] - data.spent @ np.exp(baseline)).sum()
    assert likelihood.value(theta) == pytest.approx(alone + hazard, rel=1e-7)


def test_joint_model_gives_back_what_was_simulated():
    """Slopes, hazard ratio and links within three standard errors; and the mixed model alone declines too slowly."""
    d = joint_data(900, seed=6)
    fit = fit_joint(d.y, d.X, d.person, d.months, time=d.time, event=d.event, W=d.W)
    found = fit.table().set_index("term")
    for term, truth in d.truth.items():
        assert abs(found.loc[term, "estimate"] - truth) < 3 * found.loc[term, "se"], term
    alone = fit_mixed(d.y, d.X, d.person, np.column_stack([np.ones(len(d.months)), d.months])).table()
    assert alone.set_index("term").loc["months", "estimate"] > found.loc["score:months", "estimate"] + 0.015
    assert isinstance(found, pd.DataFrame)
