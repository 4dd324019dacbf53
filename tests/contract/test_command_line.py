"""The command line: an example on every verb; for bad input one sentence, its exit code, and nothing written."""

from __future__ import annotations

import re
import shlex

import pytest
from typer.testing import CliRunner

from prodromal.cli.app import app, main
from prodromal.tables import TABLES

VERBS = [
    *("simulate", "simulate oracle", "ingest csv", "check", "cohort sets", "cohort landmark", "cohort anchored"),
    *("ingest omop", "ingest meds", "ingest fhir", "export meds", "export meds-labels", "export meds-predictions"),
    *("keygen", "sign"),
    *("features", "train", "score", "explain", "evaluate", "recalibrate", "study", "demo"),
    *(f"spark {job}" for job in ("ingest", "train", "score", "tables", "features", "explain", "tally")),
]
PERSONS = "person_id,sex,birth_date,observed_from,observed_to\n1,M,1950-01-01,2005-07-01,2020-12-31\n"
DISPENSINGS = "person_id,dispensed_on,atc\n1,2010-01-01,N06AB04\n"


def run(arguments, capsys):
    """Exit code and stderr."""
    with pytest.raises(SystemExit) as left:
        main(shlex.split(arguments) if isinstance(arguments, str) else arguments)
    return left.value.code, capsys.readouterr().err


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "persons.csv").write_text(PERSONS)
    (tmp_path / "d.csv").write_text(DISPENSINGS)
    return tmp_path


@pytest.fixture
def register(here, capsys):
    code, _ = run("ingest csv --persons persons.csv --dispensings d.csv --output register", capsys)
    assert code == 0
    return here


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help_with_an_example_that_names_it(verb):
    shown = CliRunner().invoke(app(), [*verb.split(), "--help"], env={"COLUMNS": "200"})
    assert shown.exit_code == 0
    assert f"Example: prodromal {verb} " in re.sub(r"\s+", " ", shown.output)


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("frobnicate", 2, "No such command"),
        ("simulate --seed 1", 2, "--output"),
        ("simulate --output out", 2, "--seed"),
        ("simulate oracle nowhere --output out", 10, "either --on DATE"),
        ("simulate oracle nowhere --on 2015-01-01 --output out", 11, "no such file"),
        ("simulate oracle . --index-dates d.csv --output out", 11, "holds no simulated register"),
        ("simulate --seed x --output out", 2, "Invalid value"),
        ("simulate --seed 1 --output out --scenario nonsense", 10, "scenario"),
        ("simulate --seed 1 --output out --format xlsx", 10, "parquet or csv"),
        ("ingest csv --persons persons.csv --dispensings nowhere.csv --output out", 11, "no such file"),
        ("ingest csv --persons persons.csv --output out", 10, "give it with --dispensings"),
        ("ingest csv --dispensings d.csv --output out", 10, "give it with --persons"),
        ("ingest csv --persons persons.csv --dispensings d.xlsx --output out", 11, "save its table as CSV or Parquet"),
        ("ingest csv --persons persons.csv --dispensings empty.csv --output out", 11, "is empty"),
        (
            "ingest csv --persons persons.csv --dispensings columns.csv --output out",
            11,
            "no column for dispensings.atc",
        ),
        (
            "ingest csv --persons persons.csv --dispensings dates.csv --output out",
            11,
            "--date-format %d/%m/%Y or %Y-%m-%d; --max-rejected 100% ",
        ),
        ("ingest csv --persons persons.csv --dispensings stranger.csv --output out", 11, "unknown_person 1"),
        (
            "ingest csv --persons persons.csv --dispensings dates.csv --max-rejected 1 --output out",
            10,
            "--max-rejected '1': write a share such as 0.1% or 0.001",
        ),
        ("ingest csv --persons persons.csv --dispensings d.csv --map atc=kod --output out", 11, "no column 'kod'"),
        ("ingest csv --persons persons.csv --dispensings d.csv --map colour=kod --output out", 10, "no table"),
        (
            "ingest csv --persons persons.csv --dispensings d.csv --map dispensed=d --output out",
            10,
            "dispensed_on, atc",
        ),
        (
            "ingest csv --persons persons.csv --dispensings d.csv --map outcomes.source=d --output out",
            10,
            "no table outcomes in this delivery; it has persons, dispensings",
        ),
        (
            "ingest csv --persons persons.csv --dispensings d.csv --set persons.observed_to=31/12/2023 --output out",
            10,
            "--set persons.observed_to=31/12/2023: it is no date; write it as YYYY-MM-DD",
        ),
        ("ingest csv --persons persons.csv --dispensings d.csv --preset norge --output out", 10, "there is no preset"),
        (
            "ingest csv --persons persons.csv --dispensings d.csv --date-format DD/MM/YYYY --output out",
            10,
            "as %d/%m/%Y",
        ),
        ("ingest csv --persons persons.csv --dispensings d.csv --output persons.csv", 14, "exists"),
        ("check nowhere", 11, "no register"),
        ("cohort sets nowhere --seed 1 --output out", 11, "no register"),
        ("train nowhere sets.parquet --seed 1 --output out", 11, "no register"),
        ("study nowhere --output out", 11, "no register"),
        ("score nowhere model --on 2018-01-01 --output out", 11, "no register"),
        ("evaluate nothing.parquet nothing.parquet --output out", 11, "missing or no readable"),
    ],
)
def test_bad_input_is_one_sentence_with_its_exit_code_and_writes_nothing(here, capsys, arguments, code, words):
    (here / "empty.csv").write_text("")
    (here / "d.xlsx").write_bytes(b"PK\x03\x04" + bytes(range(256)))
    (here / "columns.csv").write_text("person_id,dispensed_on\n1,2010-01-01\n")
    (here / "dates.csv").write_text(DISPENSINGS + "1,01/02/2010,N06AB04\n")
    (here / "stranger.csv").write_text(DISPENSINGS + "77,2010-01-01,N06AB04\n")
    before = {item.name for item in here.iterdir()}
    found, error = run(arguments, capsys)
    assert found == code
    assert words in re.sub(r"[\s│]+", " ", error)
    assert {item.name for item in here.iterdir()} == before
    if code != 2:
        (line,) = [line for line in error.splitlines() if line.strip() and not line.startswith("  ")]
        assert line.startswith("error: ")
    assert "77" not in error
    assert "Traceback" not in error


def test_debug_shows_the_trace(here, capsys):
    code, error = run("--debug check nowhere", capsys)
    assert code == 11
    assert "Traceback" in error


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("cohort sets register --seed 1 --output out", 11, "holds no table outcomes"),
        ("cohort landmark register --on soon --output out", 10, "no date"),
        ("features register --output out", 10, "either --on DATE"),
        ("features register --on 2015-01-01 --plan leaky.toml --output out", 10, "leaky.toml, line 3"),
        ("score register register --on 2015-01-01 --output out", 12, "no model bundle"),
        ("check damaged", 11, "not JSON"),
    ],
)
def test_bad_questions_to_a_register(register, capsys, arguments, code, words):
    (register / "leaky.toml").write_text('name = "x"\nwindows = ["0-90d"]\n[[groups]]\nname = "r"\natc = ["N07XX02"]\n')
    (register / "damaged").mkdir()
    (register / "damaged" / "register.json").write_text("{")
    found, error = run(arguments, capsys)
    assert (found, words in error) == (code, True), error
    assert not (register / "out").exists()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (
            "--persons persons.csv",
            "CAUTION: 1 of 2 persons have no known sex: they are in no cohort, and their scores say sex_unknown.",
        ),
        (
            "--derive-persons --set observed_from=2005-07-01 --set observed_to=2020-12-31",
            "CAUTION: 1 of 1 persons have no known sex or birth date: they are in no cohort; the 1 without birth",
        ),
    ],
)
def test_persons_whom_no_cohort_takes_are_counted(here, arguments, words):
    (here / "persons.csv").write_text(f"{PERSONS}2,,1960-01-01,2005-07-01,2020-12-31\n")
    told = CliRunner().invoke(app(), shlex.split(f"ingest csv {arguments} --dispensings d.csv --output register"))
    assert words in told.output


def test_nothing_is_cautioned_where_sex_and_birth_are_known(here):
    told = CliRunner().invoke(app(), shlex.split("ingest csv --persons persons.csv --dispensings d.csv --output r"))
    assert told.exit_code == 0
    assert "CAUTION" not in told.output


def test_the_help_of_csv_names_the_required_columns_of_each_table():
    shown = CliRunner().invoke(app(), ["ingest", "csv", "--help"], env={"COLUMNS": "200"})
    told = re.sub(r"\s+", " ", shown.output)
    assert all(f"{table.name}: {', '.join(table.required)}" in told for table in TABLES.values())


def test_a_register_is_made_and_checked(register, capsys):
    assert run("check register", capsys)[0] == 0


def test_features_of_everyone_on_a_date(register, capsys):
    assert run("features register --on 2015-01-01 --output f.parquet", capsys)[0] == 0
    assert (register / "features.json").exists()
