"""A folder of CSV or Parquet files, one or several a table, whatever the case of their names."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.delimited import Layout, layout, structural_rejects
from prodromal.sources.engine import literal
from prodromal.sources.lines import refuse_lost_lines
from prodromal.sources.omop.tables import CdmTable, check_columns, staged, unsplit
from prodromal.sources.omop.values import columns_of
from prodromal.sources.spec import Source, TableSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import duckdb

    from prodromal.sources.omop.place import Tables, Wanted

__all__ = ["Folder"]

_ENDINGS = (".csv", ".csv.gz", ".parquet")
_AS_WRITTEN = Source((TableSource("persons"), TableSource("dispensings")), extracted_on=date.max)


@dataclass(frozen=True)
class Folder:
    """Tables as ``person.csv``, ``PERSON.csv.gz``, ``person.parquet``, or a folder ``person`` with such files in it.

    Tab-separated files are read as the vocabulary service writes them: without quoting.
    """

    path: Path

    @property
    def name(self) -> str:
        """The folder."""
        return str(self.path)

    @property
    def kind(self) -> str:
        """A folder."""
        return "folder of files"

    @property
    def readable(self) -> tuple[Path, ...]:
        """The files of all tables."""
        return tuple(file for files in self._found.values() for file in files)

    def files(self, table: str) -> tuple[Path, ...]:
        """The files of a table."""
        return self._found.get(table, ())

    @contextmanager
    def open(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Tables]:
        """There is nothing to open."""
        yield _Files(connection, self._found)

    @cached_property
    def _found(self) -> dict[str, tuple[Path, ...]]:
        found: dict[str, list[tuple[Path, ...]]] = {}
        for item in sorted(self.path.iterdir()):
            files = tuple(p for p in sorted(item.iterdir()) if _ending(p)) if item.is_dir() else (item,)
            ending = "" if item.is_dir() else _ending(item)
            if files and ending is not None and not item.name.startswith("."):
                found.setdefault(item.name[: len(item.name) - len(ending)].lower(), []).append(files)
        if several := [name for name, places in found.items() if len(places) > 1]:
            raise DataError(f"{self.path} holds table {', '.join(several)} more than once; leave one form of it there")
        return {name: places[0] for name, places in found.items()}


@dataclass(frozen=True)
class _Files:
    """CSV files become tables, for they are read once; Parquet files become views."""

    connection: duckdb.DuckDBPyConnection
    found: Mapping[str, tuple[Path, ...]]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.found)

    def load(self, table: CdmTable, wanted: Wanted | None = None) -> None:
        shapes = [layout(file, _AS_WRITTEN) for file in self.found[table.name]]
        text = [number for number, shape in enumerate(shapes) if shape.delimiter is not None]
        rows: list[int] | None = None
        if wanted is None and len(text) == len(shapes):
            rows = self._store(table, shapes)
        else:
            selects = " UNION ALL ".join(_numbered(shape, number, table) for number, shape in enumerate(shapes))
            kind = "TABLE" if text or wanted else "VIEW"
            kept = f" WHERE {wanted.condition()}" if wanted else ""
            self.connection.execute(f"CREATE {kind} {staged(table.name)} AS SELECT * FROM ({selects}){kept}")
        for number in text:
            refuse_lost_lines(
                self.connection,
                shapes[number],
                "utf-8",
                rows=None if rows is None else rows[number],
                rejects=structural_rejects(_rejects(table, number), number),
            )
        self._gather_lines(table, text)

    def _store(self, table: CdmTable, shapes: list[Layout]) -> list[int]:
        """Keep all rows in a table whose ``rowid`` numbers them: counting while reading would take one thread only."""
        rows, starts = f"{staged(table.name)}_rows", [0]
        for number, shape in enumerate(shapes):
            columns = f"CAST({number} AS INTEGER) AS _file_, {_columns(shape, table)}"
            into = f"INSERT INTO {rows}" if number else f"CREATE TABLE {rows} AS"
            self.connection.execute(f"{into} SELECT {columns} FROM ({_read(shape, table, number)})")
            ((count,),) = self.connection.execute(f"SELECT count(*) FROM {rows}").fetchall()
            starts.append(count)
        self.connection.execute(
            f"CREATE VIEW {staged(table.name)} AS SELECT rowid + 1 - {starts}[_file_ + 1] AS _row_, * FROM {rows}"
        )
        return [end - start for start, end in pairwise(starts)]

    def _gather_lines(self, table: CdmTable, numbers: list[int]) -> None:
        """One table of the lines that could not be split, instead of one or two a file."""
        if numbers:
            selects = " UNION ALL ".join(structural_rejects(_rejects(table, number), number) for number in numbers)
            self.connection.execute(f"CREATE OR REPLACE TABLE {unsplit(table.name)} AS {selects}")
        for number in numbers:
            for part in ("errors", "scans"):
                self.connection.execute(f"DROP TABLE {_rejects(table, number)}_{part}")


def _ending(file: Path) -> str | None:
    if not file.is_file() or file.name.startswith("."):
        return None
    return next((ending for ending in _ENDINGS if file.name.lower().endswith(ending)), None)


def _columns(shape: Layout, table: CdmTable) -> str:
    there = {name.lower(): name for name in shape.types}
    if len(there) < len(shape.types):
        raise DataError(f"{shape.file}: two columns differ by the case of their names only")
    check_columns(table, there, str(shape.file))
    return columns_of(table, there, {name.lower(): kind for name, kind in shape.types.items()})


def _numbered(shape: Layout, number: int, table: CdmTable) -> str:
    row = "row_number() OVER ()" if shape.delimiter is not None else "file_row_number + 1"
    columns = _columns(shape, table)
    return f"SELECT {row} AS _row_, {number} AS _file_, {columns} FROM ({_read(shape, table, number)})"


def _rejects(table: CdmTable, number: int) -> str:
    return f"rejects_{table.name}_{number}"


def _read(shape: Layout, table: CdmTable, number: int) -> str:
    file, rejects = literal(str(shape.file)), _rejects(table, number)
    if shape.delimiter is None:
        return f"SELECT * FROM read_parquet({file}, file_row_number = true)"
    columns = ", ".join(f"{literal(name)}: 'VARCHAR'" for name in shape.types)
    mark = "" if shape.delimiter == "\t" else '"'
    return f"""SELECT * FROM read_csv({file}, auto_detect = false,
        columns = {{{columns}}}, header = true, delim = {literal(shape.delimiter)}, quote = '{mark}', escape = '{mark}',
        strict_mode = true, null_padding = false, parallel = true, store_rejects = true, rejects_limit = 0,
        rejects_table = '{rejects}_errors', rejects_scan = '{rejects}_scans')"""
