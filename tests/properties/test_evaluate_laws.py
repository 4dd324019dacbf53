"""Laws that every evaluation obeys, whatever the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.evaluate import (
    EvaluationData,
    MatchedSets,
    auroc,
    average_precision,
    compare,
    compute_calibration,
    compute_matched_concordance,
    evaluate,
)
from prodromal.evaluate.follow_up import GroupedRisk, follow_up
from prodromal.evaluate.resample import Population, estimate
from prodromal.evaluate.tables import decile_groups
from prodromal.evaluate.tally import stable_order
from tests.oracle.test_evaluate_goldens import same, value

HORIZON, LAG = 60, 10


@st.composite
def people(draw, least=4, most=40):
    """Few people with many ties: coarse risks, whole days, small whole weights."""
    n = draw(st.integers(least, most))
    column = lambda s: draw(st.lists(s, min_size=n, max_size=n))  # noqa: E731
    return pd.DataFrame(
        {
            "risk": np.array(column(st.integers(0, 20))) / 20,
            "baseline_risk": np.array(column(st.integers(1, 6))) / 10,
            "event": column(st.sampled_from([0, 0, 1, 1, 2])),
            "time_days": column(st.integers(0, 80)),
            "weight": column(st.sampled_from([1, 1, 2, 3])),
            "sex": column(st.sampled_from(["M", "F"])),
            "age_years": column(st.integers(40, 90)),
        }
    )


def taken(frame):
    return EvaluationData.from_frame(frame, horizon_days=HORIZON, lag_days=LAG)


def textbook_risk(frame):
    """Aalen-Johansen as it stands in a textbook, day by day, outcome before the lag as a competing end."""
    free, risk = 1.0, 0.0
    for day in sorted(set(frame["time_days"])):
        if day > HORIZON:
            break
        at_risk = frame.loc[frame["time_days"] >= day, "weight"].sum()
        today = frame[frame["time_days"] == day]
        outcome = today.loc[today["event"] == 1, "weight"].sum()
        ended = today.loc[today["event"] > 0, "weight"].sum()
        risk += free * outcome / at_risk if day > LAG else 0.0
        free *= 1 - ended / at_risk
    return risk


@given(people())
@settings(max_examples=100)
def test_observed_risk_is_aalen_johansen_and_equals_the_inverse_weighted_sum(frame):
    data = taken(frame)
    ends = follow_up(data)
    everyone = np.zeros(data.n, dtype=np.intp)
    found = GroupedRisk(ends, everyone, 1)(data.weight)[0][0]
    if np.isnan(found):
        known = frame[(frame["event"] > 0) | (frame["time_days"] >= HORIZON)]
        last = frame["time_days"].clip(upper=HORIZON).max()
        assert last < HORIZON, "nobody was lost, and yet the risk is withheld"
        assert (frame[frame["time_days"] == last]["event"] == 0).any(), f"{len(known)} known to the end"
        return
    assert abs(found - textbook_risk(frame)) < 1e-12
    assert abs(ends.inverse_weights(data.weight)[ends.outcome].sum() / data.weight.sum() - found) < 1e-12


@given(people(), st.integers(0, 2))
@settings(max_examples=40)
def test_days_need_not_be_whole(frame, shift):
    """The table for whole days and the search for any times are two ways to one answer."""
    whole, other = taken(frame), taken(frame.assign(time_days=frame["time_days"] + 0.25))
    longer = EvaluationData.from_frame(frame, horizon_days=HORIZON, lag_days=LAG)
    assert np.array_equal(follow_up(whole).steps, follow_up(longer).steps)
    moved = EvaluationData.from_frame(
        frame.assign(time_days=(frame["time_days"] + 0.25) * 4), horizon_days=4 * HORIZON + 1, lag_days=4 * LAG + 1
    )
    assert np.array_equal(follow_up(other, horizon_days=HORIZON + 0.25).steps, follow_up(moved).steps)


@given(people())
@settings(max_examples=20)
def test_a_weight_is_a_repetition_of_rows(frame):
    repeated = frame.loc[frame.index.repeat(frame["weight"])].assign(weight=1).reset_index(drop=True)
    one = evaluate(taken(frame), replicates=0, seed=1).tables
    two = evaluate(taken(repeated), replicates=0, seed=1).tables
    for name in set(one) - {"overview"}:
        a, b = one[name]["value"].to_numpy(dtype=float), two[name]["value"].to_numpy(dtype=float)
        measures = one[name].get("measure")
        # Where too few rows are cases, a number is withheld by their count, which repetition changes.
        both = ~(np.isnan(a) | np.isnan(b))
        assert np.allclose(a[both], b[both], rtol=1e-7, atol=1e-9), (name, measures)


@given(people(), st.randoms(use_true_random=False))
@settings(max_examples=10)
def test_the_order_of_rows_means_nothing(frame, random):
    shuffled = frame.sample(frac=1, random_state=random.randrange(1000))
    one, two = (evaluate(taken(f), replicates=0, seed=1).tables for f in (frame, shuffled))
    for name, table in one.items():
        if "value" in table:
            assert np.allclose(
                table["value"].astype(float), two[name]["value"].astype(float), equal_nan=True, rtol=1e-7
            )


@given(people())
@settings(max_examples=60)
def test_a_monotone_change_leaves_ranking_alone(frame):
    y, risk = frame["event"] == 1, frame["risk"]
    for measure in (auroc, average_precision):
        assert np.array_equal(measure(y, risk), measure(y, np.exp(3 * risk) - 7), equal_nan=True)


@given(people())
@settings(max_examples=60)
def test_turning_the_score_round_turns_the_auroc_round(frame):
    y, risk, w = frame["event"] == 1, frame["risk"], frame["weight"]
    there, back = auroc(y, risk, w), auroc(y, -risk, w)
    assert (np.isnan(there) and np.isnan(back)) or abs(there + back - 1) < 1e-12


def exactly_calibrated():
    """Ten risks, each with exactly as many outcomes as it says."""
    risks = np.arange(2, 12) / 20
    rows = [{"risk": r, "event": int(i < round(400 * r))} for r in risks for i in range(400)]
    return pd.DataFrame(rows).assign(time_days=lambda f: np.where(f["event"] == 1, 30, HORIZON))


def test_a_perfect_model_is_found_perfect():
    table = compute_calibration(taken(exactly_calibrated()), replicates=0, seed=1)
    for measure, ideal in (
        ("observed_over_expected", 1),
        ("slope", 1),
        ("intercept", 0),
        ("in_the_large", 0),
        ("ici_per_100k", 0),
        ("emax_per_100k", 0),
    ):
        assert abs(value(table, measure=measure) - ideal) < 1e-4 * (1e-3 if ideal == 1 else 1), measure


def test_doubling_the_hazard_is_a_shift_of_log_two():
    frame = exactly_calibrated()
    halved = frame.assign(risk=1 - (1 - frame["risk"]) ** 0.5)
    table = compute_calibration(taken(halved), replicates=0, seed=1)
    same([value(table, measure="in_the_large"), value(table, measure="slope")], [np.log(2), 1.0], 8)


def test_recalibration_leaves_ranking_alone_and_moves_the_rest():
    frame = exactly_calibrated()
    off = frame.assign(risk=frame["risk"] / 2)
    table = compare(taken(off), frame["risk"], replicates=20, seed=1, names=("before", "after"))
    same(value(table, model="difference", measure="auroc") + 1, 1.0, 12)
    assert (
        table.query("model == 'difference' and measure == 'auroc'")[["ci_low", "ci_high"]].abs().to_numpy().max() == 0
    )
    same(value(table, model="before", measure="observed_over_expected"), 2.0, 10)
    same(value(table, model="after", measure="observed_over_expected"), 1.0, 10)


@given(st.integers(0, 10_000))
@settings(max_examples=20)
def test_concordance_within_sets_counts_pairs(seed):
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {"set_id": rng.integers(0, 8, 40), "score": rng.integers(0, 4, 40), "case": rng.random(40) < 0.3}
    )
    frame.loc[:1, ["set_id", "case"]] = [[0, True], [0, False]]
    wins = pairs = 0.0
    for _, rows in frame.groupby("set_id"):
        for a in rows.loc[rows["case"], "score"]:
            for b in rows.loc[~rows["case"], "score"]:
                wins, pairs = wins + (a > b) + 0.5 * (a == b), pairs + 1
    table = compute_matched_concordance(MatchedSets.from_frame(frame), replicates=0, seed=1)
    assert abs(table["value"].iloc[0] - wins / pairs) < 1e-12


def test_the_same_seed_gives_the_same_interval_whatever_the_threads():
    data = taken(exactly_calibrated())
    population = Population.of(data)
    one, two = (estimate(population, decile_groups(population), replicates=8, seed=5, workers=k) for k in (1, 3))
    pd.testing.assert_frame_equal(one, two)
    other = estimate(population, decile_groups(population), replicates=8, seed=6)
    assert not np.allclose(one["ci_low"], other["ci_low"])


def test_families_are_drawn_whole():
    """Copies of a row in one family add rows, not information: the interval stays as wide."""
    rng = np.random.default_rng(1)
    risk = rng.uniform(0.05, 0.5, 600)
    event = (rng.random(600) < risk).astype(int)
    frame = pd.DataFrame({"risk": risk, "event": event, "time_days": np.where(event == 1, 30, HORIZON)})
    frame = frame.assign(family=np.arange(600))
    copied = pd.concat([frame] * 4)
    width = []
    for rows in (frame, copied, copied.drop(columns="family")):
        table = compute_calibration(taken(rows), replicates=300, seed=1)
        row = table[table["measure"] == "observed_over_expected"].iloc[0]
        width.append(row["ci_high"] - row["ci_low"])
    assert 0.9 < width[1] / width[0] < 1.1
    assert 0.4 < width[2] / width[0] < 0.6


@pytest.mark.parametrize("factor", [0.02, 50.0])
def test_the_unit_of_the_weights_means_nothing(factor):
    frame = exactly_calibrated()
    scaled = frame.assign(weight=factor)
    one, two = (compute_calibration(taken(f), replicates=0, seed=1) for f in (frame, scaled))
    same(two.loc[:4, "value"], one.loc[:4, "value"], 8)


@pytest.mark.parametrize("ties", [False, True])
def test_sorting_by_halves_is_sorting(ties, monkeypatch):
    monkeypatch.setattr("prodromal.evaluate.tally._LONG", 10)
    rng = np.random.default_rng(3)
    for size in (10, 11, 1000):
        values = rng.integers(0, 5, size).astype(float) if ties else rng.random(size)
        np.testing.assert_array_equal(stable_order(values), np.argsort(values, kind="stable"))
