"""The same few people delivered in each format, and a simple reader of each that is independent of ours.

What a file says is a list of units, a line or a row each. A unit has a text, in which ids stand as they are in the
file, and what it says of a dispensing if it says so soundly.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tests.writers.fhir import dispense, patient, write_ndjson
from tests.writers.meds import write_meds_dataset
from tests.writers.omop import omop_tables, save

__all__ = ["OBSERVED", "PEOPLE", "Bought", "Format", "People", "Said", "Unit", "formats"]

OBSERVED = date(2005, 7, 1), date(2020, 12, 31)
Bought = tuple[str, str, str, float | None, int | None]  # person, day, code, DDDs, days


@dataclass(frozen=True)
class People:
    """Persons with ids that no small damage turns into each other, and dispensings of which no two are alike."""

    ids: tuple[int, ...]
    births: tuple[date, ...]
    bought: tuple[Bought, ...]

    @classmethod
    def make(cls, seed: int, *, persons: int = 24, rows: int = 96) -> People:
        draw = Random(seed)
        ids = tuple(draw.randrange(10**11, 10**12) for _ in range(persons))
        births = tuple(date(1940, 1, 1) + timedelta(draw.randrange(9_000)) for _ in ids)
        codes = [f"N0{group}" for group in ("5BA01", "5CF01", "6AB04", "6AX11", "5AH04", "2BE01", "3AX16", "4BA02")]
        days = [OBSERVED[0] + timedelta(draw.randrange(5_000)) for _ in range(rows)]
        bought = [
            (str(draw.choice(ids)), day.isoformat(), draw.choice(codes), draw.randint(1, 120) / 2, draw.randint(1, 100))
            for day in days
        ]
        return cls(ids, births, tuple(dict.fromkeys(bought)))

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Canonical tables in Arrow's types."""
        start, end = ([day] * len(self.ids) for day in OBSERVED)
        who, days, codes, ddd, supply = zip(*self.bought, strict=True)
        persons = {
            "person_id": pa.array(self.ids),
            "sex": pa.array(["F" if person % 2 else "M" for person in self.ids]),
            "birth_date": pa.array(self.births),
            "observed_from": pa.array(start),
            "observed_to": pa.array(end),
            "death_date": pa.nulls(len(self.ids), pa.date32()),
        }
        dispensings = {
            "person_id": pa.array(map(int, who)),
            "dispensed_on": pa.array(map(date.fromisoformat, days)),
            "atc": pa.array(codes),
            "ddd": pa.array(ddd),
            "days_supply": pa.array(supply, pa.int16()),
        }
        outcomes = {"person_id": pa.array([], pa.int64()), "diagnosed_on": pa.array([], pa.date32())}
        return {
            "persons": pa.table(persons),
            "dispensings": pa.table(dispensings),
            "outcomes": pa.table({**outcomes, "outcome": pa.array([], pa.string())}),
        }


PEOPLE = People.make(20_261_122)


@dataclass(frozen=True)
class Unit:
    """A line or row."""

    text: str
    bought: Bought | None = None
    lines: int = 1


@dataclass(frozen=True)
class Said:
    """What a file says."""

    units: tuple[Unit, ...]

    @property
    def rows(self) -> int:
        """Lines or rows that must be accounted for."""
        return sum(unit.lines for unit in self.units)


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


def _plain(file: Path) -> bytes | None:
    data = file.read_bytes()
    if file.suffix != ".gz":
        return data
    try:
        return gzip.decompress(data)
    except (EOFError, OSError, zlib.error):
        return None


_FIELDS = (
    ("person_id",),
    ("dispensed_on", "drug_exposure_start_date"),
    ("atc", "drug_concept_id"),
    ("ddd", "quantity"),
    ("days_supply",),
)
_LONGEST = 2_000_000  # bytes of a line that a reader must split
_MANY_ROWS = 100_000
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*")


def read_csv(file: Path) -> Said | None:
    """Records by their header; a record that is broken is as many units' worth as it has lines."""
    data = _plain(file)
    if data is None:
        return None
    text = re.sub("\n\n\n+", "\n\n", data.decode("utf-8-sig", "surrogateescape"))
    header = text.partition("\n")[0].strip("\r")
    mark = max(",;|\t", key=header.count)
    first, *others = _records(text, mark)
    names = [name.strip().lower() for name in _fields("\n".join(first), mark)]
    units = [_record(lines, mark, names) for lines in others]
    return Said(tuple(unit for unit in units if unit is not None))


def _records(text: str, mark: str) -> list[list[str]]:
    """Lines of each record: a record goes on in the next line while a quotation is open."""
    found: list[list[str]] = []
    inside = False
    for line in re.split(r"\r\n|\n|\r", text):
        if inside:
            found[-1].append(line)
        else:
            found.append([line])
        inside = mark != "\t" and _ends_inside(line, mark, inside=inside)
    return found


def _ends_inside(line: str, mark: str, *, inside: bool) -> bool:
    if '"' not in line:
        return inside
    if not inside and len(line) > _LONGEST:
        return False
    starts, before = not inside, ""
    for sign in line:
        if inside:
            inside = sign != '"'
        elif sign == '"' and (starts or before == '"'):
            inside = True
        starts, before = sign == mark and not inside, sign
    return inside


def _record(lines: list[str], mark: str, names: list[str]) -> Unit | None:
    if not "".join(lines):
        return None
    whole = "\n".join(lines)
    if len(whole) > _LONGEST:
        return Unit(whole[:99], lines=sum(bool(line) for line in lines))
    fields = _fields(whole, mark)
    if len(fields) != len(names):
        return Unit(whole, lines=sum(bool(line) for line in lines))
    by_name = dict(zip(names, fields, strict=True))
    known = {name: by_name[name] for name in sorted(by_name) if not name.startswith("extra")}
    return Unit(json.dumps(known), _soundly(by_name))


def _fields(record: str, mark: str) -> list[str]:
    """Nothing if a quotation does not end, or anything but the mark follows it."""
    if mark == "\t" or '"' not in record:
        return record.split(mark)
    field = rf'(?:"((?:[^"]|"")*+)"|([^"{re.escape(mark)}][^{re.escape(mark)}]*|))(?:({re.escape(mark)})|$)'
    found, place = [], 0
    while match := re.compile(field, re.DOTALL).match(record, place):
        quoted, plain, more = match.groups()
        found.append(plain or "" if quoted is None else quoted.replace('""', '"'))
        place = match.end()
        if more is None:
            return found if place == len(record) else []
    return []


def _soundly(values: Mapping[str, Any]) -> Bought | None:
    found = [next((values[name] for name in names if name in values), None) for names in _FIELDS]
    who, day, code, ddd, supply = ("" if value is None else str(value).strip() for value in found)
    numbers = [float(text) if _NUMBER.fullmatch(text) else None for text in (ddd, supply)]
    days = None if numbers[1] is None or numbers[1] != int(numbers[1]) else int(numbers[1])
    return (who, day[:10], _code(code), numbers[0], days)


def _code(text: str) -> str:
    """ATC code, of a concept the one that the vocabulary was given."""
    codes = sorted({row[2] for row in PEOPLE.bought})
    if text.startswith("400000") and text[6:].isdigit() and 0 < int(text[6:]) <= len(codes):
        return codes[int(text[6:]) - 1]
    return "".join(text.split()).upper()


def read_lines(file: Path) -> Said | None:
    """Lines of JSON."""
    data = _plain(file)
    if data is None:
        return None
    lines = data.removeprefix(b"\xef\xbb\xbf").split(b"\n")
    return Said(tuple(_resource(line) for line in lines if line.strip()))


def _resource(line: bytes) -> Unit:
    text = line.strip().decode("utf-8", "surrogateescape")
    try:
        found = json.loads(text)
        codes = found["medicationCodeableConcept"]["coding"]
        days = found.get("daysSupply", {})
        values = {
            "person_id": found["subject"]["reference"].removeprefix("Patient/"),
            "dispensed_on": found["whenHandedOver"],
            "atc": codes[0]["code"],
            "ddd": (found.get("quantity") or {}).get("value"),
            "days_supply": days.get("value"),
        }
        return Unit(text, _soundly(values))
    except (ValueError, KeyError, TypeError, AttributeError, IndexError, RecursionError):
        return Unit(text)


def read_rows(file: Path) -> Said | None:
    """Rows of a Parquet file whose pages match their checksums."""
    try:
        with pq.ParquetFile(file, page_checksum_verification=True) as opened:
            table = opened.read(use_threads=False)
        if table.num_rows > _MANY_ROWS:
            table = table.group_by(table.schema.names).aggregate([([], "count_all")])
        rows = table.to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError, UnicodeError):
        return None
    counts = [row.pop("count_all", 1) for row in rows]
    units = zip(rows, counts, strict=True)
    return Said(tuple(Unit(json.dumps(row, default=str, sort_keys=True), _row(row), n) for row, n in units))


def _row(row: Mapping[str, Any]) -> Bought | None:
    if "subject_id" not in row:
        return _soundly(row)
    code = str(row.get("code"))
    if not code.startswith("ATC/"):
        return None
    values = {
        "person_id": row["subject_id"],
        "dispensed_on": row.get("time"),
        "atc": code.removeprefix("ATC").lstrip("/").partition("//")[0],
        "ddd": row.get("numeric_value"),
        "days_supply": row.get("days_supply"),
    }
    return _soundly(values)
