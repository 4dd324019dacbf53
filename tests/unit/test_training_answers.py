"""Too little to learn from gets a defined answer: an error that says what is missing, or "not estimable"."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from prodromal.design import Cohort, Outcome, draw_landmark_cohort, draw_landmark_sets
from prodromal.design.split import before, since
from prodromal.errors import DataError, NotEstimable
from prodromal.features import build
from prodromal.risk import train
from prodromal.risk.material import prepare
from tests.world import SMALL_SEARCH


def fit(world, matrix, cohort, **changes):
    return train(matrix, cohort, population=world.population, seed=1, search=replace(SMALL_SEARCH, **changes))


def first_sets(world, number: int):
    keep = world.sets.frame["set_id"].isin(world.sets.frame["set_id"].unique()[:number]).to_numpy()
    return world.matrix.take(keep), world.sets.where(keep)


def landmark(world):
    cohort = draw_landmark_cohort(world.register, world.question, on=date(2013, 1, 1), among=~world.held)
    return build(world.plan, world.register, cohort.index_dates), cohort


def test_nobody_with_the_outcome(world):
    with pytest.raises(DataError, match="no person has the outcome"):
        draw_landmark_sets(world.register, Outcome("MS"), seed=1)
    nobody = np.zeros(len(world.register.persons), dtype=bool)
    with pytest.raises(NotEstimable, match="nobody chosen for training has a diagnosis of ALS"):
        draw_landmark_sets(world.register, world.question, seed=1, among=nobody)


def test_no_controls_for_anybody(world):
    only_cases = np.zeros(len(world.register.persons), dtype=bool)
    only_cases[world.register.diagnoses("ALS")[0][:1]] = True
    with pytest.raises(NotEstimable, match=r"no control was at risk|observed long enough"):
        draw_landmark_sets(world.register, world.question, seed=1, among=only_cases)


@pytest.mark.parametrize("number", [1, 19])
def test_too_few_cases(world, number):
    with pytest.raises(NotEstimable, match=f"not estimable: {number} matched sets"):
        fit(world, *first_sets(world, number))


def test_a_set_without_controls_goes_whole_and_is_harmless(world):
    matrix, sets = first_sets(world, 60)
    lonely = sets.frame["set_id"] == sets.frame["set_id"].iloc[0]
    keep = (~lonely | sets.frame["case"]).to_numpy()
    assert sets.where(keep).frame["set_id"].nunique() == 59
    ragged = Cohort(sets.frame[keep].reset_index(drop=True), sets.outcome, sets.attrition)
    assert np.isfinite(fit(world, matrix.take(keep), ragged).slope)


def test_a_set_without_a_case_is_refused(world):
    matrix, sets = first_sets(world, 30)
    keep = ~(sets.frame["case"] & (sets.frame["set_id"] == sets.frame["set_id"].iloc[0])).to_numpy()
    broken = Cohort(sets.frame[keep].reset_index(drop=True), sets.outcome, sets.attrition)
    with pytest.raises(DataError, match="1 of 30 matched sets do not have exactly one case"):
        fit(world, matrix.take(keep), broken)


def test_constant_features(world):
    matrix, sets = first_sets(world, 30)
    flat = replace(matrix, values=np.zeros_like(matrix.values))
    with pytest.raises(NotEstimable, match="not estimable: no feature differs between people of the same matched set"):
        fit(world, flat, sets)


def test_look_back_that_nobody_was_observed_for(world):
    matrix, sets = first_sets(world, 30)
    values = matrix.values.copy()
    values[:, [f.window is not None for f in world.plan.features]] = np.nan
    with pytest.raises(NotEstimable, match="not estimable: the look-back of every window is unobserved"):
        fit(world, replace(matrix, values=values), sets)


def test_too_few_families_for_the_folds(world):
    matrix, sets = first_sets(world, 30)
    one = Cohort(sets.frame.assign(family=0), sets.outcome, sets.attrition)
    with pytest.raises(NotEstimable, match="of 1 families, too few for 5 folds"):
        fit(world, matrix, one)


def test_another_cohorts_matrix_is_refused(world):
    matrix, sets = first_sets(world, 30)
    with pytest.raises(DataError, match="not built for this cohort"):
        fit(world, matrix.take(np.arange(len(matrix))[::-1]), sets)


def test_a_cohort_without_diagnoses(world):
    matrix, cohort = landmark(world)
    none = replace(cohort, frame=cohort.frame.assign(event=0))
    with pytest.raises(NotEstimable, match="not estimable: the cohort has no diagnosis"):
        fit(world, matrix, none)


def test_weights_that_stand_for_nobody(world):
    matrix, cohort = landmark(world)
    bad = replace(cohort, frame=cohort.frame.assign(weight=0.0))
    with pytest.raises(DataError, match="column weight"):
        fit(world, matrix, bad)


def test_a_temporal_split_keeps_the_future_out_of_training(world):
    day = date(2013, 1, 1)
    early, late = before(world.sets, day), since(world.sets, day)
    cases = early.frame[early.frame["case"]]
    assert (cases["index_date"] + cases["time_days"].astype("timedelta64[D]") < np.datetime64(day)).all()
    assert (late.frame["index_date"] >= np.datetime64(day)).all()
    assert (early.frame.groupby("set_id")["case"].agg(["sum", "size"]) == [1, 6]).mean().min() > 0.9
    assert not set(early.frame["set_id"]) & set(late.frame["set_id"])
    assert early.attrition["step"].iloc[-1] == "before 2013-01-01"
    assert len(world.sets.attrition) == len(early.attrition) - 1


def test_a_temporal_split_with_nothing_on_one_side(world):
    with pytest.raises(NotEstimable, match="not estimable: none of"):
        before(world.sets, date(1990, 1, 1))
    matrix, cohort = landmark(world)
    with pytest.raises(NotEstimable, match="with index dates from 2020-01-01 on"):
        since(cohort, date(2020, 1, 1))
    assert len(before(cohort, date(2020, 1, 1)).frame) == len(matrix)


def test_controls_who_are_drawn_again_do_not_empty_the_folds(world):
    """An extract with few people without a diagnosis: one control in every set ties all sets together."""
    matrix, sets = first_sets(world, 60)
    frame = sets.frame.copy()
    last = frame.groupby("set_id").tail(1).index
    frame.loc[last, "family"] = frame["family"].iloc[1]
    material = prepare(matrix, Cohort(frame, sets.outcome, sets.attrition), world.population, folds=5, seed=1)
    for number in range(5):
        seen, rows = material.likelihood.subset(material.fold != number)
        assert seen.cases >= 40
        assert len(seen.sizes) == seen.cases
        assert (np.diff(np.append(seen.start, len(rows))) > 1).all()
        assert material.likelihood.is_case[rows].sum() == seen.cases
