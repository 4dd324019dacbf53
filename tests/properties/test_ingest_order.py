"""A register does not depend on the order of the rows it came from, nor on how they are spread over files."""

from __future__ import annotations

import tempfile
from datetime import date
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest

PERSONS = [
    "1,M,1950-01-01,2005-07-01,2020-12-31",
    "2,F,1951-01-01,2005-07-01,2020-12-31",
    "3,U,1952-01-01,2005-07-01,2020-12-31",
]
rows = st.builds(
    "{},2010-01-0{},{},{}".format,
    st.integers(1, 4),
    st.integers(1, 3),
    st.sampled_from(["N06AB04", "N05BA01"]),
    st.integers(1, 2),
)


def hashes(persons, files):
    folder = Path(tempfile.mkdtemp())
    (folder / "p.csv").write_text("\n".join(["person_id,sex,birth_date,observed_from,observed_to", *persons]) + "\n")
    for name, content in files.items():
        (folder / name).write_text("\n".join(["person_id,dispensed_on,atc,ddd", *content]) + "\n")
    tables = (
        TableSource("persons", (folder / "p.csv",)),
        TableSource("dispensings", tuple(folder / name for name in files)),
    )
    ingest(Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0), folder / "register", rows_per_part=7)
    manifest = Register.open(folder / "register").manifest
    return [e["sha256"] for name in ("persons", "dispensings") for e in manifest["files"][name]], manifest["account"]


@settings(max_examples=15)
@given(data=st.data(), lines=st.lists(rows, min_size=1, max_size=20))
def test_permuting_or_splitting_the_rows_changes_nothing(data, lines):
    mixed = data.draw(st.permutations(lines))
    cut = data.draw(st.integers(0, len(lines)))
    straight = hashes(PERSONS, {"a.csv": lines})
    assert straight == hashes(
        data.draw(st.permutations(PERSONS)), {"a.csv": mixed[:cut], "b.csv": mixed[cut:]} if cut else {"a.csv": mixed}
    )
