"""From a simulated delivery to calibrated risks: the risks of the whole population add up to what happened."""

from __future__ import annotations

import numpy as np
import pytest

from prodromal.design import Outcome, draw_landmark_sets
from prodromal.explain import explain
from prodromal.features import build
from prodromal.risk.sets import MatchedSets


@pytest.fixture(scope="module")
def risks(world):
    return world.model.score(build(world.plan, world.register, world.cohort.index_dates), world.register.persons)


def outcome_after_lag(world):
    frame = world.cohort.frame
    return ((frame["event"] == 1) & (frame["time_days"] > world.question.lag_days)).to_numpy()


def test_expected_and_observed_numbers_agree(world, risks):
    weight = world.cohort.frame["weight"].to_numpy()
    observed = outcome_after_lag(world) @ weight
    expected = risks["risk"] @ weight
    assert observed > 30
    assert abs(np.log(observed / expected)) < 3 / np.sqrt(observed)


def test_without_absolute_risk_the_same_model_is_wrong_by_orders_of_magnitude(world, risks):
    """What a model of one case to five controls believes: about one in six."""
    weight = world.cohort.frame["weight"].to_numpy()
    naive = risks["relative_risk"] / (risks["relative_risk"] + 5)
    assert naive @ weight > 100 * (outcome_after_lag(world) @ weight)


def test_mean_risk_of_an_age_and_sex_is_its_table_risk(world, risks):
    frame = world.cohort.frame
    for sex in "MF":
        cell = ((frame["sex"] == sex) & frame["age_years"].between(60, 79)).to_numpy()
        weight = frame["weight"].to_numpy()[cell]
        risk, table = (risks[name].to_numpy()[cell] for name in ("risk_per_100k", "expected_per_100k"))
        ratio = (risk @ weight) / (table @ weight)
        error = np.sqrt(np.sum((weight * (risk - ratio * table)) ** 2)) / (table @ weight)
        assert error < 0.06
        # What c(a, s) owes to the training sample is about as uncertain as the mean over the held-out people.
        assert abs(ratio - 1) < 3 * np.sqrt(2) * error


def test_held_out_cases_rank_above_their_controls_but_not_above_the_truth(world):
    from prodromal.simulate import oracle

    sets = draw_landmark_sets(world.register, world.question, seed=2, among=world.held)
    score = world.model.score(build(world.plan, world.register, sets.index_dates), world.register.persons)["score"]
    truth = oracle(world.delivery, sets.index_dates, horizon_days=1096, lag_days=365)["log_likelihood_ratio"]
    matched = MatchedSets.of(sets.frame)
    c_model, c_truth = (matched.concordance(s.to_numpy()[matched.order]) for s in (score, truth))
    noise = 0.5 / np.sqrt(len(matched))
    assert c_model > 0.5 + noise
    assert c_model < c_truth + 2 * noise


def test_explanations_add_up_for_everyone(world):
    matrix = build(world.plan, world.register, world.cohort.index_dates)
    score = world.model.score(matrix, world.register.persons)["score"].to_numpy()
    for by in ("class", "feature", "window", "class x window"):
        found = explain(world.model, matrix, world.register.persons, by=by)
        np.testing.assert_allclose(found.values.sum(axis=1) + found.base, score, atol=1e-4)


def test_no_person_is_twice_in_a_set_and_controls_fit_their_case(world):
    frame = world.sets.frame
    assert not frame.duplicated(["set_id", "person_id"]).any()
    case = frame[frame["case"]].set_index("set_id").loc[frame["set_id"]].reset_index(drop=True)
    assert (frame["sex"] == case["sex"]).all()
    assert (frame["index_date"] == case["index_date"]).all()
    assert ((frame["birth_year"] - case["birth_year"]).abs() <= frame["caliper_years"]).all()
    days = case["time_days"].to_numpy()
    assert (days > world.question.lag_days).all()
    assert (days <= world.question.horizon_days).all()
    others = ~frame["case"].to_numpy()
    assert (frame["time_days"].to_numpy()[others] > days[others]).all() or (
        frame["time_days"].to_numpy()[others] >= days[others]
    ).all()


def test_no_family_straddles_the_split(world):
    from prodromal.design import family_components

    family = family_components(world.register)
    assert not set(family[world.held]) & set(family[~world.held])
    assert not set(world.sets.frame["family"]) & set(world.cohort.frame["family"])


def test_riluzole_never_reaches_the_matrix(world):
    groups = [g for g in world.plan.groups if g.matches("N07XX02")]
    assert groups == []


def test_other_questions_can_be_asked(world):
    sets = draw_landmark_sets(world.register, Outcome("ALS", 0, 365), seed=1)
    assert (sets.frame.loc[sets.frame["case"], "time_days"] <= 365).all()
