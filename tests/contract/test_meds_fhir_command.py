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


def test_risks_as_predictions(world, tmp_path, capsys):
    """The schema of predictions is that of labels with two columns, as MEDS's own package for evaluation has it."""
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    import pyarrow.parquet as pq
    from flexible_schema import Optional
    from meds import LabelSchema

    from prodromal.design import write_cohort
    from prodromal.features import build

    added = {"predicted_boolean_value": pa.bool_(), "predicted_boolean_probability": pa.float32()}
    columns = {"__annotations__": {name: Optional(kind) for name, kind in added.items()}}
    schema = type(LabelSchema)("PredictionSchema", (LabelSchema,), columns)
    assert not set(added) & set(LabelSchema.schema().names)

    write_cohort(world.cohort, tmp_path / "cohort.parquet", register=world.register.fingerprint)
    matrix = build(world.plan, world.register, world.cohort.index_dates)
    risks = world.model.score(matrix, world.register.persons)
    told = pa.Table.from_pandas(risks, preserve_index=False).replace_schema_metadata({"prodromal.warning": "Careful."})
    pq.write_table(told, tmp_path / "risks.parquet")
    call_export(
        "meds-predictions", tmp_path / "risks.parquet", tmp_path / "cohort.parquet", "-o", tmp_path / "p.parquet"
    )
    table = pq.read_table(tmp_path / "p.parquet")
    schema.validate(table)
    assert {b"prodromal.warning", b"prodromal.risks", b"prodromal.cohort"} <= set(table.schema.metadata)
    cohort = world.cohort.frame
    known = ((cohort["event"] > 0) | (cohort["time_days"] >= world.question.horizon_days)).to_numpy()
    found, asked = table.to_pandas(), risks[known]
    assert (found["predicted_boolean_probability"].to_numpy() == asked["risk"].to_numpy().astype(np.float32)).all()
    assert (found["prediction_time"] + pd.Timedelta(1, "us")).tolist() == asked["index_date"].tolist()
    assert 0 < found["boolean_value"].sum() < len(found) < len(risks)
    told = capsys.readouterr().out
    assert f"{len(found):,} predictions are in" in told
    assert f"{len(risks) - len(found):,} more were censored" in told
    call_export("meds-predictions", tmp_path / "risks.parquet", "-o", tmp_path / "alone.parquet")
    alone = pq.read_table(tmp_path / "alone.parquet")
    schema.validate(alone)
    assert len(alone) == len(risks)
    assert "boolean_value" not in alone.column_names


def test_a_cohort_of_a_split(world, tmp_path, capsys):
    import pandas as pd

    from prodromal.design import read_cohort

    ids, register = world.register.persons.ids, world.register.folder
    table = pd.DataFrame({"subject_id": ids[:-100], "split": ["train", "held_out"] * (len(ids) // 2 - 50)})
    (tmp_path / "dataset" / "metadata").mkdir(parents=True)
    table.to_parquet(tmp_path / "dataset" / "metadata" / "subject_splits.parquet", index=False)
    table.rename(columns={"subject_id": "person_id"}).to_csv(tmp_path / "splits.csv", index=False)
    asked = ["cohort", "landmark", register, "--on", "2014-01-01"]
    call(*asked, "--splits", tmp_path / "dataset", "--part", "train", "-o", tmp_path / "a")
    told = capsys.readouterr().out
    assert f"Split 'train': {len(table) // 2:,} people, of {len(table) // 2:,} in" in told
    assert "families have people in other splits, too" in told
    call(*asked, "--splits", tmp_path / "splits.csv", "--part", "train", "-o", tmp_path / "b")
    call(*asked, "-o", tmp_path / "all")
    mine, same, everybody = (read_cohort(tmp_path / name).frame for name in ("a", "b", "all"))
    pd.testing.assert_frame_equal(mine, same)
    expected = everybody[everybody["person_id"].isin(table.loc[table["split"] == "train", "subject_id"])]
    assert mine["person_id"].tolist() == expected["person_id"].tolist()
    call(
        "cohort",
        "sets",
        register,
        "--seed",
        1,
        "--splits",
        tmp_path / "dataset",
        "--part",
        "held_out",
        "-o",
        tmp_path / "s",
    )
    drawn = read_cohort(tmp_path / "s").frame["person_id"]
    assert drawn.isin(table.loc[table["split"] == "held_out", "subject_id"]).all()


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        ("--splits a.csv", 10, "--splits takes --part"),
        ("--splits a.csv --part train --split 0.3", 10, "neither --split nor --split-date"),
        ("--splits a.csv --part tuning", 11, "no split 'tuning'; it has train"),
        ("--splits others.csv --part train", 11, "none of 1 people of split 'train'"),
        ("--splits twice.csv --part train", 11, "1 of 2 people occur more than once"),
        ("--splits empty.csv --part train", 11, "1 of 2 rows have no person_id or no split"),
        ("--splits ids.csv --part train", 11, "no columns person_id and split"),
        ("--splits nothing --part train", 11, "no metadata/subject_splits.parquet"),
        ("--splits nowhere.csv --part train", 11, "no such file"),
    ],
)
def test_a_split_says_what_is_wrong(world, tmp_path, monkeypatch, capsys, words, code, says):
    monkeypatch.chdir(tmp_path)
    first = world.register.persons.ids[0]
    for name, text in {
        "a": f"person_id,split\n{first},train\n",
        "others": "person_id,split\n-77,train\n",
        "twice": f"person_id,split\n{first},train\n{first},held_out\n",
        "empty": f"person_id,split\n{first},train\n-77,\n",
        "ids": f"person_id\n{first}\n",
    }.items():
        (tmp_path / f"{name}.csv").write_text(text)
    (tmp_path / "nothing").mkdir()
    call("cohort", "landmark", world.register.folder, "--on", "2014-01-01", "-o", "out", *words.split(), code=code)
    told = capsys.readouterr().err
    assert says in told
    assert str(first) not in told
    assert not (tmp_path / "out").exists()


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
