"""Disclosure control: nothing under the threshold is shown, and nothing suppressed can be computed back."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from prodromal.errors import DefinitionError
from prodromal.evaluate import PROFILES, EvaluationData, evaluate
from prodromal.evaluate.disclosure import control, control_groups, suppress
from prodromal.evaluate.flow import attrition_flow, released_attrition


def crossed(rng):
    """A random table of 2 by 5 cells with both margins and the total."""
    cells = rng.negative_binomial(1, rng.uniform(0.005, 0.2), (2, 5))
    atoms = np.arange(10).reshape(2, 5)
    sums = (
        [[a] for a in atoms.ravel()] + [list(row) for row in atoms] + [list(c) for c in atoms.T] + [list(atoms.ravel())]
    )
    members = np.zeros((len(sums), 10), dtype=bool)
    for i, atom in enumerate(sums):
        members[i, atom] = True
    return members, members @ cells.ravel()


def reach(members, counts, hidden, which):
    """Interval that the shown sums leave for a hidden one, computed apart from the code under test."""
    shown = ~hidden
    ends = []
    for sign in (1, -1):
        found = linprog(sign * members[which].astype(float), A_eq=members[shown], b_eq=counts[shown], method="highs")
        ends.append(sign * found.fun if found.status == 0 else -sign * np.inf)
    return ends


def test_nothing_suppressed_can_be_computed_back():
    rng = np.random.default_rng(1)
    suppressed = 0
    for _ in range(15):
        members, counts = crossed(rng)
        hidden = suppress(members, counts, 10)
        assert not ((counts > 0) & (counts < 10) & ~hidden).any()
        if hidden.all() or not (~hidden).any():
            continue
        for which in np.flatnonzero(hidden):
            low, high = reach(members, counts, hidden, which)
            assert high - low >= 9.99, "a suppressed count is known too closely"
        suppressed += int(hidden.sum())
    assert suppressed > 40


def test_a_table_without_small_cells_is_left_alone():
    members, _counts = crossed(np.random.default_rng(1))
    assert not suppress(members, members @ np.full(10, 25), 10).any()


def small(seed, n=4000):
    rng = np.random.default_rng(seed)
    risk = rng.gamma(1.0, 0.012, n).clip(1e-5, 0.5)
    event = (rng.random(n) < risk).astype(int)
    frame = pd.DataFrame(
        {
            "risk": risk,
            "event": event,
            "time_days": np.where(event == 1, rng.integers(1, 1000, n), 1826),
            "sex": rng.choice(["M", "F"], n),
            "age_years": rng.choice(np.arange(40, 95), n),
            "region": rng.choice(["a", "b", "c", "rare"], n, p=[0.6, 0.25, 0.149, 0.001]),
        }
    )
    return EvaluationData.from_frame(frame, horizon_days=1826, lag_days=0)


@pytest.mark.parametrize("profile", list(PROFILES))
@pytest.mark.parametrize("seed", range(2))
def test_no_small_count_leaves(profile, seed):
    result = evaluate(small(seed), replicates=0, seed=1, profile=profile)
    rules = PROFILES[profile]
    for name, table in result.released.items():
        for count in ("n", "events"):
            if count in table:
                shown = table[count].dropna()
                assert not ((shown > 0) & (shown < rules.smallest)).any(), (name, count)
                assert (shown % rules.base == 0).all()


def test_suppressed_numbers_say_why_and_totals_do_not_give_them_away():
    result = evaluate(small(0), replicates=0, seed=1)
    table = result.released["subgroups"]
    rare = table[(table["group"] == "rare") & (table["measure"] == "observed_risk")]
    assert rare["value"].isna().all()
    assert rare["note"].str.startswith("suppressed").all()
    for (_, measure), rows in table.groupby(["grouping", "measure"]):
        hidden = rows["events"].isna()
        assert hidden.sum() != 1, f"one hidden group of a known total ({measure})"


def ranked(seed, n=6000, scale=0.002):
    """People with a prediction from age and sex alone, and few outcomes."""
    rng = np.random.default_rng(seed)
    risk = rng.gamma(0.5, scale, n).clip(1e-6, 0.5)
    event = (rng.random(n) < 2 * risk).astype(int)
    time = np.where(event == 1, rng.integers(1, 1000, n), 1826)
    frame = pd.DataFrame({"risk": risk, "baseline_risk": risk * rng.uniform(0.5, 2, n), "event": event})
    return EvaluationData.from_frame(frame.assign(time_days=time), horizon_days=1826, lag_days=0)


@pytest.mark.parametrize("scale", [0.002, 0.01, 0.05])
@pytest.mark.parametrize("profile", list(PROFILES))
def test_net_benefit_tells_no_small_count_and_no_two_tell_one_by_their_difference(profile, scale):
    result = evaluate(ranked(1, scale=scale), replicates=0, seed=1, profile=profile)
    smallest, facts = PROFILES[profile].smallest, result.facts
    shown = 0
    for model in ("model", "age and sex"):
        told = [{"n": 0, "events": 0}, {"n": facts["n"], "events": facts["events"]}]
        for name in ("decision_curve", "thresholds", "capacity"):
            raw, released = result.tables[name], result.released[name]
            rows = raw[released["value"].notna() & released["events"].notna() & (raw["model"] == model)]
            told += rows[["n", "events"]].to_dict("records")
            shown += len(rows) * (name == "decision_curve")
        for count in ("n", "events"):
            numbers = np.unique([one[count] for one in told])
            assert (np.diff(numbers) >= smallest).all(), (model, count)
    assert shown > 0


def test_net_benefit_and_the_share_flagged_give_no_suppressed_outcomes_back():
    thresholds = [0.001, 0.004, 0.01]
    result = evaluate(ranked(2), replicates=0, seed=1, thresholds=thresholds, curve_thresholds=thresholds)
    flags = result.released["thresholds"].query("measure == 'share_flagged'").set_index("threshold")
    curve = result.released["decision_curve"].query("model == 'model'")
    hidden = flags.index[flags["events"].isna()]
    assert len(hidden)
    for threshold in hidden:
        rows = curve[curve["threshold"] == threshold]
        assert rows["value"].isna().all()
        assert rows["ci_low"].isna().all()
        assert rows["note"].str.startswith("suppressed").all()


def test_cases_that_are_not_flagged_are_hidden_where_they_are_few():
    frame = pd.DataFrame({"risk": np.linspace(0.001, 0.2, 400), "event": 0, "time_days": 1826})
    frame.loc[[5, 6, 7, *range(380, 395)], ["event", "time_days"]] = [1, 50]
    data = EvaluationData.from_frame(frame, horizon_days=1826, lag_days=0)
    result = evaluate(data, replicates=0, seed=1, thresholds=[0.1])
    alone = {name: result.tables[name] for name in ("overview", "thresholds")}
    flags = control(alone, PROFILES["acro"])["thresholds"].set_index("measure")
    assert result.facts["events"] == 18
    assert result.tables["thresholds"]["events"].iloc[0] == 15
    assert flags.loc["sensitivity", ["value", "events"]].isna().all()


def test_outcomes_up_to_several_days_hide_few_in_between():
    frame = pd.DataFrame({"risk": np.linspace(0.001, 0.2, 2000), "event": 0, "time_days": 1096})
    frame.loc[1900:1917, "event"] = 1
    frame.loc[1900:1909, "time_days"] = 500
    frame.loc[1910:1917, "time_days"] = 900
    data = EvaluationData.from_frame(frame, horizon_days=1096, lag_days=365)
    told = evaluate(data, replicates=0, seed=1)
    assert told.tables["time_dependent_auc"]["events"].tolist() == [10, 18]
    shown = told.released["time_dependent_auc"]["events"]
    assert np.isnan(shown[0])
    assert shown[1] == 18


def test_lead_times_hide_the_few_cases_between_two_lags():
    rung = {"model": "model", "measure": "c_within_sets", "value": 0.6, "ci_low": 0.5, "ci_high": 0.7, "note": ""}
    ladder = pd.DataFrame({"lag_days": [0, 183, 365], "n": [60, 56, 40], "events": [60, 56, 40]}).assign(**rung)
    released = evaluate(small(0), replicates=0, seed=1, lead_time=ladder).released["lead_time"]
    assert released["events"].notna().tolist() == [True, False, True]
    assert released["n"].notna().tolist() == [True, False, True]
    assert released["value"].notna().all()


def test_the_number_without_the_outcome_does_not_tell_the_number_with_it():
    frame = pd.DataFrame({"risk": np.linspace(0.01, 0.2, 400), "event": 0, "time_days": 1826})
    frame.loc[:3, ["event", "time_days"]] = [1, 50]
    data = EvaluationData.from_frame(frame, horizon_days=1826, lag_days=0)
    released = evaluate(data, replicates=0, seed=1).released
    people = released["overview"].set_index("item")["n"]["people"]
    without = released["prediction_distribution"].query("`class` == 'no outcome'")["n"]
    assert np.isnan(people) or without.isna().all()


def test_people_of_no_region_are_a_group_like_any_other():
    frame = pd.DataFrame({"risk": np.linspace(0.01, 0.2, 400), "event": 0, "time_days": 1826})
    frame.loc[::20, ["event", "time_days"]] = [1, 50]
    for region, names in ((["a", "b", " ", ""], ["a", "b", "unknown"]), ([""], [])):
        data = EvaluationData.from_frame(
            frame.assign(region=np.resize(region, 400), sex=np.resize(["M", "F"], 400)), horizon_days=1826, lag_days=0
        )
        found = evaluate(data, replicates=0, seed=1).tables["subgroups"].query("grouping == 'region'")
        assert sorted(found["group"].unique()) == names


def test_an_unknown_profile_is_refused():
    with pytest.raises(DefinitionError, match="acro, opensafely, ohdsi"):
        evaluate(small(0), replicates=0, seed=1, profile="none")


def test_the_facts_of_the_json_are_controlled_too():
    frame = pd.DataFrame({"risk": np.linspace(0.01, 0.2, 400), "event": 0, "time_days": 1826})
    frame.loc[:3, ["event", "time_days"]] = [1, 50]
    frame.loc[10:12, "time_days"] = 40
    data = EvaluationData.from_frame(frame, horizon_days=1826, lag_days=0)
    result = evaluate(data, replicates=0, seed=1)
    assert (result.facts["events"], result.facts["lost_before_horizon"]) == (4, 3)
    told = result.to_dict()
    assert told["facts"]["events"] is None
    assert told["facts"]["lost_before_horizon"] is None
    for table in told["tables"].values():
        for row in table:
            assert row.get("events") is None or row["events"] == 0 or row["events"] >= 10
            assert " 4 " not in str(row.get("note"))
    assert "suppressed number" in told["summary"][0]


ATTRITION = pd.DataFrame(
    {"step": ["in the register", "adults", "observed"], "cases": [500, 497, 120], "others": [9000, 7000, 6000]}
)


def test_a_flow_hides_few_who_left_and_what_would_tell_them():
    released = released_attrition(ATTRITION, PROFILES["acro"])
    # Three cases left: neither their number nor both of its neighbours may be told.
    assert np.isnan(released["cases left"][1])
    assert np.isnan(released["cases"][:2]).any()
    np.testing.assert_array_equal(released["others left"], [0, 2000, 1000])
    np.testing.assert_array_equal(released["others"], ATTRITION["others"])


def test_a_flow_shows_everything_where_nothing_is_small():
    released = released_attrition(ATTRITION.assign(cases=[500, 400, 120]), PROFILES["acro"])
    assert not released.isna().any().any()
    html = attrition_flow(ATTRITION.assign(cases=[500, 400, 120]), PROFILES["acro"])
    assert "100 cases and 2,000 others left" in html


def test_a_flow_leaves_out_what_is_no_step():
    part = pd.DataFrame({"step": ["of these, with a widened caliper"], "cases": [20], "others": [100]})
    rows = pd.concat([ATTRITION.iloc[:2], part, ATTRITION.iloc[2:]]).assign(cases=[500, 400, 20, 120])
    assert list(released_attrition(rows, PROFILES["acro"])["step"]) == list(ATTRITION["step"])


def test_a_flow_escapes_its_words():
    html = attrition_flow(ATTRITION.assign(step=["<b>", "&", '"']), PROFILES["acro"])
    assert "<b>" not in html
    assert "&lt;b&gt;" in html


@pytest.mark.parametrize(("people", "shown"), [([500, 4], [False, False]), ([500, 40], [True, True])])
def test_table_one_hides_small_groups_and_their_complement(people, shown):
    frame = pd.DataFrame({"group": ["others", "ALS"], "people": people, "mean_age_years": [50.0, 60.0]})
    released = control_groups(frame, PROFILES["acro"])
    assert list(released["people"].notna()) == shown
    assert list(released["mean_age_years"].notna()) == shown
    assert list(released["group"]) == ["others", "ALS"]


@pytest.mark.parametrize(
    ("people", "percent", "shown"),
    [
        ([18, 1917], [66.7, 48.9], [False, False]),
        ([200, 1917], [97.0, 48.9], [False, False]),
        ([200, 1917], [0.0, 48.9], [True, True]),
        ([200, 1917], [50.0, 48.9], [True, True]),
    ],
    ids=["few women, few cases", "few women", "no man", "many"],
)
def test_table_one_hides_a_percent_that_tells_of_few_and_what_would_tell_it(people, percent, shown):
    frame = pd.DataFrame({"group": ["ALS", "others"], "people": people, "men_percent": percent})
    released = control_groups(frame, PROFILES["acro"])
    assert list(released["men_percent"].notna()) == shown
    assert released["people"].notna().all()


def test_a_flow_begins_its_sentences_with_a_capital():
    html = attrition_flow(ATTRITION, PROFILES["acro"])
    assert ">A suppressed number of cases" in html
    assert ">a suppressed" not in html


def test_a_table_one_without_counts_is_left_as_it_is():
    frame = pd.DataFrame({"characteristic": ["Men"], "people": ["50 %"]}).rename(columns={"people": "share"})
    pd.testing.assert_frame_equal(control_groups(frame, PROFILES["acro"]), frame)


@pytest.mark.parametrize("seed", range(3))
def test_no_tenth_is_given_up_for_the_decision_curve(seed):
    rng = np.random.default_rng(seed)
    risk = np.exp(rng.normal(-4.5, 1.0, 9000)).clip(1e-5, 0.5)
    frame = pd.DataFrame(
        {
            "person_id": np.arange(9000),
            "index_date": "2015-01-01",
            "risk": risk,
            "baseline_risk": risk.mean(),
            "event": (rng.random(9000) < risk).astype(int),
            "time_days": 1096,
            "age_years": 60,
            "sex": "F",
            "weight": 1.0,
            "family": np.arange(9000),
        }
    )
    data = EvaluationData.from_frame(frame, horizon_days=1096, lag_days=365)
    tables = evaluate(data, replicates=0, seed=1).tables
    without = {name: table for name, table in tables.items() if name != "decision_curve"}
    alone, beside = (control(given, PROFILES["acro"])["calibration_deciles"] for given in (without, tables))
    observed = alone["measure"] == "observed_risk"
    assert beside.loc[observed, "value"].notna().sum() >= alone.loc[observed, "value"].notna().sum() > 0
