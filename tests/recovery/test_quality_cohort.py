"""A model trained on a weighted landmark cohort ranks people whom it has not seen, and its risks add up."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from prodromal.design import Cohort, draw_landmark_cohort
from prodromal.features import build
from prodromal.risk import train
from prodromal.risk.weighted import WeightedRows
from tests.world import SMALL_SEARCH


@pytest.fixture(scope="module")
def cohort(world):
    return draw_landmark_cohort(world.register, world.question, on=date(2014, 1, 1), among=~world.held)


@pytest.fixture(scope="module")
def matrix(world, cohort):
    return build(world.plan, world.register, cohort.index_dates)


@pytest.fixture(scope="module")
def model(world, cohort, matrix):
    return train(matrix, cohort, population=world.population, seed=1, search=SMALL_SEARCH)


@pytest.fixture(scope="module")
def held(world):
    return build(world.plan, world.register, world.cohort.index_dates)


def test_it_ranks_and_adds_up_in_people_it_has_not_seen(world, model, held):
    risks = model.score(held, world.register.persons)
    rows, order = WeightedRows.of(world.cohort, world.population)
    assert rows.concordance(risks["score"].to_numpy()[order]) > 0.5 + 0.5 / np.sqrt(rows.cases)
    weight = world.cohort.frame["weight"].to_numpy()
    assert abs(np.log(rows.cases / (risks["risk"] @ weight))) < 3 / np.sqrt(rows.cases)
    assert model.training["objective"] == "cohort"


def test_the_order_of_rows_does_not_matter(world, cohort, matrix, model):
    order = np.random.default_rng(1).permutation(len(cohort.frame))
    mixed = Cohort(cohort.frame.iloc[order].reset_index(drop=True), cohort.outcome, cohort.attrition)
    again = train(matrix.take(order), mixed, population=world.population, seed=1, search=SMALL_SEARCH)
    assert bytes(again.booster.save_raw("ubj")) == bytes(model.booster.save_raw("ubj"))
    np.testing.assert_array_equal(again.reference, model.reference)


def test_a_factor_on_all_weights_changes_nothing(world, cohort, matrix, model):
    doubled = Cohort(cohort.frame.assign(weight=cohort.frame["weight"] * 2), cohort.outcome, cohort.attrition)
    again = train(matrix, doubled, population=world.population, seed=1, search=SMALL_SEARCH)
    assert bytes(again.booster.save_raw("ubj")) == bytes(model.booster.save_raw("ubj"))


def test_age_and_sex_are_not_learned_twice(cohort, world):
    """The hazard of age and sex is an offset: at equal scores, gradients add up to nothing."""
    rows, _ = WeightedRows.of(cohort, world.population)
    gradient, _ = rows.gradient(np.zeros(len(rows)))
    assert abs(gradient.sum()) < 0.01 * rows.cases


def test_gradient_is_that_of_the_likelihood_at_a_fixed_level(cohort, world, monkeypatch):
    rows, _ = WeightedRows.of(cohort, world.population)
    monkeypatch.setattr(WeightedRows, "level", lambda self, score: 0.3)
    f = np.random.default_rng(2).normal(size=len(rows))
    gradient, hessian = rows.gradient(f)
    for row in np.flatnonzero(rows.is_case)[:3]:
        bump = np.zeros(len(f))
        bump[row] = 1e-4
        low, middle, high = (-rows.log_likelihood(f + k * bump) for k in (-1, 0, 1))
        assert gradient[row] == pytest.approx((high - low) / 2e-4, rel=1e-4, abs=1e-6)
        assert hessian[row] == pytest.approx((high - 2 * middle + low) / 1e-8, rel=0.05, abs=1e-3)
