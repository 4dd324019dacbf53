"""Intervals hold the truth about as often as they say; the long version is `scripts/bench/evaluate --coverage 400`."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prodromal.evaluate import EvaluationData
from prodromal.evaluate.calibration import calibration_statistic, oe_statistic
from prodromal.evaluate.ranking import ranking_statistic
from prodromal.evaluate.resample import Population, combine, estimate

TRIALS, REPLICATES, PEOPLE = 30, 60, 6000
# P(25 or fewer of 30 | 95 %) is 1.6 %; the seeds are fixed, so this never flickers.
LEAST = 25


def drawn(n, rng):
    """Risks that are right; censoring at random; cases kept, a third of the others sampled, weighted back."""
    hazard = np.exp(rng.normal(-3.5, 0.7, n))
    when = rng.exponential(1 / hazard)
    lost = np.where(rng.random(n) < 0.2, rng.random(n), 1.0)
    event = (when < lost).astype(int)
    kept = (event == 1) | (rng.random(n) < 1 / 3)
    frame = pd.DataFrame(
        {
            "risk": -np.expm1(-hazard),
            "event": event,
            "time_days": np.ceil(np.minimum(when, lost) * 1000),
            "weight": np.where(event == 1, 1.0, 3.0),
        }
    )
    return EvaluationData.from_frame(frame[kept], horizon_days=1000, lag_days=0)


def measured(data, replicates, seed):
    population = Population.of(data)
    statistic = combine(
        ranking_statistic(population, population.score, population.data.risk, "model"),
        oe_statistic(population, population.data.risk, "model"),
        calibration_statistic(population, population.risk, "model"),
    )
    return estimate(population, statistic, replicates=replicates, seed=seed).set_index("measure")


@pytest.fixture(scope="module")
def trials():
    return [measured(drawn(PEOPLE, np.random.default_rng(s)), REPLICATES, s) for s in range(TRIALS)]


@pytest.fixture(scope="module")
def truth():
    """O/E and slope are 1 by construction; the AUROC that the law has is read from a million people."""
    area = measured(drawn(1_000_000, np.random.default_rng(99)), 0, 1).loc["auroc", "value"]
    return {"auroc": area, "observed_over_expected": 1.0, "slope": 1.0}


def held(trials, truth, name, width=1.0):
    ends = [(t.loc[name, "value"], t.loc[name, "ci_low"], t.loc[name, "ci_high"]) for t in trials]
    return sum(v + width * (low - v) <= truth[name] <= v + width * (high - v) for v, low, high in ends)


@pytest.mark.parametrize("name", ["auroc", "observed_over_expected", "slope"])
def test_coverage(trials, truth, name):
    assert held(trials, truth, name) >= LEAST
    assert held(trials, truth, name, width=0.4) < LEAST, "a much too narrow interval would have passed too"


@pytest.mark.parametrize("name", ["auroc", "observed_over_expected", "slope"])
def test_estimates_centre_on_the_truth(trials, truth, name):
    values = np.array([t.loc[name, "value"] for t in trials])
    assert abs(values.mean() - truth[name]) < 3 * values.std(ddof=1) / np.sqrt(TRIALS)
