"""The page of a register's quality counts what an independent count finds, and gives away nothing small."""

from __future__ import annotations

import json
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from prodromal.cli.app import app
from prodromal.disclosure import exposure
from prodromal.errors import DefinitionError
from prodromal.features import FeaturePlan
from prodromal.page import rounded
from prodromal.quality import compute_quality, quality_page, release
from prodromal.quality import release as released_tables
from prodromal.quality.charts import Series, draw_panels
from prodromal.quality.compute import Quality
from prodromal.register import Register
from prodromal.register.gaps import expected_by_neighbours, is_gap
from prodromal.sources import Source, TableSource, ingest

CODES = ["N05BA01", "N06AB04", "N06AA09", "C10AA05", "B01AC06", "N02AA01", "V03AB15"]
CANARY = "canary-9417"


def deliver(folder, rows_per_part=100):
    """Sixty people, 9,000 dispensings over six years; July 2012 all but missing, one code of three people."""
    rng = np.random.default_rng(4)
    n = 9_000
    day = np.array(date(2009, 1, 1).toordinal() + rng.integers(0, 6 * 365, n))
    frame = pd.DataFrame(
        {
            "person_id": [f"{CANARY}-{p}" for p in rng.integers(0, 55, n)],
            "dispensed_on": [date.fromordinal(int(d)) for d in day],
            "atc": rng.choice(CODES[:-1], n),
            "ddd": np.where(rng.random(n) < 0.3, np.nan, rng.choice([10.0, 30.0, 100.0], n)),
            "days_supply": rng.choice([0, 30, 90], n),
            "quantity": np.arange(1, n + 1),
        }
    )
    months = frame["dispensed_on"].astype("string").str[:7]
    frame = frame[(months != "2012-07") | (np.arange(n) % 9 == 0)]
    rare = pd.DataFrame(
        {
            "person_id": [f"{CANARY}-{p}" for p in range(3)],
            "dispensed_on": [date(2010, 5, 1) + timedelta(days=i) for i in range(3)],
            "atc": CODES[-1],
        }
    )
    frame = pd.concat([frame, rare])
    frame.to_csv(folder / "d.csv", index=False)
    people = pd.DataFrame(
        {
            "person_id": [f"{CANARY}-{p}" for p in range(60)],
            "sex": rng.choice(["M", "F"], 60),
            "birth_date": [f"{year}-03-01" for year in rng.integers(1930, 1995, 60)],
            "observed_from": ["2009-01-01"] * 40 + ["2011-07-01"] * 20,
            "observed_to": ["2014-12-31"] * 60,
        }
    )
    people.to_csv(folder / "p.csv", index=False)
    tables = (TableSource("persons", (folder / "p.csv",)), TableSource("dispensings", (folder / "d.csv",)))
    source = Source(tables, extracted_on=date(2015, 1, 1), max_rejected=1.0)
    ingest(source, folder / f"register-{rows_per_part}", rows_per_part=rows_per_part)
    return Register.open(folder / f"register-{rows_per_part}"), people


@pytest.fixture(scope="module")
def delivered(tmp_path_factory):
    return deliver(tmp_path_factory.mktemp("quality"))


@pytest.fixture(scope="module")
def quality(delivered):
    return compute_quality(delivered[0])


@pytest.fixture(scope="module")
def rows(delivered):
    frame = pd.concat(
        [
            part.read(["person_id", "dispensed_on", "atc", "ddd", "days_supply"]).to_pandas()
            for part in delivered[0].parts
        ]
    )
    return frame.assign(
        month=frame["dispensed_on"].astype("string").str[:7],
        year=frame["dispensed_on"].astype("string").str[:4].astype(int),
    )


def family(code):
    return next((g.family for g in FeaturePlan.psychiatric().groups if g.matches(code)), "Other medicines")


def test_dispensings_by_year_and_class(quality, rows):
    counted = rows.groupby([rows["year"], rows["atc"].astype(str).map(family)]).size()
    found = quality.tables["classes"].set_index(["year", "class"])["dispensings"]
    assert found[found > 0].to_dict() == counted.to_dict()
    assert quality.tables["years"].set_index("year")["dispensings"].to_dict() == rows.groupby("year").size().to_dict()


def test_people_and_person_years(quality, delivered):
    years = quality.tables["years"].set_index("year")
    assert years.loc[2009, "people"] == 40
    assert years.loc[2012, "people"] == 60
    assert years.loc[2011, "person_years"] == pytest.approx((40 * 365 + 20 * 184) / 365.25)
    assert quality.facts["people"] == len(delivered[1])


def test_codes(quality, rows):
    uncovered = quality.tables["uncovered"].set_index("atc")
    of_others = rows[rows["atc"].astype(str).map(family) == "Other medicines"]
    assert uncovered["dispensings"].to_dict() == of_others.groupby("atc", observed=True).size().to_dict()
    assert uncovered["people"].to_dict() == of_others.groupby("atc", observed=True)["person_id"].nunique().to_dict()
    assert "N06AA09" in uncovered.index  # it treats a late symptom, so that no class has it
    assert quality.tables["coverage"]["share"].sum() == pytest.approx(1)


def test_values(quality, rows):
    values = quality.tables["values"].set_index("column")
    assert values.loc["ddd", "given"] == rows["ddd"].notna().sum()
    assert values.loc["ddd", "p50"] == pytest.approx(30, rel=0.01)
    assert values.loc["days_supply", "missing_share"] == pytest.approx(rows["days_supply"].isna().mean())
    repaired = quality.tables["reasons"].query("what == 'repaired'").set_index("reason")["rows"]
    assert repaired["days_supply_implausible"] == rows["days_supply"].isna().sum() - 3


def test_ages(quality, delivered):
    birth = pd.to_datetime(delivered[1]["birth_date"]).dt.year
    ages = 2014 - birth
    expected = pd.DataFrame({"age": ages // 10, "sex": delivered[1]["sex"]}).groupby(["age", "sex"]).size()
    found = quality.tables["ages"].query("people > 0")
    assert quality.facts["reference_day"] == "2014-07-01"
    assert {(int(r.age.split("-")[0]) // 10, r.sex): r.people for r in found.itertuples()} == expected.to_dict()


def test_the_month_that_is_missing_is_found(quality):
    months = quality.tables["months"]
    assert list(months.loc[months["gap"], "month"]) == ["2012-07"]
    assert "One month falls far below" in quality_page(release(quality), {}).render()


@pytest.mark.parametrize(("share", "gaps"), [(0.49, [True]), (0.51, [False]), (0.0, [True])])
def test_gaps_hang_on_people_under_observation(share, gaps):
    dispensings, people = np.full(25, 1_000), np.full(25, 500)
    dispensings[12] = int(1_000 * share)
    people[18:], dispensings[18:] = 50, 100  # fewer people, the same rate
    found = is_gap(dispensings, expected_by_neighbours(dispensings, people))
    assert list(np.flatnonzero(found)) == ([12] if gaps == [True] else [])


def test_too_few_are_no_gap():
    dispensings, people = np.full(25, 40), np.full(25, 500)
    dispensings[12] = 0
    assert not is_gap(dispensings, expected_by_neighbours(dispensings, people)).any()


@pytest.mark.parametrize("rows_per_part", [7, 100_000])
def test_it_does_not_depend_on_the_parts(tmp_path, quality, rows_per_part):
    other = compute_quality(deliver(tmp_path, rows_per_part)[0])
    for name, frame in quality.tables.items():
        pd.testing.assert_frame_equal(frame, other.tables[name])


def small(frame):
    counts = frame.select_dtypes("number")
    counts = counts[
        [c for c in counts if c in {"rows", "people", "dispensings", "kept", "rejected", "duplicate", "given", "zero"}]
    ]
    return ((counts > 0) & (counts < 10)).to_numpy().any()


def test_nothing_small_is_shown(quality):
    assert any(small(frame) for frame in quality.tables.values()), "else this test shows nothing"
    assert not any(small(frame) for frame in release(quality).tables.values())


@settings(max_examples=40)
@given(counts=st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_nothing_small_follows_by_subtraction(counts):
    frame = pd.DataFrame({"class": [str(i) for i in range(len(counts))], "dispensings": counts, "share": 0.1})
    shown = released_tables.__globals__["_partition"](frame, "dispensings", ["share"], 5)
    hidden = shown["dispensings"].isna().to_numpy()
    members = np.vstack([np.eye(len(counts), dtype=bool), np.ones(len(counts), dtype=bool)])
    system = np.append(np.array(counts), sum(counts))
    assert (shown["share"].isna() == hidden).all()
    for which in np.flatnonzero((system[:-1] > 0) & (system[:-1] < 5)):
        assert hidden[which]
        low, high = exposure(members, system, np.append(hidden, False), int(which))
        assert high - low >= 5 - 1e-6 or sum(counts) < 5


def test_no_id_leaves(quality):
    shown = release(quality)
    assert CANARY not in quality_page(shown, {"register": "x"}).render()
    assert not any(CANARY in frame.to_csv() for frame in shown.tables.values())


def test_an_empty_register_has_a_page(tmp_path):
    (tmp_path / "p.csv").write_text(
        "person_id,sex,birth_date,observed_from,observed_to\n1,F,1950-01-01,2010-01-01,2015-01-01\n"
    )
    (tmp_path / "d.csv").write_text("person_id,dispensed_on,atc\n1,2031-01-01,N05BA01\n")
    tables = (TableSource("persons", (tmp_path / "p.csv",)), TableSource("dispensings", (tmp_path / "d.csv",)))
    ingest(Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0), tmp_path / "register")
    shown = release(compute_quality(Register.open(tmp_path / "register")))
    assert isinstance(shown, Quality)
    assert "There are no dispensings" in quality_page(shown, {}).render()


def test_a_register_without_an_account_has_a_page(delivered, monkeypatch):
    register, _ = delivered
    monkeypatch.setitem(register.manifest, "account", {})
    shown = release(compute_quality(register))
    assert shown.tables["account"].empty
    page = quality_page(shown, {}).render()
    assert "unknown" in page.partition("of the dispensings read were rejected")[2].partition("months far below")[0]


def test_rejected_rows_too_few_to_be_shown_are_not_said_to_be_none(quality):
    tables = dict(quality.tables)
    tables["account"] = tables["account"].assign(rejected=[2, 2], kept=lambda a: a["read"] - 2, duplicate=0)
    page = quality_page(release(Quality(tables, quality.facts)), {}).render()
    said = page.partition("of the dispensings read were rejected")[2].partition("months far below")[0]
    assert "suppressed" in said
    assert "0 %" not in said


def test_the_size_of_the_register_is_told_alike_everywhere(quality):
    """The rows read would tell few that were rejected: they are hidden, and not the people whom the heading counts."""
    tables = dict(quality.tables)
    tables["account"] = tables["account"].assign(read=lambda a: a["kept"] + 3, rejected=3, duplicate=0, left_out=0)
    shown = release(Quality(tables, quality.facts))
    account = shown.tables["account"].set_index("table").loc["persons"]
    assert account["kept"] == shown.facts["people"] == 60
    assert account[["read", "rejected"]].isna().all()
    page = quality_page(shown, {}).render()
    assert "60 people and " in page
    assert ">3<" not in page


def test_a_register_of_few_people_tells_their_number_nowhere(quality):
    tables = dict(quality.tables)
    account = tables["account"]
    persons = account["table"] == "persons"
    tables["account"] = account.assign(read=account["read"].mask(persons, 7), kept=account["kept"].mask(persons, 7))
    tables["years"] = tables["years"].assign(people=7)
    few = Quality(tables, {**quality.facts, "people": 7, "people_with_dispensings": 7})
    shown = release(few)
    assert shown.tables["account"].set_index("table").loc["persons", ["read", "kept"]].isna().all()
    assert shown.facts["people"] is None
    page = quality_page(shown, {}).render()
    assert "A suppressed number of people and " in page
    assert ">7<" not in page


def test_few_people_without_a_dispensing_are_not_told(quality):
    assert (quality.facts["people"], quality.facts["people_with_dispensings"]) == (60, 55)
    assert release(quality).facts["people_with_dispensings"] is None


def test_the_page_says_which_counts_it_hides(quality):
    assert "Profile acro: counts from 1 to 9" in quality_page(release(quality), {}).render()


def test_words_over_a_table_do_not_scroll_with_it(quality):
    assert "<caption>" not in quality_page(release(quality), {}).render()


def test_the_command(delivered, tmp_path):
    page, tables = tmp_path / "q.html", tmp_path / "q.json"
    folder = str(delivered[0].folder)
    done = CliRunner().invoke(
        app(), ["check", folder, "--report", str(page), "--json", str(tables)], catch_exceptions=False
    )
    assert done.exit_code == 0
    assert CANARY not in done.output + page.read_text() + tables.read_text()
    assert len(json.loads(tables.read_text())["tables"]["years"]) == 6
    assert "0 rejected" in done.output
    again = CliRunner().invoke(app(), ["check", folder, "--report", str(page)])
    assert "exists" in str(again.exception)


def test_codes_are_named_from_the_index(delivered, tmp_path):
    (tmp_path / "index.csv").write_text('atc_code,atc_name\nB01AC06,"acid, <script>"\n')
    page = tmp_path / "q.html"
    arguments = ["check", str(delivered[0].folder), "--report", str(page), "--atc-ddd", str(tmp_path / "index.csv")]
    CliRunner().invoke(app(), arguments, catch_exceptions=False)
    assert "acid, &lt;script&gt;" in page.read_text()


def test_a_bundle_has_no_such_page(tmp_path):
    (tmp_path / "bundle.json").write_text("{}")
    done = CliRunner().invoke(app(), ["check", str(tmp_path), "--report", str(tmp_path / "x.html")])
    assert isinstance(done.exception, DefinitionError)


def test_the_highest_of_a_panel_is_written_like_its_last():
    rounded_up = Series("Other", [2020, 2021], [1200.0, 1937.6], "1,940 per 1,000 person-years", rounded)
    assert "0 to 1,940" in draw_panels([rounded_up])
