"""Named breaks of design, likelihood and absolute risk; each must make the test that guards it fail."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from prodromal.design import landmark_sets, sampling
from prodromal.design.facts import Facts
from prodromal.features import build
from prodromal.risk import conditional, population, sets
from tests.oracle import test_conditional
from tests.recovery import test_recalibrate, test_whole_job
from tests.unit import test_population, test_training_answers

# The package has a function of this name.
recalibrate = import_module("prodromal.risk.recalibrate")


def fails(check, *arguments) -> bool:
    try:
        check(*arguments)
    except AssertionError:
        return True
    return False


def clogit_oracle():
    test_conditional.test_coefficients_errors_and_likelihood_are_those_of_r("infert", "case~spontaneous+induced")


def test_the_guards_pass_on_the_whole_house(world):
    assert not fails(clogit_oracle)
    assert not fails(test_population.test_constant_rates_have_a_closed_form)
    assert not fails(test_population.test_rates_change_with_age_in_mid_year)
    assert not fails(test_whole_job.test_no_person_is_twice_in_a_set_and_controls_fit_their_case, world)


def test_strata_ignored(monkeypatch):
    def pooled(self, score):
        weight = np.exp(score)
        return weight / weight.sum() * len(self)

    monkeypatch.setattr(sets.MatchedSets, "probabilities", pooled)
    assert fails(clogit_oracle)


def test_sign_flipped(monkeypatch):
    right = conditional._derivatives
    monkeypatch.setattr(conditional, "_derivatives", lambda *a: (-right(*a)[0], right(*a)[1]))
    assert fails(clogit_oracle)


def test_lag_dropped_from_the_risk(monkeypatch):
    right = population._pieces
    monkeypatch.setattr(population, "_pieces", lambda lag, horizon: right(0, horizon))
    assert fails(test_population.test_constant_rates_have_a_closed_form)


def test_age_stands_still(monkeypatch):
    right = population._at
    monkeypatch.setattr(population, "_at", lambda rates, sex, age: right(rates, sex, age - age + 60))
    assert fails(test_population.test_rates_change_with_age_in_mid_year)


def test_competing_death_ignored(monkeypatch):
    right = population.Population.__init__
    monkeypatch.setattr(population.Population, "__init__", lambda self, name, i, m: right(self, name, i, 0 * m))
    assert fails(test_population.test_constant_rates_have_a_closed_form)


def test_future_diagnoses_in_the_early_part(world, monkeypatch):
    monkeypatch.setattr(test_training_answers, "before", lambda cohort, day: cohort)
    assert fails(test_training_answers.test_a_temporal_split_keeps_the_future_out_of_training, world)


def test_weights_of_a_cohort_ignored(world, monkeypatch):
    """An extract of all cases and a few others looks like an epidemic."""
    matrix = build(world.plan, world.register, world.cohort.index_dates)
    guard = test_recalibrate.test_afterwards_expected_equals_observed_and_the_order_stays
    assert not fails(guard, world, matrix)
    right = recalibrate.fit_poisson
    monkeypatch.setattr(
        recalibrate, "fit_poisson", lambda X, y, exposure, weight: right(X, y, exposure, 0 * weight + 1)
    )
    assert fails(guard, world, matrix)


@pytest.mark.parametrize("broken", ["any_sex", "lag", "diagnosed"])
def test_designs(world, monkeypatch, broken):
    if broken == "any_sex":
        monkeypatch.setattr(sampling.Sampler, "_pool", lambda self, case, caliper: self._rows)
    elif broken == "lag":
        right = landmark_sets._cases
        monkeypatch.setattr(
            landmark_sets, "_cases", lambda f, c, r, w: (lambda cases, index: (cases, index + 364))(*right(f, c, r, w))
        )
    else:
        monkeypatch.setattr(Facts, "followed", lambda self, rows, index, until: np.ones(len(rows), dtype=bool))
    drawn = landmark_sets.draw_landmark_sets(world.register, world.question, seed=1, among=~world.held)

    class Broken:
        sets, question = drawn, world.question

    assert fails(test_whole_job.test_no_person_is_twice_in_a_set_and_controls_fit_their_case, Broken)
