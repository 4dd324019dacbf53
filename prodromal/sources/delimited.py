"""CSV and Parquet files as DuckDB relations, with the lines that cannot be split into columns kept apart."""

from __future__ import annotations

import csv
import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.engine import identifier, literal
from prodromal.sources.lines import open_plain
from prodromal.sources.pages import verify_pages

if TYPE_CHECKING:
    from pathlib import Path

    from prodromal.sources.spec import Source

__all__ = ["Layout", "layout", "relation", "structural_rejects"]

_HEADER_BYTES = 1 << 20
_MOST_COLUMNS = 2_000
# How a zip begins, which .xlsx and .ods are, and an .xls.
_ZIPS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_PYTHON_ENCODING = {"utf-8": "utf-8-sig", "latin-1": "latin-1", "utf-16": "utf-16"}
# DuckDB's word for what is wrong with a line, and ours.
_STRUCTURAL = {
    "MISSING COLUMNS": "missing_columns",
    "TOO MANY COLUMNS": "extra_columns",
    "INVALID ENCODING": "wrong_encoding",
    "UNQUOTED VALUE": "unclosed_quote",
    "LINE SIZE OVER MAXIMUM": "line_too_long",
    "INVALID STATE": "broken_quoting",
    "SNIFFING": "unreadable",
}


@dataclass(frozen=True)
class Layout:
    """Column names and DuckDB types of a file; `delimiter` is None for Parquet."""

    file: Path
    types: dict[str, str]
    delimiter: str | None


def layout(file: Path, source: Source) -> Layout:
    """Read a file's columns.

    Raises
    ------
    DataError
        If the file is missing, empty, a zip, not in the stated encoding, or names a column twice.
    """
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    if file.stat().st_size == 0:
        raise DataError(f"{file} is empty")
    _refuse_zip(file)
    return _parquet_layout(file) if file.suffix == ".parquet" else _csv_layout(file, source)


def _refuse_zip(file: Path) -> None:
    with file.open("rb") as stream:
        start = stream.read(8)
    if start.startswith(_ZIPS):
        raise DataError(f"{file} is an Excel file or another zip; save its table as CSV or Parquet")


def _parquet_layout(file: Path) -> Layout:
    import duckdb

    verify_pages(file)
    try:
        rows = duckdb.execute(
            "DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning = false)", [str(file)]
        ).fetchall()
    except duckdb.Error as error:
        raise DataError(f"{file} is no readable Parquet file") from error
    _refuse_too_many(file, len(rows))
    return Layout(file, {name: kind for name, kind, *_ in rows}, None)


def _refuse_too_many(file: Path, columns: int) -> None:
    if columns > _MOST_COLUMNS:
        raise DataError(
            f"{file} has {columns} columns, more than {_MOST_COLUMNS}; it is no table of the kind read here"
        )


def _first_line(file: Path, encoding: str) -> str:
    with open_plain(file) as stream:
        head = stream.read(_HEADER_BYTES)
    if encoding != "utf-16":
        head = head.split(b"\n", 1)[0]
    return head.decode(_PYTHON_ENCODING[encoding]).splitlines()[0] if head else ""


def _csv_layout(file: Path, source: Source) -> Layout:
    try:
        line = _first_line(file, source.encoding)
    except (gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise DataError(f"{file} is a damaged or truncated gzip file; fetch it again") from error
    except (UnicodeError, OSError) as error:
        raise DataError(f"{file}: the header is not {source.encoding}; state the encoding with --encoding") from error
    if "\0" in line or not line.strip():
        raise DataError(f"{file}: the first line is no header of a {source.encoding} file")
    delimiter = source.delimiter or max(",;\t|", key=line.count)
    try:
        names = [name.strip() for name in next(csv.reader([line], delimiter=delimiter))]
    except csv.Error as error:
        raise DataError(f"{file}: the first line is no header: {error}") from error
    _refuse_too_many(file, len(names))
    if any(name and not any(map(str.isalpha, name)) for name in names):
        raise DataError(f"{file}: the first line holds values, not names of columns; give the file a header")
    repeated = {name for name in names if names.count(name) > 1}
    if repeated or "" in names:
        raise DataError(f"{file}: the header has {len(repeated)} repeated and {names.count('')} empty column names")
    return Layout(file, dict.fromkeys(names, "VARCHAR"), delimiter)


def relation(shape: Layout, source: Source, rejects: str) -> str:
    """SQL that reads all columns in the order of the rows; lines that cannot be split go to `rejects`.

    Raises
    ------
    DataError
        If the database would take the path for a pattern.
    """
    if set("*?[") & set(str(shape.file)):
        raise DataError(f"{shape.file}: a path with *, ? or [ may stand for other files; rename it")
    file = literal(str(shape.file))
    if shape.delimiter is None:
        return f"SELECT * FROM read_parquet({file}, hive_partitioning = false)"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in shape.types)
    return f"""SELECT * FROM read_csv({file}, auto_detect = false,
        columns = {{{columns}}}, header = true, delim = {literal(shape.delimiter)}, quote = '"', escape = '"',
        encoding = {literal(source.encoding)}, strict_mode = true, null_padding = false, parallel = true,
        hive_partitioning = false, store_rejects = true, rejects_limit = 0,
        rejects_table = '{rejects}_errors', rejects_scan = '{rejects}_scans')"""


def structural_rejects(rejects: str, file_number: int) -> str:
    """SQL that lists each rejected line once: file, line, rule, raw text."""
    cases = " ".join(f"WHEN {literal(theirs)} THEN {literal(ours)}" for theirs, ours in _STRUCTURAL.items())
    first_error = "upper(CAST(any_value(error_type ORDER BY column_idx) AS VARCHAR))"
    return f"""SELECT {file_number} AS file, line, CASE {first_error} {cases} ELSE 'unreadable' END AS rule,
        any_value(csv_line) AS raw FROM {identifier(rejects + "_errors")} GROUP BY line"""
