"""People of a common data model: birth, observation, death, outcomes; and what becomes of every row of theirs."""

from __future__ import annotations

import random

import pytest

from prodromal.errors import DataError, DefinitionError
from prodromal.register import Register
from prodromal.sources.omop import OmopOutcome
from tests.writers.omop_small import EXPOSURE, atcs, ingested, write

PERIODS = "person_id,observation_period_start_date,observation_period_end_date\n"
PEOPLE = "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime\n"


def frame(folder, name):
    return Register.open(folder).frame(name)


def days(column):
    return [str(day)[:10] for day in column]


def test_birth_comes_from_its_fields_and_sex_from_its_concept(tmp_path):
    people = (
        "1,8507,1950,3,1,1951-01-01 00:00:00\n2,8532,1960,,,1960-01-01\n3,8521,1970,5,,\n4,,,,,1980-02-29 12:30:00\n"
    )
    periods = PERIODS + "".join(f"{n},2005-01-01,2020-12-31\n" for n in range(1, 5))
    ingested(write(tmp_path / "cdm", person=PEOPLE + people, observation_period=periods), tmp_path / "r")
    persons = frame(tmp_path / "r", "persons")
    assert days(persons["birth_date"]) == ["1950-03-01", "1960-07-01", "1970-05-15", "1980-02-29"]
    assert list(persons["sex"]) == ["M", "F", "U", "U"]


FAULTY_PEOPLE = {
    "malformed_birth_date": "4,8507,1950,2,30,",
    "undated_birth_date": "4,8507,,,,",
    "placeholder_birth_date": "4,8507,1900,1,1,",
}


@pytest.mark.parametrize("rule", FAULTY_PEOPLE)
def test_people_with_faulty_births_are_rejected(tmp_path, rule):
    cdm = write(
        tmp_path / "cdm",
        person=PEOPLE + "1,8507,1950,3,1,\n" + FAULTY_PEOPLE[rule] + "\n",
        observation_period=PERIODS + "1,2005-01-01,2020-12-31\n4,2005-01-01,2020-12-31\n",
    )
    done, _ = ingested(cdm, tmp_path / "r")
    assert done.accounts["persons"].rejected == {rule: 1}


SPELLS = [
    # periods of one person -> the observation
    ([("2005-01-01", "2010-12-31")], ("2005-01-01", "2010-12-31")),
    ([("2005-01-01", "2007-12-31"), ("2008-01-01", "2010-12-31")], ("2005-01-01", "2010-12-31")),  # they touch
    ([("2008-01-01", "2010-12-31"), ("2005-01-01", "2009-12-31")], ("2005-01-01", "2010-12-31")),  # they overlap
    ([("2005-01-01", "2015-12-31"), ("2007-01-01", "2008-12-31")], ("2005-01-01", "2015-12-31")),  # one in the other
    ([("2005-01-01", "2006-12-31"), ("2008-01-01", "2012-12-31")], ("2008-01-01", "2012-12-31")),  # the longest
    ([("2005-01-01", "2005-12-31"), ("2007-01-01", "2007-12-31")], ("2007-01-01", "2007-12-31")),  # the later of equals
    ([("2005-01-01", "2012-12-31"), ("2015-01-01", "2099-12-31")], ("2005-01-01", "2012-12-31")),  # up to the extract
    ([("2005-01-01", "2007-12-31"), ("2008-01-02", "2008-12-31")], ("2005-01-01", "2007-12-31")),  # a day between
    ([("2005-01-01", "2010-12-31"), ("2012-12-31", "2011-01-01"), ("", "2020-01-01")], ("2005-01-01", "2010-12-31")),
    ([("2005-01-01 00:00:00", "2010-12-31T00:00:00.000")], ("2005-01-01", "2010-12-31")),
]


@pytest.mark.parametrize(("periods", "observation"), SPELLS)
def test_the_longest_spell_is_the_observation(tmp_path, periods, observation):
    text = PERIODS + "".join(f"1,{start},{end}\n" for start, end in periods)
    cdm = write(tmp_path / "cdm", person=PEOPLE + "1,8507,1950,3,1,\n", observation_period=text, death=None)
    _, told = ingested(cdm, tmp_path / "r")
    persons = frame(tmp_path / "r", "persons")
    assert (*days(persons["observed_from"]), *days(persons["observed_to"])) == observation
    found = told["observation"]["observation_periods"]
    assert found.pop("read") == len(periods) == sum(found.values())


def test_what_lies_outside_the_observation_is_left_out_or_rejected(tmp_path):
    cdm = write(
        tmp_path / "cdm",
        observation_period=PERIODS + "1,2005-01-01,2006-12-31\n1,2010-01-01,2015-12-31\n2,2005-01-01,2020-12-31\n",
        drug_exposure=EXPOSURE
        + "1,1,1,2005-06-01,30,1,32825,0,x\n"  # in the shorter spell
        + "2,1,1,2012-06-01,30,1,32825,0,x\n"  # observed
        + "3,1,1,2008-06-01,30,1,32825,0,x\n"  # in no spell
        + "4,3,1,2012-06-01,30,1,32825,0,x\n",  # of a person without any
    )
    done, told = ingested(cdm, tmp_path / "r")
    account = done.accounts["dispensings"]
    assert dict(account.left_out) == {"other_spell": 1, "no_observation_period": 1}
    assert (account.kept, dict(account.rejected)) == (1, {"outside_observation": 1})
    assert dict(done.accounts["persons"].left_out) == {"no_observation_period": 1}
    assert told["observation"]["people_with_several_spells"] == 1


def test_periods_and_deaths_of_strangers_are_counted(tmp_path):
    cdm = write(
        tmp_path / "cdm",
        observation_period=PERIODS + "".join(f"{n},2005-01-01,2020-12-31\n" for n in (1, 2, 3, 8, 9)),
        death="person_id,death_date\n2,2015-06-01\n2,2015-07-01\n8,2012-01-01\nPERSON_ID,DEATH_DATE\n",
    )
    _, told = ingested(cdm, tmp_path / "r")
    assert told["observation"]["observation_periods"]["of_unknown_people"] == 2
    deaths = told["observation"]["deaths"]
    assert (deaths["read"], deaths["of_people"], deaths["of_unknown_people"]) == (4, 1, 1)
    assert days(frame(tmp_path / "r", "persons")["death_date"]) == ["NaT", "2015-06-01", "NaT"]


def test_a_death_that_cannot_be_read_does_not_make_a_person_live(tmp_path):
    done, _ = ingested(write(tmp_path / "cdm", death="person_id,death_date\n2,01/06/2015\n"), tmp_path / "r")
    assert done.accounts["persons"].rejected == {"malformed_death_date": 1}


def test_the_same_person_twice_is_a_duplicate_and_a_contradiction_is_rejected(tmp_path):
    people = PEOPLE + "1,8507,1950,3,1,\n1,8507,1950,3,1,\n2,8532,1960,1,1,\n2,8532,1961,1,1,\n"
    done, _ = ingested(write(tmp_path / "cdm", person=people), tmp_path / "r")
    account = done.accounts["persons"]
    assert (account.read, account.kept, account.duplicate) == (4, 1, 1)
    assert account.rejected == {"conflicting_person": 2}


FAULTY_EXPOSURES = {
    "undated_dispensed_on": "2,1,1,,30,1,32825,0,x",
    "malformed_dispensed_on": "2,1,1,2010-02-30,30,1,32825,0,x",
    "partial_dispensed_on": "2,1,1,2010-02,30,1,32825,0,x",
    "before_birth": "2,1,1,1949-01-01,30,1,32825,0,x",
    "after_death": "2,2,1,2016-01-01,30,1,32825,0,x",
    "unknown_person": "2,8,1,2010-01-01,30,1,32825,0,x",
    "missing_person_id": "2,1.5,1,2010-01-01,30,1,32825,0,x",
    "future": "2,1,1,2021-01-02,30,1,32825,0,x",
    "malformed_days_supply": "2,1,1,2010-01-01,many,1,32825,0,x",
    "missing_columns": "2,1,1,2010-01-01",
    "extra_columns": "2,1,1,2010-01-01,30,1,32825,0,x,y,z",
}


@pytest.mark.parametrize("rule", FAULTY_EXPOSURES)
def test_a_faulty_exposure_is_rejected_by_its_rule(tmp_path, rule):
    import pyarrow.parquet as pq

    rows = EXPOSURE + "1,1,1,2010-01-01,30,1,32825,0,x\n" + FAULTY_EXPOSURES[rule] + "\n"
    done, _ = ingested(write(tmp_path / "cdm", drug_exposure=rows), tmp_path / "r")
    account = done.accounts["dispensings"]
    assert (account.read, account.kept, dict(account.rejected)) == (2, 1, {rule: 1})
    (row,) = pq.read_table(tmp_path / "r" / "rejected.parquet").to_pylist()
    assert (row["rule"], row["file"]) == (rule, "drug_exposure.csv")
    assert row["raw"]


LEFT_OUT = {"unmapped_code": "2,1,5,2010-01-01,30,1,32825,0,x", "drug_type": "2,1,1,2010-01-01,30,1,38000180,0,x"}


def test_the_account_equals_an_independent_count(tmp_path):
    draw = random.Random(3)
    menu = {**FAULTY_EXPOSURES, **LEFT_OUT, "kept": "2,1,1,2010-01-01,30,1,32825,0,x"}
    drawn = draw.choices(sorted(menu), k=600)
    # The id of an exposure tells equal ones apart.
    rows = [f"{place},{menu[name].partition(',')[2]}" for place, name in enumerate(drawn)]
    cdm = write(tmp_path / "cdm", drug_exposure=EXPOSURE + "\n".join(rows) + "\n")
    account = ingested(cdm, tmp_path / "r", drug_types=(32825,))[0].accounts["dispensings"]
    counted = {name: drawn.count(name) for name in menu}
    assert account.read == 600
    assert account.kept == counted.pop("kept")
    assert dict(account.left_out) == {name: counted.pop(name) for name in LEFT_OUT}
    assert dict(account.rejected) == counted


def test_a_rejected_row_is_found_again_in_its_file(tmp_path):
    import pyarrow.parquet as pq

    cdm = write(tmp_path / "cdm", drug_exposure=None)
    (cdm / "drug_exposure").mkdir()
    good, broken = "1,1,1,2010-01-01,30,1,32825,0,x\n", "1,2\n"
    for name, rows in {"a": good * 3, "b": good + broken + "7,1,1,2010-13-01,30,1,32825,0,x\n" + good}.items():
        (cdm / "drug_exposure" / f"{name}.csv").write_text(EXPOSURE + rows)
    ingested(cdm, tmp_path / "r")
    found = pq.read_table(tmp_path / "r" / "rejected.parquet").to_pylist()
    assert [(row["file"], row["row"], row["line"], row["rule"]) for row in found] == [
        ("b.csv", 2, None, "malformed_dispensed_on"),
        ("b.csv", None, 3, "missing_columns"),
    ]


@pytest.mark.parametrize(("text", "code"), [("1.0", ["N06AB06"]), (" 1 ", ["N06AB06"]), ("1e0", []), ("9" * 30, [])])
def test_ids_are_whole_numbers_however_written(tmp_path, text, code):
    rows = EXPOSURE + f"1,1,{text},2010-01-01,30,1,32825,0,x\n"
    ingested(write(tmp_path / "cdm", drug_exposure=rows), tmp_path / "r")
    assert atcs(tmp_path / "r").get(1, []) == code


def test_days_of_supply_that_last_no_day_are_missing(tmp_path):
    rows = EXPOSURE + "1,1,1,2010-01-01,0,1,32825,0,x\n2,1,1,2010-02-01,20608,1,32825,0,x\n"
    done, _ = ingested(write(tmp_path / "cdm", drug_exposure=rows), tmp_path / "r")
    assert done.accounts["dispensings"].repaired == {"days_supply_implausible": 2}


OUTCOMES = [
    ("ALS=700", [(1, "2012-02-29"), (2, "2014-01-01")]),  # with its descendant
    ("ALS=701", [(1, "2012-02-29")]),
    ("ALS=701,799", [(1, "2012-02-29"), (2, "2013-01-01")]),
    ("ALS=cohort:7", [(1, "2012-02-29")]),
    ("ALS=cohort:9", []),
]


@pytest.mark.parametrize(("asked", "rows"), OUTCOMES)
def test_outcomes_by_concepts_and_by_cohort(tmp_path, asked, rows):
    done, told = ingested(write(tmp_path / "cdm"), tmp_path / "r", asked)
    outcomes = frame(tmp_path / "r", "outcomes")
    assert list(zip(outcomes["person_id"], days(outcomes["diagnosed_on"]), strict=True)) == rows
    assert set(outcomes["outcome"]) <= {"ALS"}
    assert done.accounts["outcomes"].read == len(rows)
    assert told["outcomes"][0]["rows"] == (None if rows else 0)


def test_one_row_can_be_two_outcomes(tmp_path):
    done, _ = ingested(write(tmp_path / "cdm"), tmp_path / "r", "ALS=700", "a kind=701", "c=cohort:7")
    account = done.accounts["outcomes"]
    assert (account.read, account.expanded, account.kept) == (3, 1, 4)


def test_source_concepts_count_too(tmp_path):
    conditions = (
        "condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_source_concept_id\n"
        "1,1,0,2012-02-29,701\n"
    )
    done, _ = ingested(write(tmp_path / "cdm", condition_occurrence=conditions), tmp_path / "r", "ALS=700")
    assert done.accounts["outcomes"].kept == 1


def test_an_outcome_that_exists_nowhere_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match="1 of its concepts"):
        ingested(write(tmp_path / "cdm"), tmp_path / "r", "ALS=123456")


@pytest.mark.parametrize("text", ["ALS", "ALS=", "=1", "ALS=x", "ALS=1,,2", "ALS=cohort:", "ALS=1;2", "ALS=1 OR 1=1"])
def test_outcomes_are_written_in_one_way(text):
    with pytest.raises(DefinitionError, match="CONCEPT_ID"):
        OmopOutcome.parse(text)


@pytest.mark.parametrize("table", ["person", "observation_period", "drug_exposure"])
def test_a_missing_table_is_named_with_those_that_are_there(tmp_path, table):
    with pytest.raises(DataError, match=rf"no table {table}, .*; it has .*concept"):
        ingested(write(tmp_path / "cdm", **{table: None}), tmp_path / "r")


def test_a_missing_column_is_named_with_those_that_are_there(tmp_path):
    cdm = write(tmp_path / "cdm", person="person_id,gender,year_of_birth\n1,8507,1950\n")
    with pytest.raises(DataError, match="no column gender_concept_id; it has person_id, gender, year_of_birth"):
        ingested(cdm, tmp_path / "r")


def test_a_table_of_cohorts_is_asked_for_only_if_needed(tmp_path):
    cdm = write(tmp_path / "cdm", cohort=None)
    ingested(cdm, tmp_path / "r", "ALS=700")
    with pytest.raises(DataError, match="no table cohort"):
        ingested(cdm, tmp_path / "r", "ALS=cohort:7")


def test_text_for_ids_is_refused_without_showing_one(tmp_path):
    cdm = write(tmp_path / "cdm", person=PEOPLE + "canary-7f3,8507,1950,3,1,\n1,8507,1950,3,1,\n")
    with pytest.raises(DataError, match="1 of 2 values of person_id are no whole numbers") as caught:
        ingested(cdm, tmp_path / "r")
    assert "canary" not in str(caught.value)
