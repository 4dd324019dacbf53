"""Each oracle of the evaluation is broken once in a named way and must notice."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prodromal.evaluate import data as door
from prodromal.evaluate import follow_up, glm, ranking, tables, utility
from prodromal.evaluate.disclosure import suppress
from tests.oracle import test_evaluate_goldens as golden
from tests.properties import test_evaluate_laws as laws
from tests.unit import test_evaluate_disclosure as disclosure


def law(name):
    """Run a property on one fixed table of forty people."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {
            "risk": rng.integers(0, 20, 40) / 20,
            "baseline_risk": rng.integers(1, 6, 40) / 10,
            "event": rng.integers(0, 3, 40),
            "time_days": rng.integers(1, 80, 40),
            "weight": rng.integers(1, 4, 40),
            "sex": rng.choice(["M", "F"], 40),
            "age_years": rng.integers(40, 90, 40),
        }
    )
    getattr(laws, name).hypothesis.inner_test(frame)


def ties_count_as_wins(monkeypatch):
    def measures(self, weight):
        cases, others = self.counts(weight)
        below = np.cumsum(others)
        return float(cases @ below[1::2] / (cases.sum() * others.sum())), np.nan

    monkeypatch.setattr(ranking.Ladder, "measures", measures)
    return lambda: golden.same(golden.auroc(golden.PEOPLE["y"], golden.PEOPLE["p_tied"]), golden.GOLD["tied"]["auc"], 6)


def threshold_excluded(monkeypatch):
    below = utility.Ordering.below
    monkeypatch.setattr(
        utility.Ordering, "below", lambda self, edges, including=False: below(self, edges, including=True)
    )
    return lambda: golden.check_decision_curve("tied")


def death_taken_as_censoring(monkeypatch):
    real = follow_up.follow_up

    def wrong(data, **more):
        event = np.where(data.event == door.DEATH, door.CENSORED, data.event).astype(np.int8)
        return real(door.EvaluationData(**{**vars(data), "event": event}), **more)

    monkeypatch.setattr("prodromal.evaluate.resample.follow_up", wrong)
    return golden.check_aalen_johansen


def censored_counted_as_free(monkeypatch):
    monkeypatch.setattr(follow_up, "_staying", lambda leaving, censored: np.ones(leaving.shape))
    return golden.check_aalen_johansen


def lag_dropped(monkeypatch):
    def wrong(data, **more):
        return follow_up.follow_up(door.EvaluationData(**{**vars(data), "lag_days": 0}), **more)

    monkeypatch.setattr(laws, "follow_up", wrong)
    return lambda: law("test_observed_risk_is_aalen_johansen_and_equals_the_inverse_weighted_sum")


def weights_ignored(monkeypatch):
    within = door._within
    monkeypatch.setattr(door, "_within", lambda f, n, a, b: np.ones(len(f)) if n == "weight" else within(f, n, a, b))
    return lambda: law("test_a_weight_is_a_repetition_of_rows")


def families_drawn_by_row(monkeypatch):
    monkeypatch.setattr(door, "_families", lambda frame: (np.arange(len(frame)), len(frame)))
    return laws.test_families_are_drawn_whole


def offset_forgotten(monkeypatch):
    def forgetful(*arguments, **more):
        more.pop("offset", None)
        return glm.fit(*arguments, **more)

    monkeypatch.setattr("prodromal.evaluate.calibration.fit", forgetful)
    return lambda: golden.check_calibration("a")


def tenths_by_number_of_rows_upside_down(monkeypatch):
    real = tables.deciles
    monkeypatch.setattr(tables, "deciles", lambda *a: a[2] - 1 - real(*a))
    return lambda: golden.check_deciles("a")


def only_small_cells_suppressed(monkeypatch):
    monkeypatch.setattr(
        disclosure, "suppress", lambda members, counts, smallest, keep=None: (counts > 0) & (counts < smallest)
    )
    assert disclosure.suppress is not suppress
    return disclosure.test_nothing_suppressed_can_be_computed_back


SABOTAGES = [
    ties_count_as_wins,
    threshold_excluded,
    death_taken_as_censoring,
    censored_counted_as_free,
    lag_dropped,
    weights_ignored,
    families_drawn_by_row,
    offset_forgotten,
    tenths_by_number_of_rows_upside_down,
    only_small_cells_suppressed,
]


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda s: s.__name__)
def test_the_oracle_notices(sabotage, monkeypatch):
    oracle = sabotage(monkeypatch)
    with pytest.raises(AssertionError):
        oracle()


@pytest.mark.parametrize(
    "name",
    [
        "test_observed_risk_is_aalen_johansen_and_equals_the_inverse_weighted_sum",
        "test_a_weight_is_a_repetition_of_rows",
    ],
)
def test_the_fixed_table_passes_while_nothing_is_broken(name):
    law(name)
