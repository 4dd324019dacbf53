"""The report and the files of a whole study on the small simulated world."""

from __future__ import annotations

import doctest
import json
import re

import numpy as np
import pandas as pd
import pytest
import typer

from prodromal.association import StudyDesign, release, report, run_study, wording
from prodromal.association.drawing import ForestRow, forest
from prodromal.association.wording import SIMULATED
from prodromal.cli import study as verb
from prodromal.disclosure import PROFILES
from prodromal.errors import NotEstimable
from prodromal.register import Register


@pytest.fixture(scope="module")
def study(world):
    return run_study(world.register, StudyDesign(seed=3))


@pytest.fixture(scope="module")
def page(study):
    rule = PROFILES["acro"]
    return report(study, release(study.tables, rule), rule, {"prodromal": "test"}).render()


def test_every_section_is_there_and_says_what_it_is_not(page):
    for anchor in ("windows", "relatives", "age-sex", "lags", "survival", "function", "people", "methods"):
        assert f'<section id="{anchor}"' in page
    assert page.index(SIMULATED) < page.index("<h1>")
    assert "associations, not causes" in page
    assert "hypnotics N05C" in page
    assert "midazolam (N05CD08)" in page
    assert "caution, not with panic" in page
    for word in ("caused by", "causes ALS", "due to the medicine"):
        assert word not in page


def test_published_numbers_stand_beside_the_own_and_are_marked(page):
    assert "1.34 (1.12 to 1.60)" in page
    assert "6.10 (3.77 to 9.88)" in page
    assert page.count(">published<") >= 9
    assert "JAMA Network Open 2025;8(6):e2514437" in page


def test_the_page_stands_alone(page):
    assert "<script" not in page or "sha256-" in page
    assert "http://" not in page.replace("http://www.w3.org/2000/svg", "")
    assert "https://" not in page


def test_words_from_outside_are_escaped():
    drawn = forest([ForestRow("<script>alert(1)</script>", "<b>&", 1.2, 1.0, 1.4)], axis="<i>")
    assert "<script>" not in drawn
    assert "&lt;script&gt;" in drawn


def test_the_strong_world_shows_its_classes_and_not_its_negative_controls(study):
    frame = study.tables["odds_ratios"]
    frame = frame[(frame["comparator"] == "population") & (frame["definition"] == "recurrent")].set_index("class")
    headline = frame[frame["window"] == ">1"]
    assert (headline.loc[["anxiolytics", "hypnotics", "antidepressants"], "ci_low"] > 1).all()
    for name in ("statins", "proton pump inhibitors"):
        row = headline.loc[name]
        assert abs(np.log(row["estimate"])) < 3.5 * np.log(row["ci_high"] / row["ci_low"]) / 3.92


def test_windows_are_exclusive_and_bounded_by_the_sets(study):
    frame = study.tables["odds_ratios"]
    windows = frame[frame["window"] != ">1"].groupby(["comparator", "class", "definition"])
    assert (windows["exposed_cases"].sum() <= windows["cases"].first()).all()
    assert (windows["sets"].min() == windows["sets"].max()).all()
    wide = frame.pivot_table(index=["comparator", "class", "window"], columns="definition", values="exposed_others")
    assert (wide["first use"] >= wide["recurrent"]).all()


def test_look_back_is_asked_for_and_counted(study):
    flow = study.tables["flow"].set_index(["comparator", "step"])
    frame = study.tables["odds_ratios"]
    for name in ("population", "sibling", "spouse"):
        counted = flow.loc[(name, "observed for 2191 days before (windows only)")]
        rows = frame[(frame["comparator"] == name) & (frame["window"] == ">5")]
        assert (rows["cases"] == counted["cases"]).all()
        assert (rows["others"] == counted["others"]).all()
        assert counted["cases"] < flow.loc[(name, "with at least one control"), "cases"]


@pytest.fixture(scope="module")
def sparse(world):
    """A study of the few cases of a few months, as it may leave."""
    done = run_study(world.register, StudyDesign(seed=3, joint=False, first_day=15000, last_day=15060))
    rule = PROFILES["acro"]
    tables = release(done.tables, rule)
    return done, tables, report(done, tables, rule, {}).render()


def test_few_cases_are_told_by_nothing(sparse):
    done, tables, html = sparse
    assert 0 < done.tables["table_one"]["people"].iloc[0] < 10
    one = tables["table_one"]
    assert one.loc[one["group"].isin(["cases", "population controls"]), "people"].isna().all()
    frame = tables["odds_ratios"]
    assert frame.loc[frame["cases"].isna(), "others"].isna().all()
    assert "Cases are compared with population controls" in html
    assert "undisclosed" not in html


def test_a_heading_says_what_is_suppressed_and_not_that_there_is_nothing(sparse):
    html = sparse[2]
    assert "odds suppressed</h2>" in html
    assert "hazard suppressed</h2>" in html
    assert "not shown" not in html


def test_numbers_are_written_as_people_read_them(page):
    assert "observed for 2,191 days before" in page
    assert "observed for 2191" not in page
    assert ">1 year<" in page
    assert not re.search(r"(?<![\d.])1 years", page)


def test_progress_ends_at_the_last_step_though_nobody_was_visited(world):
    class Unvisited(Register):
        def has(self, table):
            return table != "follow_up" and super().has(table)

    steps = []
    run_study(
        Unvisited(world.register.folder, world.register.manifest),
        StudyDesign(seed=3),
        progress=lambda *step: steps.append(step),
    )
    assert steps == [(done, 6) for done in range(1, 7)]


def test_a_study_is_the_same_twice(world, study):
    again = run_study(world.register, StudyDesign(seed=3, joint=False))
    for name, frame in study.tables.items():
        if name != "joint":
            pd.testing.assert_frame_equal(frame, again.tables[name])


def test_a_period_without_cases(world):
    with pytest.raises(NotEstimable, match="no case was diagnosed in the period"):
        run_study(world.register, StudyDesign(first_day=30000))


def test_a_register_without_relatives_and_without_visits_says_so(world):
    class Bare(Register):
        def has(self, table):
            return table not in ("relatives", "follow_up") and super().has(table)

    register = Bare(world.register.folder, world.register.manifest)
    done = run_study(register, StudyDesign(seed=3))
    assert [note.split(":")[0] for note in done.notes] == [
        "No comparison with siblings",
        "No comparison with spouses",
        "Functional decline was not estimated",
    ]
    html = report(done, release(done.tables, PROFILES["acro"]), PROFILES["acro"], {}).render()
    assert "No comparison with siblings" in html
    assert 'id="function"' not in html


def test_files_of_the_verb(world, tmp_path, capsys):
    app = typer.Typer()
    verb.add_to(app)
    app(
        [str(world.register.folder), "--output", str(tmp_path / "out"), "--no-joint", "--profile", "opensafely"],
        standalone_mode=False,
    )
    told = capsys.readouterr().out
    assert SIMULATED in told
    assert "published 1.34 (1.12 to 1.60)" in told
    content = json.loads((tmp_path / "out" / "study.json").read_text("utf-8"))
    assert content["warning"] == SIMULATED
    assert "counts from 1 to 7" in content["disclosure"]
    assert content["classes"]["hypnotics"] == "N05C"
    rows = content["tables"]["odds_ratios"]
    assert all(r["exposed_cases"] is None or r["exposed_cases"] % 5 == 0 for r in rows)
    back = pd.read_csv(tmp_path / "out" / "tables" / "odds_ratios.csv")
    assert len(back) == len(rows)
    assert (tmp_path / "out" / "report.html").is_file()


def test_examples_in_the_wording_run():
    assert doctest.testmod(wording).failed == 0


def test_progress_of_strangers_runs_through_the_mixed_model(shared):
    """80 people with visits and an arm: times in months, the score as a change from a centre."""
    from prodromal.association import fit_joint, fit_mixed

    frame = pd.read_csv(shared / "data" / "als_progression" / "winratio_als_longitudinal.csv")
    months, arm = frame["times"].to_numpy(), frame["trt"].to_numpy(dtype=float)
    X = pd.DataFrame({"1": 1.0, "months": months, "arm": arm, "months by arm": months * arm})
    fit = fit_mixed(frame["ALSFRS"], X, frame["subjects"], np.column_stack([np.ones(len(frame)), months]))
    assert fit.groups == 80
    assert fit.table().set_index("term").loc["months", "ci_high"] < 0
    people = frame.drop_duplicates("subjects").reset_index(drop=True)
    place = pd.Series(people.index, index=people["subjects"])
    joint = fit_joint(
        frame["ALSFRS"],
        X,
        place[frame["subjects"]].to_numpy(),
        months,
        time=people["surv"],
        event=people["csurv"] == 1,
        W=people[["trt"]].astype(float),
        pieces=3,
    )
    assert np.isfinite(joint.table()["se"]).all()
