"""Drug exposures find their ATC codes by the first way that leads anywhere, and the report says by which."""

from __future__ import annotations

from math import isnan

import pytest

from prodromal.errors import DataError
from prodromal.sources.codes import SeveralCodes
from tests.writers.omop_small import EXPOSURE, SMALL, atcs, ingested, write

MAPPING = "rxcui,atc\n104,N05BA01\n"


def run(tmp_path, rows, *, mapping=None, several="all", changes=None, **settings):
    folder = write(tmp_path / "cdm", drug_exposure=EXPOSURE + "\n".join(rows) + "\n", **(changes or {}))
    files = []
    if mapping:
        files = [tmp_path / "mapping.csv"]
        files[0].write_text(mapping)
    done, told = ingested(folder, tmp_path / "r", mapping=files, several_codes=SeveralCodes(several), **settings)
    return done.accounts["dispensings"], told["codes"]


def one(tmp_path, drug, source=0, value="x", **settings):
    """The codes of a single exposure, and the way."""
    account, codes = run(tmp_path, [f"1,1,{drug},2010-01-01,30,60,32825,{source},{value}"], **settings)
    assert account.read + account.expanded == account.kept + sum(account.left_out.values())
    return atcs(tmp_path / "r").get(1, []), codes["ways"][0]["way"]


WAYS = [
    # drug, source concept, source value, mapping -> codes, way
    (1, 0, "x", None, ["N06AB06"], "concept_ancestor"),
    (21, 0, "x", None, ["N06AB06"], "the concept is an ATC code"),
    (22, 0, "x", None, ["N06AB"], "the concept is an ATC code"),
    (0, 25, "x", None, ["N02BA01"], "the concept is an ATC code"),
    (1, 25, "x", None, ["N02BA01"], "the concept is an ATC code"),
    (1, 0, "n05ba01 ", None, ["N05BA01"], "drug_source_value"),
    (1, 0, "N05B", None, ["N06AB06"], "concept_ancestor"),
    (1, 0, "Z05BA01", None, ["N06AB06"], "concept_ancestor"),
    (0, 1, "x", None, ["N06AB06"], "concept_ancestor"),
    (4, 0, "x", MAPPING, ["N05BA01"], "mapping of the drug"),
    (4, 0, "x", "in_rxcui,in_name,atc,n_products\n204,diazepam,N05BA01,9\n", ["N05BA01"], "mapping of its ingredients"),
    (1, 0, "x", "rxcui,atc\n101,C01AA01\n", ["N06AB06"], "concept_ancestor"),
    (4, 0, "x", "rxcui,atc\n104,N05BA\n104,N05BA01\n104,A01AA\n", ["N05BA01"], "mapping of the drug"),
    (4, 0, "x", None, [], "none"),
    (5, 0, "x", "rxcui,atc\n10,N05BA01\n", [], "none"),  # the code of a vaccine is no RxNorm code
    (99, 0, "x", None, [], "none"),
    (0, 0, "x", None, [], "none"),
]


@pytest.mark.parametrize(("drug", "source", "value", "mapping", "codes", "way"), WAYS)
def test_the_way_to_a_code(tmp_path, drug, source, value, mapping, codes, way):
    found, told = one(tmp_path, drug, source, value, mapping=mapping)
    assert (found, told) == (codes, way if codes else "none")


def test_relationships_serve_where_there_are_no_ancestors(tmp_path):
    changes = {
        "concept_ancestor": None,
        "concept_relationship": "concept_id_1\tconcept_id_2\trelationship_id\n3\t24\tRxNorm - ATC sec lat\n"
        "3\t25\tRxNorm - ATC pr lat\n3\t21\tHas ingredient\n",
    }
    assert one(tmp_path, 3, changes=changes, several="first") == (["N02BA01"], "concept_relationship")


SEVERAL = [
    ("all", ["B01AC06", "N02BA01"], {}, 1),
    ("first", ["B01AC06"], {}, 0),
    ("single-only", [], {"several_codes": 1}, 0),
]


@pytest.mark.parametrize(("several", "codes", "left_out", "expanded"), SEVERAL)
def test_several_codes(tmp_path, several, codes, left_out, expanded):
    account, told = run(tmp_path, ["1,1,3,2010-01-01,30,60,32825,0,x"], several=several)
    assert atcs(tmp_path / "r").get(1, []) == codes
    assert (account.read, account.expanded, dict(account.left_out)) == (1, expanded, left_out)
    assert told["several_codes"] == {"policy": several, "exposures": None, "concepts": 1}


def test_rows_without_a_code_are_left_out_and_do_not_stop_the_run(tmp_path):
    rows = [f"{n},1,5,2010-01-{n:02},30,1,32825,0,x" for n in range(1, 20)] + ["20,1,1,2010-01-01,30,1,32825,0,x"]
    account, told = run(tmp_path, rows, max_rejected=0.0)
    assert (account.read, account.kept, dict(account.left_out)) == (20, 1, {"unmapped_code": 19})
    assert told["unmapped"] == {
        "exposures": 19,
        "concepts": 1,
        "top": [{"concept_id": 5, "name": "poliovirus vaccine", "exposures": 19}],
    }


def test_counts_below_five_are_withheld(tmp_path):
    rows = [f"{n},1,5,2010-01-{n:02},30,1,32825,0,x" for n in range(1, 5)]
    _, told = run(tmp_path, rows)
    assert told["unmapped"] == {"exposures": None, "concepts": 1, "top": []}
    assert told["ways"] == [{"way": "none", "exposures": None, "people": None}]


def test_products_of_several_ingredients_are_named(tmp_path):
    rows = [f"{n},1,2,2010-01-{n:02},30,1,32825,0,x" for n in range(1, 7)]
    _, told = run(tmp_path, rows)
    assert atcs(tmp_path / "r") == {1: ["N02AJ06"] * 6}
    assert told["combinations"]["top"] == [
        {"concept_id": 2, "name": "paracetamol 500 MG / codeine 30 MG", "exposures": 6}
    ]


def test_drug_types_can_be_chosen(tmp_path):
    rows = ["1,1,1,2010-01-01,30,1,32825,0,x", "2,1,1,2010-01-02,30,1,38000180,0,x", "3,1,1,2010-01-03,30,1,,0,x"]
    account, told = run(tmp_path, rows, drug_types=(32825,))
    assert (account.kept, dict(account.left_out)) == (1, {"drug_type": 2})
    assert {kind["concept_id"] for kind in told["drug_types"]} == {0, 32825, 38000180}


@pytest.mark.parametrize(
    ("quantity", "ddd", "packages"), [("units", None, None), ("packages", None, 2.5), ("ddd", 2.5, None)]
)
def test_what_the_quantity_counts_is_said_and_not_guessed(tmp_path, quantity, ddd, packages):
    from prodromal.register import Register

    run(tmp_path, ["1,1,1,2010-01-01,30,2.5,32825,0,x"], quantity=quantity)
    row = Register.open(tmp_path / "r").history(0).iloc[0]
    assert [None if isnan(value) else value for value in (row["ddd"], row["quantity"])] == [ddd, packages]


@pytest.mark.parametrize("quantity", ["units", "packages", "ddd"])
def test_a_negative_quantity_takes_a_dispensing_back(tmp_path, quantity):
    rows = ["1,1,1,2010-01-01,30,60,32825,0,x", "2,1,1,2010-01-05,30,-60,32825,0,x"]
    account, _ = run(tmp_path, rows, quantity=quantity)
    assert account.rejected == {"return": 1, "returned": 1}


def test_a_mapping_that_is_none_is_refused(tmp_path):
    with pytest.raises(DataError, match="no mapping to ATC"):
        one(tmp_path, 4, mapping="a,b\n1,2\n")


def test_a_vocabulary_may_lie_elsewhere(tmp_path):
    words = tmp_path / "words"
    words.mkdir()
    for name in ("concept", "concept_ancestor"):
        (words / f"{name.upper()}.csv").write_text(SMALL[name].replace("concept_id", "CONCEPT_ID"))
    changes = {"concept": None, "concept_ancestor": None}
    assert one(tmp_path, 1, changes=changes, vocabulary=words) == (["N06AB06"], "concept_ancestor")
