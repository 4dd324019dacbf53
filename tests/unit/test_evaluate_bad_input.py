"""Bad input has a defined answer: a sentence with counts, or a number withheld with its reason; never 0 or 1."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prodromal.errors import DataError, DefinitionError
from prodromal.evaluate import EvaluationData, MatchedSets, compare, compute_lead_time, evaluate, join_outcomes

CANARY = 970_123_456_789


def good(n=300, events=150):
    risk = np.linspace(0.01, 0.6, n)
    event = np.zeros(n, dtype=int)
    event[np.random.default_rng(2).permutation(n)[:events]] = 1
    time = np.where(event == 1, 40, 100)
    return pd.DataFrame({"person_id": CANARY + np.arange(n), "risk": risk, "event": event, "time_days": time})


def taken(frame):
    return EvaluationData.from_frame(frame, horizon_days=100, lag_days=0)


def changed(name, value, rows=slice(3, 5)):
    frame = good()
    frame[name] = frame[name].astype(object) if isinstance(value, str) else frame[name].astype(float)
    frame.loc[frame.index[rows], name] = value
    return frame


REFUSED = {
    "risk above 1": (changed("risk", 1.2), "risk must be between 0 and 1; 2 of 300"),
    "negative risk": (changed("risk", -0.1), "risk must be between 0 and 1; 2 of 300"),
    "missing risk": (changed("risk", np.nan), "risk is missing in 2 of 300"),
    "infinite time": (changed("time_days", np.inf), "time_days must be finite and at least 0; 2 of 300"),
    "negative time": (changed("time_days", -1), "time_days must be finite and at least 0; 2 of 300"),
    "unknown event": (changed("event", 3), "2 of 300"),
    "text for numbers": (changed("risk", "high"), "risk does not hold numbers"),
    "no column": (good().drop(columns="event"), "required column event is absent"),
    "no rows": (good().iloc[:0], "no rows"),
    "no weight": (good().assign(weight=0.0), "none of 300 rows has a weight above 0"),
    "missing family": (good().assign(family=[None] * 2 + ["a"] * 298), "family is missing in 2 of 300"),
    "sets without case": (good().assign(set_id=1, case=0), "has both a case and a control"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_with_counts_and_without_values(name):
    frame, message = REFUSED[name]
    with pytest.raises(DataError, match=message) as caught:
        taken(frame)
    assert str(CANARY)[:6] not in str(caught.value)
    assert "high" not in str(caught.value)


def test_an_empty_window_is_refused():
    with pytest.raises(DefinitionError, match="lag_days < horizon_days"):
        EvaluationData.from_frame(good(), horizon_days=100, lag_days=100)


def numbers(result, table, measure):
    rows = result.tables[table]
    return rows[rows["measure"] == measure]


WITHHELD = ["slope", "intercept", "ici_per_100k", "emax_per_100k"]


def test_no_events():
    result = evaluate(taken(good(events=0)), replicates=4, seed=1)
    for table, measure in [("discrimination", "auroc"), ("discrimination", "average_precision")]:
        row = numbers(result, table, measure).iloc[0]
        assert np.isnan(row["value"])
        assert row["note"] == "not computed: no outcome in the window"
    for measure in ["observed_over_expected", *WITHHELD]:
        row = numbers(result, "calibration", measure).iloc[0]
        assert np.isnan(row["value"])
        assert row["note"].startswith("not computed")
    assert "Calibration slope: not computed" in " ".join(result.summary())


def test_everyone_has_the_event():
    result = evaluate(taken(good(events=300)), replicates=4, seed=1)
    assert numbers(result, "discrimination", "auroc")["note"].iloc[0] == "not computed: everyone had the outcome"
    for measure in WITHHELD:
        assert np.isnan(numbers(result, "calibration", measure)["value"].iloc[0])


def test_a_constant_prediction_ranks_by_chance_and_has_no_slope():
    result = evaluate(taken(good().assign(risk=0.4)), replicates=4, seed=1)
    assert numbers(result, "discrimination", "auroc")["value"].iloc[0] == 0.5
    for measure in WITHHELD:
        row = numbers(result, "calibration", measure).iloc[0]
        assert np.isnan(row["value"])
        assert row["note"] == "not computed: predictions do not vary"
    capacity = result.tables["capacity"]
    assert capacity["value"].isna().all()
    assert (capacity["note"] == "not computed: too many people share the highest score").all()


def test_few_events_are_warned_about():
    result = evaluate(taken(good(events=60)), replicates=4, seed=1)
    assert any("Fewer than 100 outcomes" in w for w in result.warnings)
    row = numbers(result, "calibration", "slope").iloc[0]
    assert np.isfinite(row["value"])
    assert row["note"] == "unstable: fewer than 100 events"


def test_very_few_events_have_no_curve():
    row = numbers(evaluate(taken(good(events=9)), replicates=0, seed=1), "calibration", "slope").iloc[0]
    assert np.isnan(row["value"])
    assert row["note"] == "not computed: fewer than 10 events"


def test_a_group_without_events_has_an_upper_limit():
    frame = good().assign(sex=np.where(np.arange(300) < 40, "F", "M"))
    frame.loc[:39, "event"] = 0
    frame.loc[:39, "time_days"] = 100
    rows = numbers(evaluate(taken(frame), replicates=20, seed=1), "subgroups", "observed_risk").set_index("group")
    assert rows.loc["F", "value"] == 0
    assert rows.loc["F", "ci_low"] == 0
    assert abs(rows.loc["F", "ci_high"] - 3.6888794541139363 / 40) < 1e-12
    assert rows.loc["M", "ci_low"] > 0


def test_extreme_risks_are_kept():
    result = evaluate(
        taken(changed("risk", 0.0).assign(risk=lambda f: f["risk"].where(f.index != 8, 1.0))), replicates=0, seed=1
    )
    assert np.isfinite(numbers(result, "calibration", "slope")["value"].iloc[0])


def test_weightless_rows_are_left_out_and_counted():
    frame = good().assign(weight=lambda f: (f.index % 3 > 0).astype(float))
    result = evaluate(taken(frame), replicates=0, seed=1)
    assert result.facts["rows_without_weight"] == 100
    assert result.facts["n"] == 200
    assert any("Rows with weight 0" in w for w in result.warnings)
    assert result.to_dict()["facts"]["rows_without_weight"] == 100


def test_predictions_without_an_outcome_are_refused():
    risks = good()[["person_id", "risk"]]
    outcomes = good()[["person_id", "event", "time_days"]]
    joined = join_outcomes(risks, outcomes.sample(frac=1, random_state=1), on=["person_id"])
    assert (joined["event"].to_numpy() == good()["event"].to_numpy()).all()
    with pytest.raises(DataError, match="7 of 300 predictions have no row in outcomes") as caught:
        join_outcomes(risks, outcomes.iloc[7:], on=["person_id"])
    assert str(CANARY)[:6] not in str(caught.value)
    with pytest.raises(DataError, match="outcomes: 2 of 302 rows repeat a key"):
        join_outcomes(risks, pd.concat([outcomes, outcomes.iloc[:2]]), on=["person_id"])


@pytest.mark.parametrize(
    ("ids", "date", "told"),
    [
        ([7, 8], "2014-01-01", "(none of their people is in outcomes)"),
        ([1, 2], "2018-01-01", "(their people are in outcomes, at other index dates)"),
        ([1, 8], "2018-01-01", "(the people of 1 are in outcomes, at other index dates; those of the others are not)"),
    ],
)
def test_it_is_said_whether_ids_or_dates_differ(ids, date, told):
    risks = pd.DataFrame({"person_id": ids, "index_date": date, "risk": 0.1})
    outcomes = pd.DataFrame({"person_id": [1, 2], "index_date": "2014-01-01", "event": 0, "time_days": 9})
    with pytest.raises(DataError, match="2 of 2 predictions") as caught:
        join_outcomes(risks, outcomes)
    assert str(caught.value).endswith(told)


def test_a_second_model_needs_a_prediction_for_each_row():
    with pytest.raises(DataError, match="one number for each of 300 rows"):
        compare(taken(good()), np.full(299, 0.1), replicates=0, seed=1)
    with pytest.raises(DataError, match="300 of 300 predictions"):
        compare(taken(good()), np.full(300, np.nan), replicates=0, seed=1)


def test_one_draw_gives_no_interval():
    with pytest.raises(DefinitionError, match="replicates"):
        evaluate(taken(good()), replicates=1, seed=1)


def test_a_ladder_needs_a_rung():
    with pytest.raises(DefinitionError, match="at least one lag"):
        compute_lead_time({}, replicates=0, seed=1)


def test_matched_sets_may_have_several_cases_or_none():
    frame = pd.DataFrame(
        {"set_id": [1, 1, 1, 2, 2, 3], "case": [1, 1, 0, 0, 0, 1], "score": [3.0, 1.0, 2.0, 0.0, 1.0, 5.0]}
    )
    sets = MatchedSets.from_frame(frame)
    found = compute_lead_time({365: sets}, replicates=0, seed=1)
    assert found["value"].iloc[0] == 0.5
    assert found["n"].iloc[0] == 1


def keyed(**changes):
    return pd.DataFrame({"person_id": [1, 2], "index_date": ["2014-01-01", "2014-01-01"]} | changes)


def test_dates_as_text_meet_dates():
    outcomes = keyed(index_date=pd.to_datetime(["2014-01-01"] * 2), event=[0, 1])
    assert list(join_outcomes(keyed(risk=[0.1, 0.2]), outcomes)["event"]) == [0, 1]


def test_keys_that_cannot_meet_are_named():
    outcomes = keyed(event=[0, 1])
    with pytest.raises(DataError, match="risks: 1 of 2 values of index_date are no dates"):
        join_outcomes(keyed(index_date=["2014-01-01", "soon"], risk=[0.1, 0.2]), outcomes)
    with pytest.raises(DataError, match="column person_id holds numbers in one"):
        join_outcomes(keyed(person_id=["a", "b"], risk=[0.1, 0.2]), outcomes)
