"""Units become defined daily doses where the strength and the dose are certain, and nowhere else."""

from __future__ import annotations

from math import isnan

import pytest

from prodromal.errors import DataError, DefinitionError
from prodromal.register import Register
from tests.writers.omop_small import EXPOSURE, SMALL, ingested, write

DOSES = "atc_code,atc_name,ddd,uom,adm_r,note\n"
STRENGTH = "drug_concept_id\tingredient_concept_id\tamount_value\tamount_unit_concept_id\n"
# 31 is milligram, 32 microgram, 33 gram, 34 unit.
UNITS = "".join(f"{n}\t{name}\tUCUM\t{name}\tUnit\tS\n" for n, name in ((31, "mg"), (32, "ug"), (33, "g"), (34, "[U]")))
SERTRALINE = "N06AB06,sertraline,50,mg,O,NA\n"

CASES = {
    # strength rows, DDD rows, quantity -> DDDs
    "milligrams": ("1\t11\t100\t31\n", SERTRALINE, "30", 60.0),
    "micrograms": ("1\t11\t25000\t32\n", SERTRALINE, "30", 15.0),
    "grams": ("1\t11\t0.1\t33\n", SERTRALINE, "30", 60.0),
    "a dose in grams": ("1\t11\t100\t31\n", "N06AB06,sertraline,0.05,g,O,NA\n", "30", 60.0),
    "routes that agree": ("1\t11\t100\t31\n", SERTRALINE + "N06AB06,sertraline,50,mg,P,NA\n", "30", 60.0),
    "routes that disagree": ("1\t11\t100\t31\n", SERTRALINE + "N06AB06,sertraline,20,mg,P,NA\n", "30", None),
    "a dose that is no mass": ("1\t11\t100\t31\n", "N06AB06,sertraline,5,U,O,NA\n", "30", None),
    "no dose": ("1\t11\t100\t31\n", "N06AB06,sertraline,NA,NA,NA,NA\n", "30", None),
    "two ingredients": ("1\t11\t100\t31\n1\t12\t100\t31\n", SERTRALINE, "30", None),
    "units of activity": ("1\t11\t100\t34\n", SERTRALINE, "30", None),
    "no amount, as in liquids": ("1\t11\t\t31\n", SERTRALINE, "30", None),
    "no strength": ("2\t11\t100\t31\n", SERTRALINE, "30", None),
    "no quantity": ("1\t11\t100\t31\n", SERTRALINE, "", None),
    "a quantity of 0": ("1\t11\t100\t31\n", SERTRALINE, "0", None),
}


def run(tmp_path, strength, doses, quantity):
    cdm = write(
        tmp_path / "cdm",
        concept=SMALL["concept"] + UNITS,
        drug_strength=None if strength is None else STRENGTH + strength,
        drug_exposure=EXPOSURE + f"1,1,1,2010-01-01,30,{quantity},32825,0,x\n",
    )
    (tmp_path / "ddd.csv").write_text(doses)
    _, told = ingested(cdm, tmp_path / "r", doses=tmp_path / "ddd.csv")
    return Register.open(tmp_path / "r").history(0)["ddd"][0], told["codes"]["exposures_with_ddd"]


@pytest.mark.parametrize("name", CASES)
def test_doses_by_strength(tmp_path, name):
    strength, doses, quantity, expected = CASES[name]
    found, counted = run(tmp_path, strength, DOSES + doses, quantity)
    assert (None if isnan(found) else found) == expected
    assert counted == (0 if expected is None else None)


def test_a_table_of_another_kind_is_refused(tmp_path):
    with pytest.raises(DataError, match="no column ddd, uom"):
        run(tmp_path, "1\t11\t100\t31\n", "atc_code,dose\nN06AB06,1\n", "30")


def test_without_strengths_there_are_no_doses(tmp_path):
    with pytest.raises(DataError, match="no table drug_strength, by which units become"):
        run(tmp_path, None, DOSES, "30")


def test_a_choice_that_contradicts_itself_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match="computed from units"):
        ingested(write(tmp_path / "cdm"), tmp_path / "r", doses=tmp_path / "ddd.csv", quantity="ddd")
