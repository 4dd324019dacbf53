"""A register does not depend on the order of the rows it came from, nor on how they are spread over files."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.files import sha256
from prodromal.register import Register
from prodromal.register.writer import RegisterWriter
from prodromal.sources import Source, TableSource, ingest
from prodromal.tables import TABLES

PERSONS = [
    "1,M,1950-01-01,2005-07-01,2020-12-31",
    "2,F,1951-01-01,2005-07-01,2020-12-31",
    "3,U,1952-01-01,2005-07-01,2020-12-31",
]
rows = st.builds(
    "{},2010-01-0{},{},{},{}".format,
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["N06AB04", "N05BA01", "n05ba01", "N05BA1"]),
    st.sampled_from(["1", "2", "", "x"]),
    st.sampled_from(["1", "1", "2", "-1"]),
)


def hashes(persons, files, threads=2):
    folder = Path(tempfile.mkdtemp())
    (folder / "p.csv").write_text("\n".join(["person_id,sex,birth_date,observed_from,observed_to", *persons]) + "\n")
    for name, content in files.items():
        (folder / name).write_text("\n".join(["person_id,dispensed_on,atc,ddd,quantity", *content]) + "\n")
    tables = (
        TableSource("persons", (folder / "p.csv",)),
        TableSource("dispensings", tuple(folder / name for name in files)),
    )
    ingest(
        Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0),
        folder / "register",
        rows_per_part=7,
        threads=threads,
    )
    manifest = Register.open(folder / "register").manifest
    return [e["sha256"] for name in ("persons", "dispensings") for e in manifest["files"][name]], manifest["account"]


def test_threads_change_nothing():
    lines = [
        f"{1 + n % 3},20{10 + n % 9}-0{1 + n % 7}-{10 + n % 13},N05BA{n % 11:02d},{n % 5},1" for n in range(60_000)
    ]
    found = [hashes(PERSONS, {"a.csv": lines[::step]}, threads) for threads in (1, 2, 4) for step in (1, -1)]
    assert all(one == found[0] for one in found)


def test_batches_of_any_size_give_the_same_files():
    rows = sorted((n % 7, n % 5, f"N0{5 - n % 2}BA{n * 11 % 13:02d}") for n in range(400))
    table = pa.table(
        {
            "person_id": pa.array([person for person, _, _ in rows], pa.int64()),
            "dispensed_on": pa.array([day for _, day, _ in rows], pa.int32()).cast(pa.date32()),
            "atc": [code for _, _, code in rows],
            "ddd": pa.array(range(400, 0, -1), pa.float32()),
            "days_supply": pa.array([None] * 400, pa.int16()),
            "quantity": pa.array([None] * 400, pa.float32()),
            "fingerprint": pa.array([0] * 400, pa.uint64()),
            "repairs": pa.array([n % 3 for n in range(400)], pa.uint16()),
        }
    )
    days = {name: pa.nulls(7, pa.date32()) for name in TABLES["persons"].names if name.endswith(("date", "from", "to"))}
    others = {"sex": ["F"] * 7, "region": pa.nulls(7, pa.string()), "sampling_weight": pa.nulls(7, pa.float32())}
    marks = {"fingerprint": pa.array([0] * 7, pa.uint64()), "repairs": pa.array([0] * 7, pa.uint16())}
    people = pa.table({"person_id": pa.array(range(7), pa.int64()), **days, **others, **marks})
    found = []
    for size in (1, 3, 50, 1_000):
        folder = Path(tempfile.mkdtemp())
        writer = RegisterWriter(folder, rows_per_part=90, threads=2)
        writer.write(TABLES["persons"], people.to_batches(), person_id="BIGINT")
        written = writer.write(TABLES["dispensings"], table.to_batches(max_chunksize=size), person_id="BIGINT")
        parts = [sha256(part) for part in sorted((folder / "dispensings").iterdir())]
        found.append((parts, written.rows, written.repaired(1), written.repaired(2)))
    assert len(found[0][0]) > 3
    assert found[0][1:] == (400, 133, 133)
    assert all(one == found[0] for one in found)


@settings(max_examples=15)
@given(data=st.data(), lines=st.lists(rows, min_size=1, max_size=20))
def test_permuting_or_splitting_the_rows_changes_nothing(data, lines):
    mixed = data.draw(st.permutations(lines))
    cut = data.draw(st.integers(0, len(lines)))
    straight = hashes(PERSONS, {"a.csv": lines})
    assert straight == hashes(
        data.draw(st.permutations(PERSONS)), {"a.csv": mixed[:cut], "b.csv": mixed[cut:]} if cut else {"a.csv": mixed}
    )
