"""Simple readers of each format, independent of ours, that say what a file says.

What it says is a list of units, a line or a row each. A unit has a text, in which ids stand as they are in the file,
and what it says of a dispensing if it says so soundly.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tests.torture.people import PEOPLE, Bought

__all__ = ["Said", "Unit", "read_csv", "read_lines", "read_rows"]


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
    days = int(numbers[1]) if numbers[1] is not None and numbers[1].is_integer() else None
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
