"""A register does not depend on the order of the lines of an export, nor on how they are spread over files."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.register import Register
from prodromal.sources import ingest
from prodromal.sources.fhir import Fhir, find_files
from tests.writers.fhir import ICD_10, coded, condition, dispense, patient, write_ndjson

TABLES = ("persons", "dispensings", "outcomes")
ALWAYS = [
    patient(1),
    patient(2, "M"),
    patient(3, link=[{"type": "replaced-by", "other": {"reference": "Patient/1"}}]),
    dispense("always", 1, "2010-01-01"),
    condition("always", 1, "2012-01-01"),
]
people = st.builds(
    lambda number, version, sex: {**patient(number, sex), "meta": {"versionId": str(version)}},
    st.integers(1, 3),
    st.integers(2, 3),
    st.sampled_from("MF"),
)
bought = st.builds(
    lambda number, person, day, code, version: {
        **dispense(number, person, f"2010-01-0{day}", code),
        "meta": {"versionId": str(version)},
    },
    st.integers(1, 6),
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["N06AB04", "N05BA01", "none"]),
    st.integers(8, 11),
)
referring = st.builds(
    lambda number, product: dispense(
        number, 2, "2011-01-01", None, medicationReference={"reference": f"Medication/{product}"}
    ),
    st.integers(7, 9),
    st.integers(1, 2),
)
products = st.sampled_from([{"resourceType": "Medication", "id": "1", "code": coded("N05BA04")}])
lines = st.one_of(people, bought, referring, products)


def ingested(*files):
    folder = Path(tempfile.mkdtemp())
    for number, content in enumerate(files):
        write_ndjson(folder / "in" / f"{number}.ndjson", content)
    source = Fhir(
        find_files([folder / "in"]),
        date(2021, 1, 1),
        outcomes={"ALS": (f"{ICD_10}|G12.2",)},
        max_rejected=1.0,
    ).source()
    ingest(source, folder / "register", rows_per_part=4)
    manifest = Register.open(folder / "register").manifest
    return [e["sha256"] for name in TABLES for e in manifest["files"][name]], manifest["account"]


@settings(max_examples=12)
@given(data=st.data(), drawn=st.lists(lines, max_size=15))
def test_permuting_or_splitting_the_lines_changes_nothing(data, drawn):
    mixed = data.draw(st.permutations([*ALWAYS, *drawn]))
    cut = data.draw(st.integers(1, len(mixed)))
    hashes, account = ingested([*ALWAYS, *drawn])
    assert (hashes, account) == ingested(mixed[:cut], mixed[cut:])
    assert account["persons"]["read"] + account["dispensings"]["read"] + account["outcomes"]["read"] == sum(
        line["resourceType"] != "Medication" for line in [*ALWAYS, *drawn]
    )
