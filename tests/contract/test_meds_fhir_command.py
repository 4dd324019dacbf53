"""``prodromal ingest fhir``, ``ingest meds`` and ``export`` as a user types them."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from prodromal.cli import export
from prodromal.cli.app import main
from prodromal.register import Register
from prodromal.sources.meds import read_splits
from tests.writers.fhir import ICD_10, coded, condition, dispense, patient, write_ndjson

OBSERVED = ["--observed-from", "2005-01-01", "--observed-to", "2020-12-31", "--extracted-on", "2021-01-01"]


def call(*words, code=0):
    with pytest.raises(SystemExit) as left:
        main([str(word) for word in words])
    assert left.value.code == code


def call_export(*words):
    alone = typer.Typer()
    export.add_to(alone)
    alone(["export", *map(str, words)], standalone_mode=False)


@pytest.fixture
def delivered(tmp_path):
    people = [patient(n) for n in (1, 2, 3)] + [patient(4, deceasedBoolean=True)]
    bought = [dispense(n, 1 + n % 3, f"2010-01-{1 + n:02d}", ddd=n + 0.5) for n in range(20)]
    aspirin = [
        dispense(100 + n, 1, "2011-01-01", None, medicationCodeableConcept=coded("1191", system="urn:x"))
        for n in range(6)
    ]
    write_ndjson(tmp_path / "export" / "Patient.ndjson", people)
    write_ndjson(tmp_path / "export" / "MedicationDispense.ndjson.gz", [*bought, *aspirin])
    write_ndjson(tmp_path / "export" / "MedicationRequest.ndjson", [{"resourceType": "MedicationRequest"}])
    write_ndjson(tmp_path / "export" / "Condition.ndjson", [condition(1, 2, "2012-01-01")])
    return tmp_path


def ingest_fhir(folder, *more, code=0):
    outcome = ["--outcome", f"ALS={ICD_10}|G12.2*"]
    call("ingest", "fhir", folder / "export", *outcome, "-o", folder / "register", *more, code=code)


def test_fhir_tells_what_it_did(delivered, capsys):
    ingest_fhir(delivered, *OBSERVED)
    told = capsys.readouterr().out
    for words in (
        "Resources read: 1 Condition, 26 MedicationDispense, 4 Patient. Dispensings are taken from MedicationDispense.",
        "not read: 1 files of MedicationRequest",
        "unmapped code                    6 rows            1 people",
        "6  urn:x|1191",
        "1 patients died on a day that is not told",
        "dispensings: 26 rows read",
    ):
        assert words in told
    assert "CAUTION" not in told
    settings = Register.open(delivered / "register").manifest["settings"]
    assert settings["source"] == "fhir"
    assert settings["fhir"]["outcomes"] == {"ALS": [f"{ICD_10}|G12.2*"]}
    assert settings["fhir"]["coverage"]["ways"]["atc"] == {"rows": 20, "people": 3}


def test_fhir_without_an_observation_warns(delivered, capsys):
    ingest_fhir(delivered, "--extracted-on", "2021-01-01", "--max-rejected", "100%")
    told = capsys.readouterr().out
    assert "CAUTION: observed_from is everybody's own first event" in told
    assert "--observed-to" in told


@pytest.mark.parametrize(
    ("more", "code", "words"),
    [
        (["--resources", "Observation"], 10, "it is one of auto, MedicationDispense, MedicationRequest"),
        (["--several-codes", "some"], 10, "it is one of all, first, single-only"),
        (["--quantity", "boxes"], 10, "it is one of units, packages, ddd"),
        (["--outcome", "G12.2"], 10, "NAME=CODE"),
        (["--mapping", "nowhere.csv"], 11, "no such mapping file"),
    ],
)
def test_fhir_says_what_is_wrong(delivered, capsys, more, code, words):
    ingest_fhir(delivered, *OBSERVED, *more, code=code)
    assert words in capsys.readouterr().err
    assert not (delivered / "register").exists()


def test_from_fhir_to_meds_and_back(delivered, capsys):
    ingest_fhir(delivered, *OBSERVED)
    splits = delivered / "splits.csv"
    splits.write_text("person_id,split\n1,train\n2,held_out\n")
    call_export("meds", delivered / "register", "--output", delivered / "meds", "--splits", splits)
    capsys.readouterr()
    call(
        *("ingest", "meds", delivered / "meds", "-o", delivered / "back", "--extracted-on", "2021-01-01"),
        *("--splits", delivered / "splits.parquet"),
    )
    told = capsys.readouterr().out
    assert "4 subjects, 37 events: 20 dispensings, 0 relatives, 0 follow_up, 1 outcomes, 16 others." in told
    assert "splits.parquet: 1 held_out, 1 train" in told
    mine, theirs = (Register.open(delivered / name).manifest for name in ("register", "back"))
    for name in ("persons", "dispensings", "outcomes"):
        assert [e["sha256"] for e in mine["files"][name]] == [e["sha256"] for e in theirs["files"][name]]
    assert theirs["settings"]["source"] == "meds"
    assert read_splits(delivered / "meds").num_rows == 2


def test_meds_says_what_is_wrong(delivered, capsys):
    ingest_fhir(delivered, *OBSERVED)
    call_export("meds", delivered / "register", "--output", delivered / "meds")
    call("ingest", "meds", delivered / "meds", "-o", delivered / "back", "--atc-prefix", "DRUG//", code=11)
    assert "no code begins with DRUG//; codes begin with ATC (20)" in capsys.readouterr().err
    call("ingest", "meds", delivered / "meds", "-o", delivered / "back", "--numeric-value", "mg", code=10)
    assert "ddd, days_supply or quantity" in capsys.readouterr().err
    assert not (delivered / "back").exists()


def test_labels_of_a_cohort(world, tmp_path, capsys):
    import pyarrow.parquet as pq
    from meds import LabelSchema

    from prodromal.design import write_cohort

    write_cohort(world.cohort, tmp_path / "cohort.parquet", register=world.register.fingerprint)
    call_export("meds-labels", tmp_path / "cohort.parquet", "--output", tmp_path / "labels.parquet")
    table = pq.read_table(tmp_path / "labels.parquet")
    LabelSchema.validate(table)
    assert 0 < table.column("boolean_value").to_pylist().count(True) < len(table) <= len(world.cohort.frame)
    assert f"{len(table):,} labels" in capsys.readouterr().out


def test_what_a_terminal_would_obey_is_not_printed(delivered, capsys):
    clears = coded("\x1b[2J", system="urn:x\x07")
    bought = [dispense(200 + n, 1, "2011-01-01", None, medicationCodeableConcept=clears) for n in range(6)]
    write_ndjson(delivered / "export" / "MedicationDispense.1.ndjson", bought)
    ingest_fhir(delivered, *OBSERVED)
    told = capsys.readouterr().out
    assert "urn:x?|?[2J" in told
    assert not {"\x1b", "\x07"} & set(told)


def test_help_has_an_example(capsys):
    for source in ("fhir", "meds"):
        call("ingest", source, "--help")
        assert f"Example: prodromal ingest {source}" in " ".join(capsys.readouterr().out.split())
    assert Path(export.__file__).name == "export.py"
