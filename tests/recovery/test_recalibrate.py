"""Recalibration finds a known wrong level and spread, and leaves the ranking alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prodromal.errors import DataError, NotEstimable
from prodromal.features import build
from prodromal.risk import recalibrate
from prodromal.risk.normaliser import Normaliser


@pytest.fixture(scope="module")
def matrix(world):
    return build(world.plan, world.register, world.cohort.index_dates)


def test_a_wrong_level_and_spread_are_found(world, matrix):
    right = recalibrate(world.model, matrix, world.cohort, world.register.persons)
    wrong = replace(
        world.model,
        slope=world.model.slope / 2,
        normaliser=Normaliser(world.model.normaliser.log_mean / 2),
        population=world.population.scaled(3.0),
    )
    found = recalibrate(wrong, matrix, world.cohort, world.register.persons)
    assert found.slope == pytest.approx(2 * right.slope, rel=1e-6)
    assert found.intercept == pytest.approx(right.intercept - np.log(3), rel=1e-6)
    assert abs(right.intercept) < 4 * right.intercept_se


def test_afterwards_expected_equals_observed_and_the_order_stays(world, matrix):
    found = recalibrate(world.model, matrix, world.cohort, world.register.persons)
    before, after = (m.score(matrix, world.register.persons) for m in (world.model, found.model))
    assert (before["score"].rank() == after["score"].rank()).all()
    frame = world.cohort.frame
    counted = ((frame["event"] == 1) & (frame["time_days"] > world.question.lag_days)).to_numpy()
    assert after["risk"] @ frame["weight"].to_numpy() == pytest.approx(counted.sum(), rel=0.05)
    again = recalibrate(found.model, matrix, world.cohort, world.register.persons)
    assert (again.intercept, again.slope) == pytest.approx((0.0, 1.0), abs=1e-6)


def test_a_longer_follow_up_changes_nothing(world, matrix):
    short = recalibrate(world.model, matrix, world.cohort, world.register.persons)
    frame, end = world.cohort.frame, world.question.horizon_days
    beyond = frame.assign(  # half of those followed to the end are ill a year later
        event=np.where((frame["event"] == 0) & (frame["time_days"] >= end) & (frame.index % 2 == 0), 1, frame["event"]),
        time_days=np.where(frame["time_days"] >= end, end + 365, frame["time_days"]),
    )
    assert (beyond["event"] == 1).sum() > 2 * (frame["event"] == 1).sum()
    long = recalibrate(world.model, matrix, replace(world.cohort, frame=beyond), world.register.persons)
    assert (long.intercept, long.slope) == pytest.approx((short.intercept, short.slope))


def test_another_outcome_is_refused(world, matrix):
    other = replace(world.cohort, outcome=replace(world.question, name="Parkinson"))
    with pytest.raises(DataError, match="the cohort is about Parkinson, the model about ALS"):
        recalibrate(world.model, matrix, other, world.register.persons)


def test_too_few_diagnoses(world, matrix):
    few = replace(world.cohort, frame=world.cohort.frame.assign(event=0))
    with pytest.raises(NotEstimable, match="0 diagnoses"):
        recalibrate(world.model, matrix, few, world.register.persons)
