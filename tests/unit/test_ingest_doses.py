"""A missing DDD is computed where code, unit and route name one DDD, and stays missing where they do not."""

from __future__ import annotations

from datetime import date
from math import isnan

import pytest

from prodromal.errors import DataError
from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest
from prodromal.sources.doses import read_index

INDEX = """atc_code,atc_name,ddd,uom,adm_r,note
N05A,ANTIPSYCHOTICS,NA,NA,NA,NA
N05AX08,risperidone,5,mg,O,NA
N05AX08,risperidone,2.7,mg,P,depot
N05BA01,diazepam,10,mg,O,NA
N05BA01,diazepam,10,mg,P,NA
A02BC01,omeprazole,20,mg,O,NA
A02BC01,omeprazole,0.02,g,P,NA
H03AA01,levothyroxine,0.15,mg,O,NA
B01AB01,heparin,10,TU,P,NA
C10AA05,"atorvastatin, with a comma",20,mg,O,"a, note"
V03AB15,naloxone,NA,NA,NA,NA
"""
PERSONS = "person_id,sex,birth_date,observed_from,observed_to\n1,M,1950-03-01,2005-07-01,2020-12-31\n"
HEADER = "person_id,dispensed_on,atc,ddd,quantity,strength,strength_unit,pack_size,route\n"

CASES = [
    # what                              atc, ddd, packs, strength, unit, pack size, route; becomes, repair
    ("tablets", ("N05BA01", "", 2, "5", "mg", 100, ""), 100.0, "ddd_computed"),
    ("one that is there stays", ("N05BA01", "7", 2, "5", "mg", 100, ""), 7.0, None),
    ("grams", ("A02BC01", "", 1, "0.04", "g", 28, ""), 56.0, "ddd_computed"),
    ("the same DDD in two units", ("A02BC01", "", 1, "20", "mg", 28, ""), 28.0, "ddd_computed"),
    ("micrograms", ("H03AA01", "", 1, "75", "µg", 100, ""), 50.0, "ddd_computed"),
    ("capitals and blanks", ("H03AA01", "", 1, " 75 ", " MCG ", 100, ""), 50.0, "ddd_computed"),
    ("thousand units", ("B01AB01", "", 5, "5000", "E", 10, ""), 25.0, "ddd_computed"),
    ("a name with a comma", ("C10AA05", "", 1, "20", "mg", 98, ""), 98.0, "ddd_computed"),
    ("two DDDs, no route", ("N05AX08", "", 1, "25", "mg", 1, ""), None, "ddd_ambiguous"),
    ("two DDDs, by mouth", ("N05AX08", "", 1, "1", "mg", 60, "o"), 12.0, "ddd_computed"),
    ("two DDDs, by needle", ("N05AX08", "", 2, "27", "mg", 1, "P"), 20.0, "ddd_computed"),
    ("a route without a DDD", ("N05AX08", "", 1, "1", "mg", 60, "R"), None, None),
    ("no such unit", ("N05BA01", "", 1, "5", "mg/ml", 100, ""), None, None),
    ("another kind of unit", ("N05BA01", "", 1, "5", "E", 100, ""), None, None),
    ("no unit", ("N05BA01", "", 1, "5", "", 100, ""), None, None),
    ("no strength", ("N05BA01", "", 1, "", "mg", 100, ""), None, None),
    ("strength in words", ("N05BA01", "", 1, "1 mg/0,5 mg", "mg", 100, ""), None, None),
    ("no packs", ("N05BA01", "", "", "5", "mg", 100, ""), None, None),
    ("a code without a DDD", ("V03AB15", "", 1, "5", "mg", 100, ""), None, None),
    ("a code of a higher level", ("N05BA", "", 1, "5", "mg", 100, ""), None, None),
]


def run(folder, rows, header=HEADER, index=INDEX, **settings):
    (folder / "index.csv").write_text(index, encoding="utf-8")
    (folder / "p.csv").write_text(PERSONS)
    (folder / "d.csv").write_text(header + "\n".join(",".join(map(str, row)) for row in rows) + "\n", encoding="utf-8")
    tables = (TableSource("persons", (folder / "p.csv",)), TableSource("dispensings", (folder / "d.csv",), **settings))
    source = Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0, atc_ddd=folder / "index.csv")
    return ingest(source, folder / "register", replace=True).accounts["dispensings"], Register.open(folder / "register")


@pytest.mark.parametrize(("row", "becomes", "repair"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_computed_or_missing(tmp_path, row, becomes, repair):
    account, register = run(tmp_path, [("1", "2010-01-01", *row)])
    found = register.history(0)["ddd"][0]
    assert found == pytest.approx(becomes) if becomes is not None else isnan(found)
    assert account.repaired == ({repair: 1} if repair else {})


def test_a_return_has_a_negative_dose_and_cancels(tmp_path):
    bought, returned = ("N05BA01", "", 1, "5", "mg", 100, ""), ("N05BA01", "", -1, "5", "mg", 100, "")
    account, _ = run(tmp_path, [("1", "2010-01-01", *bought), ("1", "2010-02-01", *returned)])
    assert account.rejected == {"return": 1, "returned": 1}


def test_one_unit_for_all_rows(tmp_path):
    header = "person_id,dispensed_on,atc,apk,strnum,packsize\n"
    names = {"quantity": "apk", "strength": "strnum", "pack_size": "packsize"}
    _, register = run(
        tmp_path, [(1, "2010-01-01", "N05BA01", 1, 5, 100)], header, columns=names, constants={"strength_unit": "mg"}
    )
    assert register.history(0)["ddd"][0] == 50


def test_the_index_is_in_the_manifest_and_the_files_rows_are_numbered_as_before(tmp_path):
    good = ("N05BA01", "", 2, "5", "mg", 100, "")
    rows = [("1", "2010-01-01", *good), ("1", "2031-01-01", *good), ("1", "2010-01-02", *good)]
    account, register = run(tmp_path, rows)
    assert account.rejected == {"future": 1}
    assert register.table("rejected").column("row").to_pylist() == [2]
    assert [entry["table"] for entry in register.manifest["sources"]] == ["persons", "dispensings", "atc_ddd"]


@pytest.mark.parametrize(
    ("header", "index", "words"),
    [
        ("person_id,dispensed_on,atc\n", INDEX, "no column for strength, strength_unit, pack_size"),
        (HEADER, "code,ddd\nN05BA01,10\n", "no column atc_code, uom, adm_r"),
        (HEADER, INDEX.splitlines()[0] + "\n", "no DDD"),
    ],
)
def test_what_is_missing_is_said(tmp_path, header, index, words):
    rows = [("1", "2010-01-01", "N05BA01", *[""] * (header.count(",") - 2))]
    with pytest.raises(DataError, match=words):
        run(tmp_path, rows, header, index)


def test_the_index_of_2026(shared):
    doses = read_index(shared / "data" / "atc_ddd_index" / "WHO_ATC-DDD_2026-04-25.csv")
    assert len(doses) > 2_600
    assert ("N05BA01", "mass", "o", 10.0) in doses
    assert ("H03AA01", "mass", "o", 0.15) in doses
