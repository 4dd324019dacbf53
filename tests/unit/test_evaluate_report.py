"""The report and the exports: complete, self-contained, careful with words, and written even where numbers are not."""

from __future__ import annotations

import json
import re
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from prodromal.errors import DataError
from prodromal.evaluate import EvaluationData, MatchedSets, compute_lead_time, evaluate, meds_predictions
from prodromal.evaluate.disclosure import PROFILES
from prodromal.evaluate.export import safe_cell, write_tables
from prodromal.evaluate.words import FAR_OFF, left_out_note, years
from prodromal.page import Section, paragraph
from tests.hostile import HOSTILE


def people(n=6000, seed=3, **fixed):
    rng = np.random.default_rng(seed)
    age = rng.integers(40, 90, n)
    baseline = np.exp(-7 + 0.05 * (age - 40))
    risk = baseline * rng.gamma(4, 0.25, n)
    event = np.where(rng.random(n) < risk, 1, np.where(rng.random(n) < 0.05, 2, 0))
    time = np.where(
        event > 0, rng.integers(366, 1827, n), np.where(rng.random(n) < 0.1, rng.integers(1, 1826, n), 1826)
    )
    frame = {"risk": risk, "baseline_risk": baseline, "event": event, "time_days": time, "age_years": age}
    frame |= {"sex": rng.choice(["F", "M"], n), "weight": np.where(event == 1, 1.0, 50.0)}
    return pd.DataFrame(frame | fixed)


def sets(seed=3):
    rng = np.random.default_rng(seed)
    case = np.tile([True, False, False, False], 300)
    frame = pd.DataFrame({"set_id": np.repeat(np.arange(300), 4), "case": case, "score": rng.normal(0.3 * case)})
    return MatchedSets.from_frame(frame.assign(baseline_risk=0.1))


@pytest.fixture(scope="module")
def result():
    data = EvaluationData.from_frame(people(), horizon_days=1826, lag_days=365)
    ladder = compute_lead_time({0: sets(1), 365: sets(2), 1826: sets(3)}, replicates=20, seed=1)
    return evaluate(data, matched=sets(), lead_time=ladder, replicates=20, seed=1)


@pytest.fixture(scope="module")
def html(result, tmp_path_factory):
    path = tmp_path_factory.mktemp("report") / "report.html"
    attrition = pd.DataFrame({"step": ["in the register", "followed"], "people": [9000, 6000]})
    result.to_html(
        path,
        title="Can it be told?",
        provenance={"Seed": "1"},
        attrition=attrition,
        table_one=pd.DataFrame({"group": ["ALS", "others"], "people": [600, 5400]}),
        extra_sections=[Section("more", "One more", paragraph("added"))],
    )
    return path.read_text()


def test_the_report_shows_what_a_journal_asks(html):
    for words in (
        "Observed over expected",
        "Slope (1 is ideal)",
        "ICI, per 100,000",
        "Numbers by tenth of predicted risk",
        "Numbers by age and sex",
        "AUROC",
        "Average precision",
        "Brier score",
        "Flagged per true case",
        "Gain in net benefit",
        "Time left out before the diagnosis",
        "Numbers by subgroup",
        "in the register",
        "Who they were",
        "3,000 people left",
        "TRIPOD+AI",
        "Profile acro",
        "One more",
        "age and sex",
        "Aalen-Johansen",
        "not for alarm",
    ):
        assert words in html, words


def test_the_report_is_one_file_without_script_or_request(html):
    assert "<script" not in html
    assert not re.search(r"(src|xlink:href|href)=\"(?!#|data:)", html)
    assert "http://" not in html.replace("http://www.w3.org/", "")
    assert "https://" not in html


def test_every_figure_has_a_caption_and_words_for_those_who_cannot_see_it(html):
    figures = re.findall(r"<figure>.*?</figure>", html, flags=re.DOTALL)
    assert len(figures) >= 6
    for one in figures:
        assert re.search(r'role="img" aria-label="[^"]{20,}"', one)
        assert re.search(r"<figcaption>.{40,}</figcaption>", one, flags=re.DOTALL)
        assert "#0072b2" not in one, "a colour that cannot follow the page into the dark"


def test_no_causal_words(html, result):
    text = re.sub(r"<style>.*?</style>", "", html, flags=re.DOTALL) + " ".join(result.summary())
    assert not re.search(r"\b(caused|causes ALS|leads to|due to)\b", text)


def test_risks_have_natural_frequencies(result):
    assert re.search(r"per 100,000, about 1 in [\d,]+", result.summary()[0])


def test_figures_also_as_png(result, tmp_path):
    result.to_html(tmp_path / "a.html", title="t", figures=tmp_path / "figures")
    names = {p.name for p in (tmp_path / "figures").iterdir()}
    assert {"calibration.png", "discrimination.png", "decision_curve.png", "subgroups.png"} <= names
    assert (tmp_path / "figures" / "calibration.png").read_bytes().startswith(b"\x89PNG")


def test_the_same_evaluation_gives_the_same_bytes(result, tmp_path):
    for name in ("a.html", "b.html"):
        result.to_html(tmp_path / name, title="t")
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_json_has_no_number_that_does_not_exist(result, tmp_path):
    result.to_json(tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text()
    assert "NaN" not in text
    told = json.loads(text)
    assert set(told) == {"facts", "warnings", "disclosure", "summary", "tables"}
    assert told["tables"]["calibration"][0]["measure"] == "observed_risk"


def test_csv_tables(result, tmp_path):
    result.to_csv(tmp_path / "tables")
    found = pd.read_csv(tmp_path / "tables" / "calibration.csv")
    assert list(found.columns) == ["model", "measure", "value", "ci_low", "ci_high", "n", "events", "note"]
    assert len(found) == len(result.tables["calibration"])


@pytest.mark.parametrize("text", [t for t in HOSTILE if t[0] in "=+-@"])
def test_a_spreadsheet_is_not_tricked(text, tmp_path):
    assert safe_cell(text) == f"'{text}"
    write_tables(tmp_path, {"t": pd.DataFrame({"group": [text], "value": [-1.5]})})
    back = pd.read_csv(tmp_path / "t.csv")
    assert back["group"].tolist() == [f"'{text}"]
    assert back["value"].tolist() == [-1.5]


@pytest.mark.parametrize(
    "frame",
    [
        people(400).assign(event=0, time_days=1826),
        people(400).assign(risk=0.01, baseline_risk=0.01),
        people(400).assign(event=0, time_days=100),
        people(400).drop(columns=["baseline_risk", "sex", "age_years", "weight"]),
        people(30),
    ],
    ids=["no event", "constant", "all lost", "only the required columns", "few"],
)
def test_the_report_is_written_even_where_numbers_are_not(frame, tmp_path):
    data = EvaluationData.from_frame(frame, horizon_days=1826, lag_days=365)
    result = evaluate(data, replicates=4, seed=1)
    result.to_html(tmp_path / "a.html", title="t")
    result.to_json(tmp_path / "a.json")
    result.to_ohdsi(tmp_path / "ohdsi")
    text = (tmp_path / "a.html").read_text()
    assert "nan" not in re.sub(r"<[^>]*>", " ", text).lower().split()
    assert result.summary()


def test_group_names_are_data_and_stay_data(tmp_path):
    frame = people(3000)
    frame["region"] = np.resize(HOSTILE[:3], len(frame))
    data = EvaluationData.from_frame(frame, horizon_days=1826, lag_days=365)
    evaluate(data, replicates=0, seed=1).to_html(tmp_path / "a.html", title=HOSTILE[0])
    assert "<script" not in (tmp_path / "a.html").read_text().lower()


def test_ohdsi_result_tables(result, tmp_path):
    result.to_ohdsi(tmp_path)
    names = {p.stem for p in tmp_path.iterdir()}
    assert names == {
        "evaluationStatistics",
        "thresholdSummary",
        "calibrationSummary",
        "demographicSummary",
        "predictionDistribution",
        "covariateSummary",
    }
    statistics = pd.read_csv(tmp_path / "evaluationStatistics.csv").set_index("metric")["value"]
    area = result.released["discrimination"].query("model == 'model' and measure == 'auroc'")["value"].iloc[0]
    assert statistics["AUROC"] == area
    distribution = pd.read_csv(tmp_path / "predictionDistribution.csv")
    assert distribution["MinPredictedProbability"].isna().all()
    thresholds = pd.read_csv(tmp_path / "thresholdSummary.csv").dropna()
    total = thresholds["positiveCount"] + thresholds["negativeCount"]
    assert (total == result.facts["n"]).all()
    assert (thresholds["trueCount"] == thresholds["truePositiveCount"] + thresholds["falseNegativeCount"]).all()
    calibration = pd.read_csv(tmp_path / "calibrationSummary.csv")
    assert len(calibration) == 10


def test_meds_predictions_end_before_the_index_date():
    frame = pd.DataFrame(
        {
            "person_id": [7, 7, 9],
            "index_date": [date(2020, 3, 1), date(2020, 4, 1), date(2021, 1, 1)],
            "risk": [0.1, 0.2, 0.3],
            "event": [1, 0, 0],
            "time_days": [400, 400, 100],
        }
    )
    found = meds_predictions(frame, horizon_days=400, lag_days=365)
    assert found.schema == pa.schema(
        [
            ("subject_id", pa.int64()),
            ("prediction_time", pa.timestamp("us")),
            ("boolean_value", pa.bool_()),
            ("predicted_boolean_value", pa.bool_()),
            ("predicted_boolean_probability", pa.float32()),
        ]
    )
    assert found["boolean_value"].to_pylist() == [True, False]  # MEDS knows no missing label: the censored has no row
    times = meds_predictions(frame[["person_id", "index_date", "risk"]], horizon_days=400, lag_days=365)
    assert "boolean_value" not in times.column_names
    days = [time.date() for time in times["prediction_time"].to_pylist()]
    assert days == [date(2020, 2, 29), date(2020, 3, 31), date(2020, 12, 31)]
    with pytest.raises(DataError, match="whole numbers in person_id"):
        meds_predictions(frame.assign(person_id=["a", "b", "c"]), horizon_days=400, lag_days=365)


@pytest.mark.parametrize(
    ("left_out", "profile", "told"),
    [
        (0, "acro", ""),
        (9, "acro", "Some people of the cohort have no prediction and are left out."),
        (935, "acro", "935 of the 1,935 people of the cohort have no prediction and are left out."),
        (933, "opensafely", "935 of the 1,935 people of the cohort have no prediction and are left out."),
    ],
)
def test_people_without_a_prediction_are_told_unless_they_are_few(left_out, profile, told):
    assert left_out_note(left_out, 1935, PROFILES.of(profile)) == told


@pytest.mark.parametrize(("factor", "far"), [(0.01, True), (1.0, False), (50.0, True)])
def test_a_level_far_off_is_told_and_not_called_calibrated(factor, far):
    frame = people(weight=1.0).assign(risk=lambda f: f["risk"] / f["risk"].max() / 50 * factor)
    frame = frame.assign(event=(np.arange(6000) % 400 == 0).astype(int), time_days=1826)
    found = evaluate(EvaluationData.from_frame(frame, horizon_days=1826, lag_days=365), replicates=0, seed=1)
    assert (FAR_OFF in found.warnings) == far
    assert ("says nothing while the level is so far off" in " ".join(found.summary())) == far


def test_what_is_unstable_or_suppressed_is_told_in_whole_sentences(tmp_path):
    ranked = people(weight=1.0).sort_values("risk", ascending=False)
    frame = ranked.assign(event=(np.arange(6000) % 300 == 0).astype(int), time_days=1826)
    found = evaluate(EvaluationData.from_frame(frame, horizon_days=1826, lag_days=365), replicates=20, seed=1)
    found.to_html(tmp_path / "report.html", title="Few")
    told = (tmp_path / "report.html").read_text()
    assert "Too few outcomes to judge calibration by level of risk" in told
    assert "the share of later cases among them is suppressed" in told
    assert "neither too extreme" not in " ".join(found.summary())
    assert ">suppressed<" in told


def test_years_in_words():
    assert [years(d) for d in (365, 366, 1826, 1825, 180, 730, 3652)] == [
        "1 year",
        "1 year",
        "5 years",
        "5 years",
        "180 days",
        "2 years",
        "10 years",
    ]
