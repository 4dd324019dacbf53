"""A delivery with every fault that a row can have, in several files and in no order."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from prodromal.sources import Source, TableSource, ingest

EXTRACTED = date(2026, 1, 1)
ROWS_PER_PART = 700
_FILES = 3


@dataclass(frozen=True)
class Delivery:
    """Folder with a file or folder for each table."""

    folder: Path

    @property
    def places(self) -> dict[str, str]:
        return {name: str(self.place(name)) for name in ("persons", "dispensings", "outcomes", "relatives")}

    def place(self, name: str) -> Path:
        path = self.folder / name
        return path if path.is_dir() else self.folder / f"{name}.parquet"

    def ingested(self, output: Path):
        """By one machine."""
        tables = tuple(
            TableSource(name, tuple(sorted(place.glob("*"))) if place.is_dir() else (place,))
            for name, place in ((name, self.place(name)) for name in self.places)
        )
        source = Source(tables, extracted_on=EXTRACTED, max_rejected=1.0)
        return ingest(source, output, rows_per_part=ROWS_PER_PART)


def faulty(sound: Path, folder: Path, *, people: int, as_text: bool, seed: int) -> Delivery:
    """Some people of a sound delivery, with faults; ids as text, some of them numbers still."""
    rng = np.random.default_rng(seed)
    # Spaces and a percent sign must survive the addresses that Spark gives files.
    folder = folder / "a % 20b"
    (folder / "dispensings").mkdir(parents=True)
    persons = pq.read_table(sound / "persons.parquet").slice(0, people)
    whole = pq.read_table(sound / "dispensings")
    rows = whole.filter(pc.is_in(whole.column("person_id"), persons.column("person_id")))
    rows = _with_faults(rows.slice(0, 6000), rng)
    # One twice, and one whose observation ends before it begins.
    backwards = persons.slice(7, 1)
    ends = backwards.column("observed_from").to_numpy() - np.timedelta64(1, "D")
    backwards = backwards.set_column(persons.schema.get_field_index("observed_to"), "observed_to", pa.array(ends))
    persons = pa.concat_tables(
        [persons.slice(0, 7), backwards.cast(persons.schema), persons.slice(8), persons.slice(0, 1)]
    )
    tables = {"persons": persons, "dispensings": rows}
    for name in ("outcomes", "relatives"):
        tables[name] = pq.read_table(sound / f"{name}.parquet")
    for name, table in tables.items():
        shuffled = table.take(rng.permutation(table.num_rows))
        if as_text:
            shuffled = _with_text_ids(shuffled)
        if name != "dispensings":
            pq.write_table(shuffled, folder / f"{name}.parquet")
            continue
        for number, part in enumerate(np.array_split(np.arange(table.num_rows), _FILES)):
            pq.write_table(
                shuffled.take(part),
                folder / "dispensings" / f"part-{number}.parquet",
                row_group_size=500,
                write_page_checksum=True,
            )
    return Delivery(folder)


def _with_faults(rows: pa.Table, rng: np.random.Generator) -> pa.Table:
    count = rows.num_rows
    frame = rows.to_pandas(date_as_object=True)
    frame["atc"] = frame["atc"].astype(object)

    def some(share: float) -> np.ndarray:
        return rng.random(count) < share

    frame.loc[some(0.01), "atc"] = "nonsense"
    frame.loc[some(0.01), "atc"] = " n06ab04"
    frame.loc[some(0.01), "atc"] = "E06AB04"
    frame.loc[some(0.01), "dispensed_on"] = None
    frame.loc[some(0.01), "dispensed_on"] = date(1900, 1, 1)
    frame.loc[some(0.01), "dispensed_on"] = date(1931, 5, 5)
    frame.loc[some(0.01), "dispensed_on"] = date(2030, 5, 5)
    frame.loc[some(0.01), "person_id"] += 10_000_000
    frame.loc[some(0.01), "days_supply"] = 9999
    frame["quantity"], frame["pharmacy"] = 1.0, "a"
    returned = frame[some(0.03)].assign(quantity=-1.0)
    unmatched = frame[some(0.005)].assign(quantity=-1.0, atc="V07AY")
    twice = frame[some(0.05)]
    # Equal but for a column that the register does not have: no duplicate.
    other = frame[some(0.02)].assign(pharmacy="b")
    whole = pd.concat([frame, returned, unmatched, twice, other])
    schema = rows.schema
    schema = schema.set(schema.get_field_index("atc"), pa.field("atc", pa.string()))
    if "quantity" in schema.names:
        schema = schema.remove(schema.get_field_index("quantity"))
    schema = schema.append(pa.field("quantity", pa.float32())).append(pa.field("pharmacy", pa.string()))
    return pa.Table.from_pandas(whole, schema=schema.remove_metadata(), preserve_index=False)


def _with_text_ids(table: pa.Table) -> pa.Table:
    for name in ("person_id", "relative_id"):
        if name in table.column_names:
            ids = [_text(value) for value in table.column(name).to_pylist()]
            table = table.set_column(table.schema.get_field_index(name), name, pa.array(ids, pa.string()))
    return table


def _text(value: int) -> str:
    return f"p{value}" if value % 9 == 0 else str(value)
