"""The report says no more than its numbers: few outcomes, wide intervals, suppressed cells, acting by the risk."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

from prodromal.evaluate import EvaluationData, MatchedSets, compare, evaluate
from prodromal.evaluate.listing import risks
from prodromal.evaluate.plots import plot_discrimination, plot_forest, plot_review
from prodromal.evaluate.sections import use
from prodromal.evaluate.words import summary_sentences


def people(events, n=3000, seed=1):
    """So many outcomes, ranked a little better than by chance; those under 50 have none."""
    rng = np.random.default_rng(seed)
    age = rng.integers(30, 90, n)
    risk = events / n * (age - 25) / 35 * rng.gamma(4, 0.25, n)
    case = np.zeros(n, dtype=bool)
    case[rng.choice(np.flatnonzero(age >= 50), events, replace=False)] = True
    frame = {"risk": risk, "baseline_risk": events / n * (age - 25) / 35, "age_years": age, "event": case.astype(int)}
    frame |= {"time_days": np.where(case, rng.integers(1, 1000, n), 1096), "sex": rng.choice(["M", "F"], n)}
    return EvaluationData.from_frame(pd.DataFrame(frame), horizon_days=1096, lag_days=0)


@pytest.fixture(scope="module")
def few():
    return evaluate(people(18), replicates=40, seed=1, thresholds=(0.01, 0.5))


@pytest.fixture(scope="module")
def page(few, tmp_path_factory):
    path = tmp_path_factory.mktemp("few") / "report.html"
    few.to_html(path, title="Few")
    return path.read_text()


def sets(effect):
    rng = np.random.default_rng(1)
    case = np.tile([True, False, False], 150)
    frame = pd.DataFrame({"set_id": np.repeat(np.arange(150), 3), "case": case, "score": rng.normal(effect * case)})
    return MatchedSets.from_frame(frame)


def test_suppressed_numbers_of_outcomes_are_called_suppressed(few, page):
    shown = risks(few.released["calibration_deciles"], ["group"], "Tenth")
    outcomes = [re.findall(r"<t[dh].*?</t[dh]>", row)[2] for row in re.findall(r"<tr>.*?</tr>", shown)]
    assert any("suppressed" in cell for cell in outcomes)
    assert not any("not computed" in cell for cell in outcomes)
    numbers = page.split("Numbers by subgroup")[1].split("</table>")[0]
    women = next(row for row in re.findall(r"<tr>.*?</tr>", numbers) if ">women<" in row)
    assert "not computed" not in women


def test_no_outcome_has_an_upper_limit():
    frame = pd.DataFrame({"risk": np.linspace(1e-4, 0.01, 3000), "event": 0, "time_days": 1096})
    found = evaluate(EvaluationData.from_frame(frame, horizon_days=1096, lag_days=0), replicates=20, seed=1)
    risk = found.tables["calibration"].query("measure == 'observed_risk' and model == 'model'").iloc[0]
    assert (risk["value"], risk["ci_low"]) == (0, 0)
    # The exact upper limit of no event is 3.69 events.
    assert risk["ci_high"] == pytest.approx(3.689 / 3000, rel=1e-3)
    assert "0 (0 to 0)" not in found.summary()[0]


def test_no_case_among_the_flagged_has_an_upper_limit(few):
    rows = few.tables["thresholds"].query("events == 0 and measure == 'sensitivity'")
    assert len(rows)
    np.testing.assert_allclose(rows["ci_high"], 3.689 / 18, rtol=1e-3)


def test_a_difference_has_no_limits_of_a_count():
    data = people(5)
    found = compare(data, data.risk / 2, replicates=20, seed=1).query("measure == 'observed_risk'").set_index("model")
    assert found.loc["first", "ci_high"] > found.loc["first", "value"]
    assert found.loc["difference", ["value", "ci_low", "ci_high"]].tolist() == [0, 0, 0]


def titles(figure):
    return [axes.get_title(loc="left") for axes in figure.axes]


def test_average_precision_is_drawn_only_where_outcomes_are_many(few):
    assert len(titles(plot_discrimination(few.released["discrimination"]))) == 1
    many = evaluate(people(120), replicates=0, seed=1).released["discrimination"]
    assert any("Average precision" in title for title in titles(plot_discrimination(many)))
    assert (few.released["discrimination"]["measure"] == "average_precision").any()


def with_ratio(few, low, high):
    frame = few.released["calibration"].copy()
    rows = frame["measure"] == "observed_over_expected"
    frame.loc[rows, ["value", "ci_low", "ci_high"]] = [1.02, low, high]
    return " ".join(summary_sentences({**few.released, "calibration": frame}, few.facts))


def test_a_wide_interval_is_no_proof_of_agreement(few):
    assert "not shown to differ from what was predicted" in with_ratio(few, 0.492, 1.33)
    assert "about as many as predicted" in with_ratio(few, 0.95, 1.08)
    assert "more than predicted" in with_ratio(few, 1.01, 1.08)
    assert "without an interval" in with_ratio(few, np.nan, np.nan)


def test_the_summary_says_whether_the_model_adds_to_age_and_sex(few, page):
    told = " ".join(few.summary())
    sentence = re.search(r"The model is not shown to add to the AUROC of age and sex alone: [^<]*", page)
    assert sentence is not None
    assert sentence[0] in told
    chance = evaluate(people(18), matched=sets(0.0), replicates=40, seed=1)
    assert "not shown to rank better than chance" in " ".join(chance.summary())
    better = evaluate(people(18), matched=sets(1.0), replicates=40, seed=1)
    assert "not shown" not in better.summary()[1]


def test_acting_by_the_risk_is_worded_as_net_benefit(few, page):
    assert "pays" not in page
    assert re.search(r"Acting by the risk (has|is not shown to have) more net benefit", page)
    thresholds = [0.0001, 0.001, 0.01]
    curve = pd.DataFrame({"threshold": thresholds, "model": "model", "measure": "gain_per_100k", "note": ""})
    curve = curve.assign(value=1.0, ci_low=[0.5, -0.5, 0.5], ci_high=1.5)
    html = use({**few.released, "decision_curve": curve}).section.html
    assert "at some thresholds from 10 to 1,000 per 100,000; the model is not shown to add to age and sex alone" in html


def test_a_decision_curve_that_may_not_be_shown_is_said_to_be_suppressed(few):
    curve = few.released["decision_curve"].copy()
    curve.loc[curve["measure"] == "gain_per_100k", "value"] = np.nan
    curve.loc[curve["measure"] == "gain_per_100k", "note"] = few.profile.reason
    part = use({**few.released, "decision_curve": curve})
    assert "The decision curve was suppressed" in part.section.html
    assert "decision_curve" not in part.figures


def right_of_the_line(axes):
    """Whether words in place of a number begin right of the dashed line of their panel."""
    axes.figure.draw_without_rendering()
    line = next(one for one in axes.lines if one.is_dashed())
    at = axes.transData.transform((line.get_xdata()[0], 0))[0]
    words = [text for text in axes.texts if text.get_text() in {"suppressed", "not computed"}]
    return [text.get_window_extent().x0 > at for text in words]


def test_no_line_strikes_through_words(few):
    shown = few.released["subgroups"].assign(label=lambda f: f["group"].astype(str))
    panels = [("auroc", "AUROC", 0.5, False), ("observed_over_expected", "O/E", 1.0, True)]
    review = {"capacity": 0.01, "measure": "sensitivity", "model": ["model", "age and sex"], "value": [np.nan, 0.1]}
    review |= {"ci_low": [np.nan, 0.05], "ci_high": [np.nan, 0.2], "note": ["suppressed: few", ""]}
    for drawn in (plot_forest(shown, panels=panels), plot_review(pd.DataFrame(review), 0.01)):
        found = [beside for axes in drawn.axes for beside in right_of_the_line(axes)]
        assert found
        assert all(found)
