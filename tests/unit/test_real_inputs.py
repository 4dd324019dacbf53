"""Deliveries made by strangers are ingested, and the account adds up to an independent count."""

from __future__ import annotations

import csv
from datetime import date

import pandas as pd
import pytest

from prodromal.errors import DataError
from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest

pytestmark = pytest.mark.shared


def lines(file):
    with file.open(encoding="utf-8") as stream:
        return sum(1 for _ in csv.reader(stream)) - 1


def deliver(shared, tmp_path, folder, dispensings, persons, **settings):
    file = shared / "data" / folder / dispensings.pop("file")
    constants = {key: dispensings.pop(key)[1:] for key in list(dispensings) if dispensings[key].startswith("=")}
    tables = [TableSource("dispensings", (file,), dispensings, constants)]
    name = persons.pop("file", None)
    tables.append(TableSource("persons", (shared / "data" / folder / name,) if name else (), constants=persons))
    source = Source(tuple(tables), extracted_on=date(2026, 1, 1), max_rejected=1.0, **settings)
    done = ingest(source, tmp_path / "register")
    Register.open(tmp_path / "register").verify()
    assert done.accounts["dispensings"].read == lines(file)
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


def test_danish_doses_from_strength_and_packs(shared, tmp_path):
    index = shared / "data" / "atc_ddd_index" / "WHO_ATC-DDD_2026-04-25.csv"
    accounts, register = deliver(
        shared,
        tmp_path,
        "heaven_sim_lmdb",
        {"file": "lmdb_sim.csv", "strength_unit": "=mg"},
        {"observed_from": "2008-01-01", "observed_to": "2012-12-31"},
        preset="denmark",
        derive_persons=True,
        atc_ddd=index,
    )
    doses = pd.read_csv(index, keep_default_na=False, na_values=["NA"]).query("uom in ('g', 'mg')")
    doses["mg"] = doses["ddd"] * doses["uom"].map({"g": 1000.0, "mg": 1.0})
    by_code = doses.groupby("atc_code")["mg"].agg(["nunique", "min"])
    rows = pd.read_csv(shared / "data" / "heaven_sim_lmdb" / "lmdb_sim.csv").drop_duplicates().join(by_code, on="atc")
    single = rows["nunique"] == 1
    amount = rows["strnum"] * rows["packsize"] * rows["apk"]
    found = pd.concat([part.read(["ddd"]).to_pandas() for part in register.parts])["ddd"]
    assert accounts["dispensings"].repaired == {
        "ddd_computed": int(single.sum()),
        "ddd_ambiguous": int((rows["nunique"] > 1).sum()),
    }
    assert found.sum() == pytest.approx(float((amount / rows["min"])[single].sum()), rel=1e-6)


def test_swedish_deaths_and_diagnoses(shared, tmp_path):
    folder = shared / "data" / "swereg_fake_register"
    observed = {"sex": "U", "observed_from": "2005-07-01", "observed_to": "2021-12-31"}
    tables = (
        TableSource("persons", (folder / "fake_demographics.csv",), constants=observed),
        TableSource("dispensings", (folder / "fake_prescriptions.csv",)),
        TableSource("outcomes", (folder / "fake_diagnoses.csv",)),
    )
    source = Source(tables, extracted_on=date(2026, 1, 1), preset="sweden", max_rejected=1.0)
    accounts = ingest(source, tmp_path / "register").accounts
    for name, file in (("persons", "demographics"), ("dispensings", "prescriptions"), ("outcomes", "diagnoses")):
        assert accounts[name].read == lines(folder / f"fake_{file}.csv")
    assert accounts["outcomes"].kept > 4_000
    assert "591,99" in set(Register.open(tmp_path / "register").frame("outcomes")["outcome"])


def test_refills_with_days_of_supply(shared, tmp_path):
    """RxNorm codes with one ATC code; the others have none and are malformed as such."""
    data = shared / "data"
    codes = pd.read_csv(data / "rxcui_to_atc" / "rxcui_to_atc.csv", dtype=str).query("level == '5'")
    single = codes[~codes["rxcui"].duplicated(keep=False)].set_index("rxcui")["atc"]
    refills = pd.read_csv(data / "smart_refills" / "refills.csv", dtype=str)
    refills["atc"] = refills["RXN"].map(single).fillna(refills["RXN"])
    refills.to_csv(tmp_path / "refills.csv", index=False)
    names = {"person_id": "PID", "dispensed_on": "DATE", "days_supply": "DAYS", "quantity": "Q"}
    people = {"person_id": "PID", "birth_date": "dob", "sex": "GENDER"}
    observed = {"observed_from": "2003-01-01", "observed_to": "2010-01-01"}
    tables = (
        TableSource("persons", (data / "smart_refills" / "patients.csv",), people, observed),
        TableSource("dispensings", (tmp_path / "refills.csv",), names),
    )
    account = ingest(Source(tables, extracted_on=date(2026, 1, 1), max_rejected=1.0), tmp_path / "register").accounts
    assert account["persons"].read == lines(data / "smart_refills" / "patients.csv")
    found = account["dispensings"]
    assert found.read == 1324
    assert found.rejected["malformed_atc"] == int((refills["atc"] == refills["RXN"]).sum())
    assert found.kept > 200
    days = Register.open(tmp_path / "register").parts[0].read(["days_supply"]).column(0)
    assert days.null_count == found.repaired["days_supply_implausible"] == 9


def test_visits_with_planted_errors(shared, tmp_path):
    """One person "died" on 9999-12-30 and is alive; an item of 5 stands for a total here, a column is no date."""
    file = shared / "data" / "als_progression" / "als_qc_dirty_31.csv"
    (tmp_path / "d.csv").write_text("person_id,dispensed_on,atc\n1,2004-01-01,N05BA01\n")
    observed = {"sex": "U", "birth_date": "1930-01-01", "observed_from": "1999-01-01", "observed_to": "2025-12-31"}
    tables = (
        TableSource("persons", (file,), {"person_id": "subjid", "death_date": "death_date"}, observed),
        TableSource("dispensings", (tmp_path / "d.csv",)),
        TableSource("follow_up", (file,), {"person_id": "subjid", "visit_on": "baseline_date", "alsfrs_r": "p1"}),
    )
    done = ingest(Source(tables, extracted_on=date(2026, 1, 1), max_rejected=1.0), tmp_path / "register").accounts
    assert done["persons"].read == done["follow_up"].read == lines(file)
    assert done["persons"].repaired["death_after_extract"] == 1
    assert done["follow_up"].kept + sum(done["follow_up"].rejected.values()) == lines(file)


@pytest.mark.parametrize("name", ["winratio_als_longitudinal.csv", "alsfrs_items_random.csv"])
def test_tables_without_dates_are_refused_with_what_they_have(shared, tmp_path, name):
    file = shared / "data" / "als_progression" / name
    (tmp_path / "d.csv").write_text("person_id,dispensed_on,atc\n1,2004-01-01,N05BA01\n")
    observed = {"observed_from": "1999-01-01", "observed_to": "2025-12-31"}
    tables = (
        TableSource("persons", constants=observed),
        TableSource("dispensings", (tmp_path / "d.csv",)),
        TableSource("follow_up", (file,), {"person_id": "subjid" if "subjid" in file.read_text()[:20] else "subjects"}),
    )
    with pytest.raises(DataError, match=r"no column for follow_up\.visit_on"):
        ingest(Source(tables, extracted_on=date(2026, 1, 1), derive_persons=True), tmp_path / "register")


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
