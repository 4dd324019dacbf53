"""Rows that a source prepares itself: left out, added, rejected by the reader, and all of them accounted for."""

from __future__ import annotations

import json
from datetime import date

import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError, DefinitionError
from prodromal.register import Register
from prodromal.sources import Relation, Source, TableSource, ingest
from prodromal.tables import Account

PERSONS = Relation(
    "SELECT * FROM (VALUES (1, 'M', DATE '1950-03-01', DATE '2005-07-01', DATE '2020-12-31'), "
    "(2, 'F', DATE '1960-01-01', DATE '2005-07-01', DATE '2020-12-31')) "
    "t(person_id, sex, birth_date, observed_from, observed_to)"
)
COLUMNS = "_row_, _file_, _copy_, _left_out_, _rule_, _raw_, person_id, dispensed_on, atc, ddd"
DAY = "DATE '2010-01-01'"
ROWS = f"""
    (1, 0, 0, NULL, NULL, NULL, 1, {DAY}, 'N05BA01', 10.0),
    (2, 0, 0, NULL, NULL, NULL, 1, {DAY}, 'A01AD05', 10.0),
    (2, 0, 1, NULL, NULL, NULL, 1, {DAY}, 'B01AC06', 10.0),
    (2, 0, 2, NULL, NULL, NULL, 1, {DAY}, 'N02BA01', 10.0),
    (3, 1, 0, 'unmapped_code', NULL, NULL, 1, NULL, NULL, NULL),
    (4, 1, 0, 'entered_in_error', NULL, NULL, NULL, {DAY}, 'N05BA01', 10.0),
    (5, 1, 0, NULL, 'broken_json', 'the line', NULL, NULL, NULL, NULL),
    (6, 1, 0, NULL, 'duplicate', NULL, 1, {DAY}, 'N05BA01', 10.0),
    (7, 1, 0, NULL, NULL, NULL, 2, DATE '2030-01-01', 'N05BA01', 10.0),
    (8, 1, 0, NULL, NULL, NULL, 2, {DAY}, 'N05BA01', 10.0),
    (9, 1, 0, NULL, NULL, NULL, 2, {DAY}, 'N05BA01', 10.0)"""


def run(folder, rows=ROWS, *, columns=COLUMNS, persons=PERSONS, **settings):
    files = tuple(folder / name for name in ("a.ndjson", "b.ndjson"))
    for file in files:
        file.write_text(file.name)
    dispensings = Relation(f"SELECT * FROM (VALUES {rows}) t({columns})", files=files)
    tables = (TableSource("persons", relation=persons), TableSource("dispensings", relation=dispensings))
    settings = {"extracted_on": date(2021, 1, 1), "max_rejected": 1.0, "name": "fhir", **settings}
    return ingest(Source(tables, **settings), folder / "register", replace=True)


def test_every_row_is_somewhere(tmp_path):
    account = run(tmp_path).accounts["dispensings"]
    assert account.left_out == {"unmapped_code": 1, "entered_in_error": 1}
    assert account.rejected == {"broken_json": 1, "future": 1}
    assert (account.read, account.expanded, account.kept, account.duplicate) == (9, 2, 5, 2)


def test_rejected_rows_have_their_file_row_and_text(tmp_path):
    run(tmp_path)
    rejected = pq.read_table(tmp_path / "register" / "rejected.parquet").to_pylist()
    assert [(r["file"], r["row"], r["rule"]) for r in rejected] == [
        ("b.ndjson", 5, "broken_json"),
        ("b.ndjson", 7, "future"),
    ]
    assert rejected[0]["raw"] == "the line"
    assert json.loads(rejected[1]["raw"])["dispensed_on"] == "2030-01-01"


def test_rows_left_out_count_against_nothing(tmp_path):
    rows = ", ".join(f"({n}, 0, 0, 'unmapped_code', NULL, NULL, 1, {DAY}, NULL, NULL)" for n in range(2, 999))
    done = run(tmp_path, f"(1, 0, 0, NULL, NULL, NULL, 1, {DAY}, 'N05BA01', 10.0), {rows}", max_rejected=0.0)
    assert done.accounts["dispensings"].rejected == {}
    assert sum(done.accounts["dispensings"].left_out.values()) == 997


def test_a_row_left_out_is_not_judged(tmp_path):
    row = "(2, 0, 0, 'unmapped_code', NULL, NULL, 99, DATE '9999-12-31', 'not a code', -1.0)"
    done = run(tmp_path, f"(1, 0, 0, NULL, NULL, NULL, 1, {DAY}, 'N05BA01', 10.0), {row}", max_rejected=0.0)
    assert done.accounts["dispensings"].left_out == {"unmapped_code": 1}


def test_columns_that_have_no_place_here_tell_rows_apart(tmp_path):
    rows = f"(1, {DAY}, 'N05BA01', 'a'), (1, {DAY}, 'N05BA01', 'b'), (1, {DAY}, 'N05BA01', 'b')"
    account = run(tmp_path, rows, columns="person_id, dispensed_on, atc, resource_id").accounts["dispensings"]
    assert (account.kept, account.duplicate) == (2, 1)


@pytest.mark.parametrize(("one", "other", "kept"), [("1", "1.0", 1), ("0", "20608", 2), ("1", "2", 2)])
def test_numbers_are_compared_by_value_unless_they_were_not_taken(tmp_path, one, other, kept):
    rows = f"(1, {DAY}, 'N05BA01', '{one}'), (1, {DAY}, 'N05BA01', '{other}')"
    account = run(tmp_path, rows, columns="person_id, dispensed_on, atc, days_supply").accounts["dispensings"]
    assert account.kept == kept


def test_times_on_one_day_tell_rows_apart(tmp_path):
    rows = "(1, TIMESTAMP '2010-01-01 08:00', 'N05BA01'), (1, TIMESTAMP '2010-01-01 09:00', 'N05BA01')"
    assert run(tmp_path, rows, columns="person_id, dispensed_on, atc").accounts["dispensings"].kept == 2


def test_what_the_source_says_is_in_the_manifest(tmp_path):
    def prepare(connection):
        connection.execute(
            "CREATE TABLE made AS SELECT 1 AS person_id, DATE '2010-01-01' AS dispensed_on, 'N05B' AS atc"
        )
        return {"coverage": 0.5}

    (tmp_path / "map.csv").write_text("x\n")
    tables = (TableSource("persons", relation=PERSONS), TableSource("dispensings", relation=Relation("made")))
    source = Source(
        tables,
        extracted_on=date(2021, 1, 1),
        name="omop",
        prepare=prepare,
        settings={"policy": "all"},
        readable=(tmp_path / "map.csv",),
    )
    done = ingest(source, tmp_path / "register")
    manifest = Register.open(tmp_path / "register").manifest
    assert manifest["settings"]["omop"] == done.facts == {"policy": "all", "coverage": 0.5}
    assert manifest["settings"]["source"] == "omop"
    assert [entry["file"] for entry in manifest["sources"]] == ["map.csv"]


def test_lines_that_could_not_be_split_are_rejected(tmp_path):
    lines = "SELECT 0 AS file, 7 AS line, 'broken_line' AS rule, 'x;y' AS raw"
    dispensings = Relation(f"SELECT 1 AS person_id, {DAY} AS dispensed_on, 'N05B' AS atc", rejects=lines)
    tables = (TableSource("persons", relation=PERSONS), TableSource("dispensings", relation=dispensings))
    done = ingest(Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0), tmp_path / "register")
    assert done.accounts["dispensings"].rejected == {"broken_line": 1}
    assert done.accounts["dispensings"].read == 2


def test_a_relation_can_give_the_persons_too(tmp_path):
    rows = f"('b', {DAY}, 'N05BA01'), ('a', {DAY}, 'N05BA01'), ('', {DAY}, 'N05BA01')"
    dispensings = Relation(f"SELECT * FROM (VALUES {rows}) t(person_id, dispensed_on, atc)")
    constants = {"observed_from": "2005-01-01", "observed_to": "2020-01-01"}
    tables = (TableSource("persons", constants=constants), TableSource("dispensings", relation=dispensings))
    source = Source(tables, extracted_on=date(2021, 1, 1), derive_persons=True, max_rejected=1.0)
    done = ingest(source, tmp_path / "register")
    assert list(Register.open(tmp_path / "register").persons.ids) == ["a", "b"]
    assert done.accounts["dispensings"].rejected == {"missing_person_id": 1}


def test_an_empty_relation_is_said_to_have_no_rows(tmp_path):
    empty = Relation(f"SELECT 1 AS person_id, {DAY} AS dispensed_on, 'N05B' AS atc WHERE FALSE")
    tables = (TableSource("persons", relation=PERSONS), TableSource("dispensings", relation=empty))
    with pytest.raises(DataError, match=r"^table dispensings has no rows$"):
        ingest(Source(tables, extracted_on=date(2021, 1, 1)), tmp_path / "register")


def test_files_or_a_relation(tmp_path):
    with pytest.raises(DefinitionError, match="not from both"):
        TableSource("persons", (tmp_path / "p.csv",), relation=PERSONS)


@pytest.mark.parametrize("memory", ["much", "0GB", "2 PB", "-1GB", "2GB; SET threads = 9"])
def test_memory_is_a_size(tmp_path, memory):
    tables = (TableSource("persons", relation=PERSONS), TableSource("dispensings", relation=PERSONS))
    with pytest.raises(DefinitionError, match="write a size"):
        ingest(Source(tables, extracted_on=date(2021, 1, 1)), tmp_path / "register", memory=memory)


@pytest.mark.parametrize("wrong", [{"kept": 4}, {"left_out": {}}, {"expanded": 0}, {"rejected": {"future": 2}}])
def test_an_account_that_does_not_add_up_cannot_be(wrong):
    right = {"read": 9, "kept": 5, "duplicate": 2, "rejected": {"future": 1}, "left_out": {"x": 2}, "expanded": 1}
    Account("dispensings", **right)
    with pytest.raises(DataError, match="accounted for"):
        Account("dispensings", **{**right, **wrong})
