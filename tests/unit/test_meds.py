"""A MEDS dataset as a source: what its codes mean, what is checked, and what a user is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from meds import DataSchema

from prodromal.errors import DataError, DefinitionError
from prodromal.register import Register
from prodromal.sources import ingest
from prodromal.sources.meds import Meds, Vocabulary, read_splits
from tests.writers.meds import write_events

ONE = [
    (1, None, "GENDER//F", None),
    (1, "1950-01-01", "MEDS_BIRTH", None),
    (1, "2010-01-01", "ATC//N05BA01", 12.5),
    (1, "2011-02-03T10:30", "ATC//N06AB04//tablet", None),
    (1, "2012-01-01", "LAB//51079//UNK", 3.0),
    (1, "2013-01-01", "DIAGNOSIS//ICD//10//G1221", None),
]
ALS = {"ALS": ("DIAGNOSIS//ICD//10//G122*",)}
SETTINGS = {"observed_from": date(2005, 1, 1), "observed_to": date(2020, 12, 31), "max_rejected": 1.0}


def run(folder, events=ONE, *, vocabulary=None, **settings):
    extensions = settings.pop("extensions", {})
    if events is not None:
        write_events(folder / "in" / "data" / "0.parquet", events, **extensions)
    meant = Meds(folder / "in", date(2021, 1, 1), vocabulary=vocabulary or Vocabulary(), **{**SETTINGS, **settings})
    source = meant.source()
    done = ingest(source, folder / "register", replace=True)
    return done.accounts, Register.open(folder / "register"), done.facts


def people(register):
    names = ["person_id", "sex", "birth_date", "death_date", "observed_from", "observed_to"]
    return [[str(person[name]) for name in names] for person in register.table("persons").to_pylist()]


def test_one_subject(tmp_path):
    accounts, register, facts = run(tmp_path, outcomes=ALS, value="ddd")
    assert people(register) == [["1", "F", "1950-01-01", "None", "2005-01-01", "2020-12-31"]]
    found = register.history(0)
    assert list(found["atc"]) == ["N05BA01", "N06AB04"]
    assert list(found["dispensed_on"].astype(str)) == ["2010-01-01", "2011-02-03"]
    assert found["ddd"].tolist()[0] == 12.5
    assert list(register.frame("outcomes")["diagnosed_on"].astype(str)) == ["2013-01-01"]
    assert facts["events"] == {"read": 6, "dispensings": 2, "relatives": 0, "follow_up": 0, "outcomes": 1}
    assert facts["times_of_day"] is True
    assert {name: account.kept for name, account in accounts.items()} == {"persons": 1, "dispensings": 2, "outcomes": 1}


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, (None, None, None)),
        ("ddd", (2, None, None)),
        ("days_supply", (None, 2, None)),
        ("quantity", (None, None, 2)),
    ],
)
def test_the_number_is_what_it_is_said_to_be_and_nothing_without_a_word(tmp_path, value, found):
    _, register, _ = run(tmp_path, [*ONE[:2], (1, "2010-01-01", "ATC//N05BA01", 2)], value=value)
    row = register.history(0).astype(object).where(lambda frame: frame.notna(), None)
    assert tuple(row.loc[0, ["ddd", "days_supply", "quantity"]]) == found


def test_extension_columns_are_read_in_any_case_and_before_the_number(tmp_path):
    extensions = {"ddd": [None, None, 7.0, None], "days_supply": [None, None, 30, None]}
    events = [*ONE[:2], (1, "2010-01-01", "ATC//N05BA01", 2), (1, "2011-01-01", "ATC//N05BA01", 3)]
    _, register, _ = run(tmp_path, events, extensions=extensions, value="ddd")
    assert list(register.history(0)["ddd"]) == [7, 3]
    assert register.history(0)["days_supply"][0] == 30


def test_an_extension_column_of_another_type_is_refused(tmp_path):
    with pytest.raises(DataError, match="column ddd is string"):
        run(tmp_path, ONE, extensions={"ddd": ["x"] * 6})


def test_an_extension_column_of_another_type_in_one_file_of_two_is_refused(tmp_path):
    for number, supply in ((1, True), (2, 1.0)):
        file = tmp_path / "in" / "data" / f"{number}.parquet"
        write_events(file, [(number, *event[1:]) for event in ONE], days_supply=[supply] * 6)
    with pytest.raises(DataError, match=r"1\.parquet: column days_supply is bool"):
        run(tmp_path, None)


@pytest.mark.parametrize("birth", ["MEDS_BIRTH", "MEDS_BIRTH//registry"])
def test_birth_and_death_may_be_told_more_closely(tmp_path, birth):
    events = [ONE[0], (1, "1950-01-01", birth, None), *ONE[2:], (1, "2014-01-01", "MEDS_DEATH//ICU", None)]
    _, register, _ = run(tmp_path, events)
    assert people(register) == [["1", "F", "1950-01-01", "2014-01-01", "2005-01-01", "2014-01-01"]]


def test_codes_of_ones_own(tmp_path):
    events = [
        (1, None, "Sex/male", None),
        (1, "1950-01-01", "MEDS_BIRTH", None),
        (1, "2006-01-01", "IN", None),
        (1, "2010-01-01", "DRUG/ATC/N05BA01", None),
        (1, "2015-01-01", "OUT", None),
    ]
    words = replace(Vocabulary(), atc=("DRUG/ATC/",), sex=("Sex/",), observed_from="IN", observed_to="OUT")
    _, register, facts = run(tmp_path, events, vocabulary=words, observed_from=None, observed_to=None)
    assert people(register) == [["1", "M", "1950-01-01", "None", "2006-01-01", "2015-01-01"]]
    assert facts["observed_from"] == "codes"


def test_without_an_observation_it_runs_from_the_first_to_the_last_event(tmp_path):
    misdated = [(1, "1900-01-01", "LAB", None), (1, "1940-01-01", "LAB", None), (1, "2021-01-02", "LAB", None)]
    events = [ONE[0], *misdated[:2], *ONE[1:], misdated[2]]
    _, register, facts = run(tmp_path, events, observed_from=None, observed_to=None)
    assert people(register)[0][4:] == ["2010-01-01", "2013-01-01"]
    assert facts["observed_from"] == "first and last event"


TROUBLED = [
    (1, None, "GENDER//F", None),
    (1, "1950-01-01", "MEDS_BIRTH", None),
    (1, None, "ATC//N05BA01", None),
    (1, "1940-01-01", "ATC//N05BA01", None),
    (1, "2010-01-01", "ATC//N05BA01", None),
    (1, "2010-01-01", "ATC//N05BA01", None),
    (1, "2010-01-01", "ATC//N05-BA01", None),
    (1, "2010-01-01", "ATC//", None),
    (2, None, "GENDER//F", None),
    (2, None, "GENDER//M", None),
    (2, "1950-01-01", "MEDS_BIRTH", None),
    (2, "2010-01-01", "ATC//N05BA01", None),
    (3, "1950-01-01", "MEDS_BIRTH", None),
    (3, "1951-01-01", "MEDS_BIRTH", None),
    (4, "2010-01-01", "LAB", None),
]


def test_events_and_subjects_that_are_rejected(tmp_path):
    events = sorted(TROUBLED, key=lambda e: (e[0], e[1] or ""))
    accounts, register, _ = run(tmp_path, events)
    assert dict(accounts["persons"].rejected) == {"conflicting_birth": 1, "conflicting_sex": 1, "undated_birth_date": 1}
    assert dict(accounts["dispensings"].rejected) == {
        "before_birth": 1,
        "malformed_atc": 1,
        "missing_atc": 1,
        "undated_dispensed_on": 1,
        "unknown_person": 1,
    }
    assert (accounts["dispensings"].kept, accounts["dispensings"].duplicate) == (1, 1)
    assert {row["file"] for row in register.table("rejected").to_pylist()} == {"0.parquet"}


def test_subjects_in_files_at_any_depth(tmp_path):
    write_events(tmp_path / "in" / "data" / "held_out" / "0.parquet", [(2, *event[1:]) for event in ONE])
    accounts, register, _ = run(tmp_path, outcomes=ALS)
    assert accounts["dispensings"].kept == 4
    assert list(register.persons.ids) == [1, 2]


@pytest.mark.parametrize("shard", ["code=x/0", "a'b", "ü n"])
def test_names_of_files_mean_nothing(tmp_path, shard):
    write_events(tmp_path / "in" / "data" / f"{shard}.parquet", ONE)
    write_events(tmp_path / "in" / "data" / "anything.parquet", [(2, *event[1:]) for event in ONE])
    accounts, register, _ = run(tmp_path, None, outcomes=ALS)
    assert accounts["dispensings"].kept == accounts["dispensings"].read == 4
    assert list(register.history(0)["atc"]) == ["N05BA01", "N06AB04"]


@pytest.mark.parametrize("shard", ["shard[0]", "any*", "q?"])
def test_names_of_files_that_may_stand_for_others_are_refused(tmp_path, shard):
    write_events(tmp_path / "in" / "data" / f"{shard}.parquet", ONE)
    with pytest.raises(DataError, match="1 paths of files hold"):
        run(tmp_path, None)


def test_files_may_differ_in_their_extension_columns(tmp_path):
    write_events(tmp_path / "in" / "data" / "1.parquet", [(2, *event[1:]) for event in ONE], ddd=[3.0] * 6)
    _, register, _ = run(tmp_path, outcomes=ALS)
    assert register.history(0)["ddd"].isna().all()
    assert list(register.history(1)["ddd"]) == [3, 3]


LAYOUTS = {
    "a subject in two files": ([ONE, ONE], r"1 of 1 subjects are in several files"),
    "unsorted": ([[*ONE[:2], ONE[3], ONE[2]]], r"1 of 4 events lie before the event above"),
    "static events below": ([[ONE[1], ONE[0], ONE[2]]], "lie before the event above"),
    "torn apart": (
        [[*ONE, (2, None, "GENDER//F", None), (1, "2015-01-01", "ATC//N05BA01", None)]],
        "go on below those",
    ),
    "no dispensing": (
        [[*ONE[:2], *[(1, "2012-01-01", "LAB//1", None)] * 5]],
        r"no code begins with ATC// or ATC/; codes begin with LAB \(5\)",
    ),
}


@pytest.mark.parametrize("name", LAYOUTS)
def test_layouts_that_are_refused(tmp_path, name):
    shards, words = LAYOUTS[name]
    for number, events in enumerate(shards):
        write_events(tmp_path / "in" / "data" / f"{number}.parquet", events)
    with pytest.raises(DataError, match=words):
        run(tmp_path, None)
    assert {item.name for item in tmp_path.iterdir()} == {"in"}


def test_an_outcome_that_nobody_has_is_refused(tmp_path):
    with pytest.raises(DataError, match="no event has a code of outcome ALS"):
        run(tmp_path, outcomes={"ALS": ("NOWHERE*",)})


def test_a_number_cannot_be_anything(tmp_path):
    with pytest.raises(DefinitionError, match="ddd, days_supply or quantity"):
        Meds(tmp_path, date(2021, 1, 1), value="strength")


COLUMNS = {
    "subject_id": (pa.array(["1"]), "subject_id is string"),
    "time": (pa.array([1], pa.timestamp("us", tz="UTC")), r"time is timestamp\[us, tz=UTC\]"),
    "code": (pa.array([5]), "code is int64"),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns_of_another_type_are_refused(tmp_path, name):
    write_events(tmp_path / "in" / "data" / "0.parquet", ONE[:1])
    table = pq.read_table(tmp_path / "in" / "data" / "0.parquet")
    column, words = COLUMNS[name]
    changed = table.set_column(table.column_names.index(name), name, column)
    pq.write_table(changed, tmp_path / "in" / "data" / "0.parquet")
    with pytest.raises(DataError, match=words):
        run(tmp_path, None)
    pq.write_table(table.drop_columns([name]), tmp_path / "in" / "data" / "0.parquet")
    with pytest.raises(DataError, match=f"no column {name}"):
        run(tmp_path, None)


@pytest.mark.parametrize("kind", [pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_codes_may_be_stored_as_any_text(tmp_path, kind):
    write_events(tmp_path / "in" / "data" / "0.parquet", ONE)
    table = pq.read_table(tmp_path / "in" / "data" / "0.parquet")
    table = table.set_column(2, "code", table.column("code").cast(kind))
    pq.write_table(table, tmp_path / "in" / "data" / "0.parquet")
    assert run(tmp_path, None, outcomes=ALS)[0]["dispensings"].kept == 2


def test_missing_ids_are_refused(tmp_path):
    write_events(tmp_path / "in" / "data" / "0.parquet", ONE)
    table = pq.read_table(tmp_path / "in" / "data" / "0.parquet")
    table = table.set_column(0, "subject_id", pa.array([1, 1, None, 1, 1, 1], pa.int64()))
    pq.write_table(table, tmp_path / "in" / "data" / "0.parquet")
    with pytest.raises(DataError, match="1 events have no subject_id or no code"):
        run(tmp_path, None)


@pytest.mark.parametrize("content", [b"", b"PAR1 no more", b"subject_id,time,code\n1,2,3\n"])
def test_a_file_that_is_no_parquet_is_refused(tmp_path, content):
    (tmp_path / "in" / "data").mkdir(parents=True)
    (tmp_path / "in" / "data" / "0.parquet").write_bytes(content)
    with pytest.raises(DataError, match="no readable Parquet"):
        run(tmp_path, None)


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(DataError, match="no MEDS dataset"):
        run(tmp_path, None)


def test_damaged_files_are_refused_or_read_but_never_crash(tmp_path):
    file = write_events(tmp_path / "in" / "data" / "0.parquet", ONE)
    good = file.read_bytes()
    refused = 0
    for place in range(4, len(good), 23):
        file.write_bytes(good[:place] + bytes([good[place] ^ 0x55]) + good[place + 1 :])
        try:
            Meds(tmp_path / "in", date(2021, 1, 1)).source()
        except DataError:
            refused += 1
    assert refused > 20


def test_what_the_tests_write_is_meds(tmp_path):
    write_events(tmp_path / "0.parquet", ONE)
    DataSchema.validate(pq.read_table(tmp_path / "0.parquet"))


def write_splits(folder, subjects, splits):
    (folder / "metadata").mkdir(parents=True, exist_ok=True)
    table = pa.table({"subject_id": pa.array(subjects, pa.int64()), "split": pa.array(splits, pa.string())})
    pq.write_table(table, folder / "metadata" / "subject_splits.parquet")


def test_splits(tmp_path):
    assert read_splits(tmp_path) is None
    write_splits(tmp_path, [3, 1, 2], ["train", "held_out", "tuning"])
    assert read_splits(tmp_path).to_pydict() == {"person_id": [1, 2, 3], "split": ["held_out", "tuning", "train"]}


@pytest.mark.parametrize(
    ("subjects", "splits", "words"),
    [([1, 1], ["a", "b"], "more than once"), ([1, None], ["a", "b"], "missing"), ([1, 2], ["a", None], "missing")],
)
def test_splits_that_are_refused(tmp_path, subjects, splits, words):
    write_splits(tmp_path, subjects, splits)
    with pytest.raises(DataError, match=words):
        read_splits(tmp_path)


def test_codes_that_are_not_utf_8_are_refused(tmp_path):
    file = write_events(tmp_path / "in" / "data" / "0.parquet", [(1, None, "GENDER//F", None)], compression="none")
    file.write_bytes(file.read_bytes().replace(b"GENDER//F", b"GENDER//\xf9"))
    with pytest.raises(DataError, match=r"not UTF-8|damaged"):
        run(tmp_path, None)
