"""Deliveries made by strangers are ingested, and the account adds up to an independent count."""

from __future__ import annotations

import csv
from datetime import date

import pytest

from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest

pytestmark = pytest.mark.shared


def deliver(shared, tmp_path, folder, dispensings, persons, **settings):
    file = shared / "data" / folder / dispensings.pop("file")
    tables = [TableSource("dispensings", (file,), dispensings)]
    name = persons.pop("file", None)
    tables.append(TableSource("persons", (shared / "data" / folder / name,) if name else (), constants=persons))
    source = Source(tuple(tables), extracted_on=date(2026, 1, 1), max_rejected=1.0, **settings)
    done = ingest(source, tmp_path / "register")
    Register.open(tmp_path / "register").verify()
    with file.open(encoding="utf-8") as stream:
        assert done.accounts["dispensings"].read == sum(1 for _ in csv.reader(stream)) - 1
    return done.accounts, Register.open(tmp_path / "register")


def test_swedish_layout(shared, tmp_path):
    accounts, register = deliver(
        shared,
        tmp_path,
        "swereg_fake_register",
        {"file": "fake_prescriptions.csv"},
        {"file": "fake_demographics.csv", "sex": "U", "observed_from": "2005-07-01", "observed_to": "2021-12-31"},
        preset="sweden",
    )
    assert accounts["persons"].repaired["birth_date_incomplete"] == accounts["persons"].kept == len(register.persons)
    assert accounts["dispensings"].kept > 7000
    assert set(accounts["dispensings"].rejected) <= {
        "unknown_person",
        "after_death",
        "before_birth",
        "outside_observation",
    }


def test_danish_layout_without_a_persons_table(shared, tmp_path):
    accounts, register = deliver(
        shared,
        tmp_path,
        "heaven_sim_lmdb",
        {"file": "lmdb_sim.csv"},
        {"observed_from": "2008-01-01", "observed_to": "2012-12-31"},
        preset="denmark",
        derive_persons=True,
    )
    assert accounts["dispensings"].duplicate == 9
    assert accounts["dispensings"].kept == 42168 - 9
    assert len(register.persons) == 400


def test_a_layout_of_ones_own(shared, tmp_path):
    accounts, register = deliver(
        shared,
        tmp_path,
        "scream_drug",
        {"file": "drug.csv", "person_id": "id", "dispensed_on": "date", "quantity": "npacks"},
        {"observed_from": "2010-01-01", "observed_to": "2019-12-31"},
        derive_persons=True,
    )
    assert accounts["dispensings"].kept == accounts["dispensings"].read == 29934
    assert len(register.persons) == 3000
