"""What is to be ingested: which files hold which table, and how their columns and values are written."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import date
from typing import TYPE_CHECKING, Any

from prodromal.errors import DefinitionError
from prodromal.sources.doses import AUXILIARY
from prodromal.tables import TABLES, Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import duckdb

    from prodromal.sources.relation import Relation

__all__ = ["Source", "TableSource"]

_DATE_MARKS = (("%Y",), ("%m", "%b", "%B"), ("%d",))
_DELIMITERS = (None, ",", ";", "\t", "|")


@dataclass(frozen=True)
class TableSource:
    """Where the rows of one table are and how its columns are named there.

    Parameters
    ----------
    table : str
        Canonical table.
    files : tuple of Path
        CSV (also ``.gz``) or Parquet files; all hold the same columns. Empty if there is a `relation`.
    columns : mapping of str to str
        Canonical column to source column; of dispensings also ``strength, strength_unit, pack_size, route``, from
        which missing DDDs are computed. Columns left out are looked for under their canonical name and under the
        names that the preset knows, whatever their case.
    constants : mapping of str to str
        Canonical column to one value for every row, dates as YYYY-MM-DD.
    relation : Relation, optional
        Rows that the source prepares itself, instead of `files`.
    """

    table: str
    files: tuple[Path, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)
    constants: Mapping[str, str] = field(default_factory=dict)
    relation: Relation | None = None

    def __post_init__(self) -> None:
        if self.files and self.relation is not None:
            raise DefinitionError(f"table {self.table} comes from files or from a relation, not from both")
        if self.table not in TABLES:
            raise DefinitionError(f"there is no table '{self.table}'; the tables are {', '.join(TABLES)}")
        known = (*TABLES[self.table].names, *AUXILIARY.get(self.table, ()))
        for name in (*self.columns, *self.constants):
            if name not in known:
                raise DefinitionError(f"table {self.table} has no column '{name}'; it has {', '.join(known)}")
        for name, value in self.constants.items():
            if name in TABLES[self.table].names and TABLES[self.table][name].kind is Kind.DATE:
                _refuse_no_date(f"{self.table}.{name}", value)

    @property
    def origins(self) -> tuple[Path, ...]:
        """The files that the rows come from; they are hashed into the manifest."""
        return self.files if self.relation is None else self.relation.files


@dataclass(frozen=True)
class Source:
    """A delivery: its tables and how their values are written.

    Parameters
    ----------
    tables : tuple of TableSource
        ``persons`` and ``dispensings`` at least, unless `derive_persons`.
    date_format : str
        strptime form of every date in text columns; dates are read by it strictly.
    decimal : {".", ","}
        Decimal mark.
    delimiter : {None, ",", ";", "|"} or a tab
        Between fields; None takes the commonest of them in the header.
    encoding : {"utf-8", "latin-1", "utf-16"}
        Of text files.
    preset : str, optional
        Name of a layout in ``PRESETS``.
    derive_persons : bool
        Make the persons table from the ids in the dispensings: sex unknown, no birth date.
    extracted_on : date
        The last day that the delivery can contain; rows dated later are rejected.
    max_rejected : float
        Largest share of rejected rows (0-1) in any table; above it nothing is published.
    atc_ddd : Path, optional
        ATC/DDD index, CSV with columns ``atc_code, ddd, uom, adm_r``: missing DDDs are computed from strength, pack
        size and packs (``quantity``), where they name one.
    name : str
        Of the source: csv, omop, meds or fhir.
    prepare : callable, optional
        Called once with the staging connection before the first table is read; makes what relations need, and may
        return what the manifest is to say besides `settings`.
    settings : mapping
        What else the manifest is to say, under `name`.
    readable : tuple of Path
        Further files that the staging connection may read: a database, prepared files. Folders are read whole; files
        are hashed into the manifest.
    """

    tables: tuple[TableSource, ...]
    extracted_on: date
    date_format: str = "%Y-%m-%d"
    decimal: str = "."
    delimiter: str | None = None
    encoding: str = "utf-8"
    preset: str | None = None
    derive_persons: bool = False
    max_rejected: float = 0.001
    atc_ddd: Path | None = None
    name: str = "csv"
    prepare: Callable[[duckdb.DuckDBPyConnection], Mapping[str, Any] | None] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)
    readable: tuple[Path, ...] = ()

    def __post_init__(self) -> None:
        if self.decimal not in {".", ","}:
            raise DefinitionError(f"decimal mark '{self.decimal}': it is '.' or ','")
        if self.delimiter not in _DELIMITERS:
            raise DefinitionError("the delimiter is one of , ; | and tab")
        if self.encoding not in {"utf-8", "latin-1", "utf-16"}:
            raise DefinitionError(f"encoding '{self.encoding}': it is utf-8, latin-1 or utf-16")
        if not all(any(mark in self.date_format for mark in marks) for marks in _DATE_MARKS):
            raise DefinitionError(
                f"date format '{self.date_format}': it must hold %Y, %m (or %b) and %d, as %d/%m/%Y does"
            )
        if not 0 <= self.max_rejected <= 1:
            raise DefinitionError("the largest rejected share lies between 0 and 1 (100%)")
        given = {table.table for table in self.tables}
        needed = {"dispensings"} if self.derive_persons else {"dispensings", "persons"}
        if missing := needed - given:
            options = " and ".join(f"--{table}" for table in sorted(missing))
            raise DefinitionError(f"no file given for table {', '.join(sorted(missing))}; give it with {options}")

    def table(self, name: str) -> TableSource | None:
        """The source of a table, None if the delivery has none."""
        return next((table for table in self.tables if table.table == name), None)


def _refuse_no_date(column: str, value: str) -> None:
    """A date for every row is written YYYY-MM-DD, whatever the form of dates in the files."""
    try:
        is_date = re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", value) and date.fromisoformat(value)
    except ValueError:
        is_date = None
    if not is_date:
        raise DefinitionError(f"--set {column}={value}: it is no date; write it as YYYY-MM-DD")
