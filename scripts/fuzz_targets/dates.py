"""Dates as SQL reads them, beside a reader in plain Python that decides on the declared form alone."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Iterator
from datetime import date
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

__all__ = ["FORMS", "by_the_form", "compare", "examples", "incomplete"]

FORMS = ("%Y-%m-%d", "%Y%m%d", "%d/%m/%Y", "%d.%m.%Y", "%m-%d-%Y", "%d%b%Y", "%Y-%m-%d %H:%M:%S", "day %d, %m %Y")
_COLUMNS = ("dispensed_on", "birth_date", "death_date")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DIGITS = {"Y": 4, "m": 2, "d": 2, "H": 2, "M": 2, "S": 2}


def by_the_form(text: str, form: str) -> date | None:
    """The date that stands there: every field at its full width, nothing around it, and midnight if a time."""
    fields, place = dict.fromkeys("HMS", 0), 0
    for mark, letter in re.findall("(%?)(.)", form):
        width = (3 if letter == "b" else _DIGITS[letter]) if mark else 1
        piece, place = text[place : place + width], place + width
        if mark and letter == "b":
            if piece not in _MONTHS:
                return None
            fields["m"] = _MONTHS.index(piece) + 1
        elif mark:
            if not _are_digits(piece, width):
                return None
            fields[letter] = int(piece)
        elif piece != letter:
            return None
    if place != len(text) or fields["H"] or fields["M"] or fields["S"]:
        return None
    return _date(fields["Y"], fields["m"], fields["d"])


def incomplete(text: str) -> tuple[int, int] | None:
    """Year and month (0 if unknown) of a date whose day, or month and day, are left out or written as zeros."""
    year, rest, pieces = text[:4], text[4:], []
    while rest:
        rest = rest[rest[0] in "-/." :]
        if not _are_digits(rest[:2], 2):
            return None
        pieces.append(int(rest[:2]))
        rest = rest[2:]
    month = pieces[0] if pieces else 0
    if not _are_digits(year, 4) or month > 12 or pieces[1:] not in ([], [0]):
        return None
    return int(year), month


def _are_digits(text: str, width: int) -> bool:
    return len(text) == width and set(text) <= set("0123456789")


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _completed(name: str, year: int, month: int) -> date | None:
    """The middle of the period for a birth, its end for a death."""
    if not year:
        return None
    if name == "birth_date":
        return date(year, month or 7, 15 if month else 1)
    return date(year, month or 12, monthrange(year, month or 12)[1])


@cache
def _reader() -> duckdb.DuckDBPyConnection:
    """A connection with a query by each form, which reads texts as every column."""
    import duckdb

    from prodromal.sources.columns import SourceColumn, parse
    from prodromal.tables import TABLES

    connection = duckdb.connect()
    connection.execute("CREATE TABLE written (line INTEGER, text VARCHAR)")
    columns = [c for table in ("dispensings", "persons") for c in TABLES[table].columns if c.name in _COLUMNS]
    for number, form in enumerate(FORMS):
        found = {column.name: parse(column, SourceColumn("text", "VARCHAR", form)) for column in columns}
        read = ", ".join(f"{parsed.read} AS read_{name}" for name, parsed in found.items())
        told = ", ".join(
            f"CAST({parsed.value} AS VARCHAR), {parsed.given}, {parsed.malformed}, {parsed.partial}"
            for parsed in found.values()
        )
        texts = f"(SELECT line, text, {read} FROM written)"  # noqa: S608  our own expressions
        connection.execute(f"PREPARE form_{number} AS SELECT {told} FROM {texts} ORDER BY line")  # noqa: S608
    return connection


def compare(data: bytes) -> None:
    """SQL and the plain reader say the same of each line, by the form that the first byte chooses."""
    number, texts = data[0] % len(FORMS) if data else 0, data[1:].decode("utf-8", "replace").split("\n")
    reader = _reader()
    reader.execute("DELETE FROM written")
    reader.executemany("INSERT INTO written VALUES (?, ?)", list(enumerate(texts)))
    for text, found in zip(texts, reader.execute(f"EXECUTE form_{number}").fetchall(), strict=True):
        for place, name in enumerate(_COLUMNS):
            assert found[4 * place : 4 * place + 4] == _decided(name, text.strip(" "), FORMS[number]), name


def _decided(name: str, text: str, form: str) -> tuple[str | None, bool, bool, bool]:
    """Value, and whether something is given, malformed, or incomplete."""
    value, left_out = by_the_form(text, form), incomplete(text)
    partial = value is None and left_out is not None
    if partial and left_out is not None and name != "dispensed_on":
        value = _completed(name, *left_out)
    malformed = bool(text) and value is None and not (partial and name == "dispensed_on")
    return value.isoformat() if value else None, bool(text), malformed, partial


def examples() -> Iterator[bytes]:
    """By every form: days, months, years, and texts that look like dates."""
    for number, form in enumerate(FORMS):
        days = (date(2012, 2, 29), date(1950, 12, 1), date(1, 1, 1), date(9999, 12, 31))
        written = [day.strftime(form) for day in days]
        odd = (
            "00000101",
            "\t1950101",
            "2010",
            "2010-05",
            "201005",
            "2010/05/00",
            "20100000",
            "0000",
            "epoch",
            "",
            " ",
            "2010-1-01",
            "29022011",
        )
        yield bytes([number]) + "\n".join((*written, *(f" {day} " for day in written), *odd, written[0] + "x")).encode()
