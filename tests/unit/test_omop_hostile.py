"""Names and values that would be commands elsewhere are names and values here."""

from __future__ import annotations

import duckdb
import pytest

from prodromal.errors import DataError, DefinitionError
from tests.writers.omop_small import EXPOSURE, SMALL, atcs, ingested, write

EVIL = "'; DROP TABLE cdm_person; --"


def duck(path, schema="main", tables=SMALL):
    """The small model as a DuckDB file."""
    folder = write(path.parent / f"{path.stem}-csv")
    with duckdb.connect(str(path)) as connection:
        quoted = '"' + schema.replace('"', '""') + '"'
        connection.execute(f"CREATE SCHEMA IF NOT EXISTS {quoted}")
        for name in tables:
            tab = name.startswith("concept")
            options = "delim = '\t', quote = ''" if tab else "delim = ','"
            read = f"read_csv('{folder / name}.csv', header = true, {options})"
            connection.execute(f"CREATE TABLE {quoted}.{name} AS SELECT * FROM {read}")
    return path


@pytest.mark.parametrize("folder", ["a'b", 'a"b', "a[b]*?", "a; b", "größe €", "a\nb"])
def test_folders_of_any_name(tmp_path, folder):
    ingested(write(tmp_path / folder), tmp_path / "r", "ALS=700")
    assert atcs(tmp_path / "r") == {1: ["N06AB06"]}


@pytest.mark.parametrize("schema", ["main", 'a"b', "a'b; DROP SCHEMA main", "größe"])
def test_schemas_of_any_name(tmp_path, schema):
    path = duck(tmp_path / "cdm.duckdb", schema)
    ingested(path, tmp_path / "r", "ALS=700", schema=schema)
    assert atcs(tmp_path / "r") == {1: ["N06AB06"]}


def test_the_only_schema_with_people_is_found(tmp_path):
    ingested(duck(tmp_path / "cdm.duckdb", "omop"), tmp_path / "r")
    assert atcs(tmp_path / "r") == {1: ["N06AB06"]}


def test_a_schema_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    with pytest.raises(DataError, match=r"no table in schema .*; the schemas with tables are: main"):
        ingested(duck(tmp_path / "cdm.duckdb"), tmp_path / "r", schema=EVIL)


def test_two_schemas_with_people_must_be_chosen_from(tmp_path):
    path = duck(tmp_path / "cdm.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE SCHEMA other; CREATE TABLE other.person AS SELECT * FROM main.person")
    with pytest.raises(DefinitionError, match="schemas main, other have a table person"):
        ingested(path, tmp_path / "r")


@pytest.mark.parametrize("name", [EVIL, "cohort; DROP TABLE x", 'co"hort', "", "results.cohort"])
def test_names_of_cohort_tables_hold_no_signs(tmp_path, name):
    with pytest.raises(DefinitionError, match="letters, digits and underscores"):
        ingested(write(tmp_path / "cdm"), tmp_path / "r", "ALS=cohort:7", cohort_table=name)


def test_names_of_outcomes_and_of_concepts_are_only_text(tmp_path):
    concept = SMALL["concept"].replace("poliovirus vaccine", EVIL)
    rows = EXPOSURE + "".join(f"{n},1,5,2010-01-{n:02},30,1,32825,0,{EVIL}\n" for n in range(1, 7))
    rows += f"9,1,1,2010-01-01,30,1,32825,0,{EVIL}\n"
    done, told = ingested(write(tmp_path / "cdm", concept=concept, drug_exposure=rows), tmp_path / "r", f"{EVIL}=700")
    assert told["outcomes"][0]["outcome"] == EVIL
    assert told["codes"]["unmapped"]["top"][0]["name"] == EVIL
    assert done.accounts["outcomes"].kept == 2


def concepts_with(*lines):
    return SMALL["concept"] + "".join(f"{line}\n" for line in lines)


@pytest.mark.parametrize(
    "line",
    [
        "21\tsertraline; oral\tATC\tN06AB06\tATC 5th\tC",
        "21\tSertraline, systemic\tATC\tN06AB06\tATC 5th\tC",
        "21\ta name before\tATC\tN06AB06 \tATC 5th\tC",
    ],
)
def test_a_concept_that_stands_there_twice_is_one(tmp_path, line):
    done, _ = ingested(write(tmp_path / "cdm", concept=concepts_with(line)), tmp_path / "r", "ALS=700")
    assert atcs(tmp_path / "r") == {1: ["N06AB06"]}
    assert done.accounts["dispensings"].kept == 1


@pytest.mark.parametrize(
    "line",
    [
        "21\tsertraline; oral\tATC\tN06AB05\tATC 5th\tC",
        "21\tsertraline; oral\tATC\tZ99\tATC 5th\tC",
        "21\tsertraline; oral\tRxNorm\tN06AB06\tATC 5th\tC",
    ],
)
def test_a_concept_with_two_codes_is_refused(tmp_path, line):
    cdm = write(tmp_path / "cdm", concept=concepts_with(line, "25\ttwice\tATC\tN02BA01\tATC 5th\tC"))
    with pytest.raises(DataError, match=r"table concept: 1 of .* several times with different codes"):
        ingested(cdm, tmp_path / "r", "ALS=700")
    assert not (tmp_path / "r").exists()


def test_a_concept_that_nobody_needs_may_contradict_itself(tmp_path):
    cdm = write(tmp_path / "cdm", concept=concepts_with("24\taspirin\tATC\tB01AC99\tATC 5th\tC"))
    ingested(cdm, tmp_path / "r", "ALS=700")
    assert atcs(tmp_path / "r") == {1: ["N06AB06"]}


def test_a_database_cannot_make_us_read_other_files(tmp_path):
    secret = tmp_path / "elsewhere" / "secret.csv"
    secret.parent.mkdir()
    secret.write_text(SMALL["person"])
    (tmp_path / "db").mkdir()
    path = duck(tmp_path / "db" / "cdm.duckdb")
    with duckdb.connect(str(path)) as connection:
        connection.execute("DROP TABLE person")
        connection.execute(f"CREATE VIEW person AS SELECT * FROM read_csv('{secret}')")
    with pytest.raises(DataError):
        ingested(path, tmp_path / "r")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    ("table", "content", "words"),
    [
        ("drug_exposure", b"", "is empty"),
        ("drug_exposure", b"\x00\x01\x02", "header"),
        ("person", SMALL["person"].encode("utf-16"), "encoding|header"),
        ("person", b"person_id,PERSON_ID,gender_concept_id,year_of_birth\n1,1,1,1\n", "differ by the case"),
        ("drug_exposure", EXPOSURE.encode(), "no rows"),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path, table, content, words):
    with pytest.raises(DataError, match=words):
        ingested(write(tmp_path / "cdm", **{table: content}), tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_places_that_are_none_are_refused(tmp_path):
    (tmp_path / "x.duckdb").write_bytes(b"no database")
    (tmp_path / "x.txt").write_text("text")
    for path, words in (("x.duckdb", "no readable DuckDB"), ("x.txt", "neither"), ("nothing", "neither")):
        with pytest.raises(DataError, match=words):
            ingested(tmp_path / path, tmp_path / "r")
    with pytest.raises(DefinitionError, match="no schema"):
        ingested(write(tmp_path / "cdm"), tmp_path / "r", schema="cdm")


def test_one_table_in_two_forms_is_refused(tmp_path):
    cdm = write(tmp_path / "cdm")
    (cdm / "PERSON.csv").write_text(SMALL["person"])
    with pytest.raises(DataError, match="table person more than once"):
        ingested(cdm, tmp_path / "r")


def test_broken_lines_of_every_table_are_counted(tmp_path):
    broken = {name: SMALL[name] + "1,2\n" for name in ("death", "observation_period", "person", "condition_occurrence")}
    broken["death"] = SMALL["death"] + "1,2,3,4\n"
    done, told = ingested(write(tmp_path / "cdm", **broken), tmp_path / "r", "ALS=700")
    assert done.accounts["persons"].rejected == {"missing_columns": 1}
    assert done.accounts["outcomes"].rejected == {"missing_columns": 1}
    assert told["observation"]["deaths"]["lines_that_could_not_be_split"] == 1
    assert told["observation"]["observation_periods"]["lines_that_could_not_be_split"] == 1
