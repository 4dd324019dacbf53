"""The same people as CSV, as a MEDS dataset and as a FHIR export have bit-identical features and risks."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from prodromal.features import build
from prodromal.features.index_dates import IndexDates
from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest
from prodromal.sources.fhir import Fhir, find_files
from prodromal.sources.meds import Meds
from tests.world import World
from tests.writers.fhir import ICD_10, write_fhir
from tests.writers.meds import write_meds_dataset

DAY = date(2014, 1, 1)
EXTRACTED = date(2026, 1, 1)
# FHIR tells no observation, so that it is given for all, in every format.
FROM, TO = date(2005, 7, 1), date(2023, 6, 30)


@pytest.fixture(scope="module")
def people(tmp_path_factory):
    return World.make(tmp_path_factory.mktemp("people"), persons=200_000, noncase_fraction=0.002)


@pytest.fixture(scope="module")
def tables(people):
    names = ("persons", "dispensings", "outcomes")
    return {n: people.register.table(n).to_pandas(date_as_object=False) for n in names}


def from_csv(tables, folder):
    for name, frame in tables.items():
        frame.to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d")
    observed = {"observed_from": FROM.isoformat(), "observed_to": TO.isoformat()}
    sources = tuple(
        TableSource(name, (folder / f"{name}.csv",), constants=observed if name == "persons" else {}) for name in tables
    )
    return Source(sources, extracted_on=EXTRACTED)


def from_meds(tables, folder):
    return Meds(
        write_meds_dataset(folder, tables),
        EXTRACTED,
        outcomes={"ALS": ("DIAGNOSIS//ICD//10//G12*",)},
        value="ddd",
        observed_from=FROM,
        observed_to=TO,
    ).source()


def from_fhir(tables, folder):
    return Fhir(
        find_files([write_fhir(folder, tables)]),
        EXTRACTED,
        outcomes={"ALS": (f"{ICD_10}|G12.2",)},
        observed_from=FROM,
        observed_to=TO,
    ).source()


@pytest.fixture(scope="module")
def registers(tables, tmp_path_factory):
    found = {}
    for make in (from_csv, from_meds, from_fhir):
        folder = tmp_path_factory.mktemp(make.__name__)
        ingest(make(tables, folder), folder / "register", rows_per_part=50_000)
        found[make.__name__] = Register.open(folder / "register")
    return found


def on_the_day(people, register):
    rows = np.arange(len(register.persons), dtype=np.int64)
    return build(people.plan, register, IndexDates.on(rows, (DAY - date(1970, 1, 1)).days))


@pytest.mark.parametrize("other", ["from_meds", "from_fhir"])
def test_features_and_risks_are_bit_identical(people, registers, other):
    mine, theirs = (on_the_day(people, registers[name]) for name in ("from_csv", other))
    assert np.array_equal(registers["from_csv"].persons.ids, registers[other].persons.ids)
    assert mine.values.tobytes() == theirs.values.tobytes()  # noqa: PD011 a matrix of ours
    assert np.nan_to_num(mine.values).any(axis=0).mean() > 0.5
    risks = [people.model.score(m, registers[n].persons) for m, n in ((mine, "from_csv"), (theirs, other))]
    assert risks[0]["risk"].nunique() > 10
    pd.testing.assert_frame_equal(*risks, check_exact=True)


@pytest.mark.parametrize("other", ["from_meds", "from_fhir"])
def test_nobody_and_nothing_is_lost_on_the_way(tables, registers, other):
    for name, frame in tables.items():
        account = registers[other].manifest["account"][name]
        assert account["read"] == account["kept"] == len(frame)
        assert registers["from_csv"].manifest["account"][name]["kept"] == len(frame)


@pytest.mark.parametrize("other", ["from_meds", "from_fhir"])
def test_diagnoses_are_the_same(registers, other):
    for mine, theirs in zip(registers["from_csv"].diagnoses("ALS"), registers[other].diagnoses("ALS"), strict=True):
        assert np.array_equal(mine, theirs)
