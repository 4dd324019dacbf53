"""The same few people delivered in each format."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.torture.people import PEOPLE, Bought
from tests.torture.said import Said, read_csv, read_lines, read_rows
from tests.writers.fhir import dispense, patient, write_ndjson
from tests.writers.meds import write_meds_dataset
from tests.writers.omop import omop_tables, save

__all__ = ["Format", "formats"]


@dataclass(frozen=True)
class Format:
    """How the people are written, and how a file is read (None: it cannot be).

    Parameters
    ----------
    files : mapping of str to str
        Name in the delivery of each file to mutate, with the canonical table whose rows it holds (or nothing).
    """

    name: str
    write: Callable[[Path], object]
    files: Mapping[str, str]
    read: Callable[[Path], Said | None]

    def keys(self, file: str, row: Bought) -> tuple[str, ...]:
        """Texts that stand in every unit of `file` on which a dispensing depends."""
        place = sorted({bought[2] for bought in PEOPLE.bought}).index(row[2]) + 1
        if file.startswith("concept"):
            return str(21_600_000 + place), str(40_000_000 + place)
        return (row[0],)


def formats() -> dict[str, Format]:
    """All, by name."""
    tables = ("person", "observation_period", "drug_exposure", "concept", "concept_ancestor")
    rows = ("persons", "", "dispensings", "", "")
    found = (
        Format("csv", _write_csv, {"dispensings.csv": "dispensings", "persons.csv": "persons"}, read_csv),
        Format(
            "parquet", _write_parquet, {"dispensings.parquet": "dispensings", "persons.parquet": "persons"}, read_rows
        ),
        Format(
            "fhir",
            _write_fhir,
            {"MedicationDispense.ndjson": "dispensings", "Patient.ndjson": "persons"},
            read_lines,
        ),
        Format("omop", _omop("csv"), {f"{t}.csv": r for t, r in zip(tables, rows, strict=True)}, read_csv),
        Format(
            "omop_parquet", _omop("parquet"), {f"{t}.parquet": r for t, r in zip(tables, rows, strict=True)}, read_rows
        ),
        Format("meds", _write_meds, {f"data/train/{n}.parquet": "dispensings" for n in range(3)}, read_rows),
    )
    return {one.name: one for one in found}


def _frames() -> dict[str, pd.DataFrame]:
    return {name: table.to_pandas(date_as_object=False) for name, table in PEOPLE.tables.items()}


def _write_csv(folder: Path) -> None:
    for name in ("persons", "dispensings"):
        _frames()[name].to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d")


def _write_parquet(folder: Path) -> None:
    for name in ("persons", "dispensings"):
        write_rows(PEOPLE.tables[name], folder / f"{name}.parquet")


def write_rows(table: pa.Table, file: Path) -> None:
    """Not compressed, so that nothing but the checksums of the pages tells damage."""
    pq.write_table(table, file, write_page_checksum=True, compression="none", row_group_size=50)


def _write_fhir(folder: Path) -> None:
    people = zip(PEOPLE.ids, PEOPLE.births, strict=True)
    write_ndjson(
        folder / "Patient.ndjson", (patient(i, "F" if i % 2 else "M", birth.isoformat()) for i, birth in people)
    )
    write_ndjson(
        folder / "MedicationDispense.ndjson",
        (
            dispense(f"d-{zlib.crc32(repr(row).encode())}", row[0], row[1], row[2], ddd=row[3], daysSupply=_days(row))
            for row in PEOPLE.bought
        ),
    )


def _days(row: Bought) -> dict[str, Any]:
    return {"value": row[4], "code": "d"}


def _omop(form: str) -> Callable[[Path], None]:
    def write(folder: Path) -> None:
        kept = ("person", "observation_period", "drug_exposure", "concept", "concept_ancestor")
        tables = {name: table for name, table in omop_tables(PEOPLE.tables).items() if name in kept}
        folder.rmdir()
        save(tables, folder, form)
        if form == "parquet":
            for name, table in tables.items():
                write_rows(table, folder / f"{name}.parquet")

    return write


def _write_meds(folder: Path) -> None:
    frames = _frames()
    frames["outcomes"] = frames["outcomes"].assign(diagnosed_on=pd.to_datetime(frames["outcomes"]["diagnosed_on"]))
    write_meds_dataset(folder, frames)
    for number in range(3):
        file = folder / "data" / "train" / f"{number}.parquet"
        write_rows(pq.read_table(file), file)
