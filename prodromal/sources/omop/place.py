"""Where a common data model lies: a folder of files, a DuckDB file, or a PostgreSQL schema."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from prodromal.errors import DataError, DefinitionError
from prodromal.sources.engine import identifier

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from contextlib import AbstractContextManager

    import duckdb

    from prodromal.sources.omop.tables import CdmTable

__all__ = ["Place", "Tables", "Wanted", "place_of", "require"]

_DATABASE_ENDINGS = (".duckdb", ".db", ".ddb")


@dataclass(frozen=True)
class Wanted:
    """Which rows of a table are read: those with one of some ids in one of some columns."""

    columns: tuple[str, ...]
    ids: Collection[int]

    def condition(self, names: Mapping[str, str] | None = None) -> str:
        """SQL over the columns of the model, or over those of them that are in `names`, as it calls them."""
        listed = ", ".join(str(int(i)) for i in sorted(self.ids))
        called = {column: column for column in self.columns} if names is None else names
        columns = [identifier(called[column]) for column in self.columns if column in called]
        return " OR ".join(f"{column} IN ({listed})" for column in columns) if listed else "FALSE"


class Tables(Protocol):
    """The tables of an open place."""

    @property
    def names(self) -> tuple[str, ...]:
        """What is there, in lower case."""

    def load(self, table: CdmTable, wanted: Wanted | None = None) -> None:
        """Make ``cdm_<table>`` with ``_row_`` (1-based), ``_file_`` and the columns of the model, NULL where absent.

        Raises
        ------
        DataError
            If a required column is missing, naming what is there.
        """


class Place(Protocol):
    """A place that tables of the model can be loaded from."""

    @property
    def name(self) -> str:
        """How messages call it; holds no password."""

    @property
    def kind(self) -> str:
        """How the manifest calls it: as `name`, without folders."""

    @property
    def readable(self) -> tuple[Path, ...]:
        """Files that the staging connection must be able to read."""

    def files(self, table: str) -> tuple[Path, ...]:
        """The files that a table comes from; none from a server."""

    def open(self, connection: duckdb.DuckDBPyConnection) -> AbstractContextManager[Tables]:
        """Make the place known to the staging connection; tables are loaded until the block ends."""


def place_of(where: str, *, schema: str | None = None) -> Place:
    """The place that a path or a ``postgresql://`` URI names.

    Parameters
    ----------
    where : str
        Folder, DuckDB file or URI.
    schema : str, optional
        Schema of a database; by default the one that holds the tables.

    Raises
    ------
    DataError
        If the path is neither a folder nor a DuckDB file.
    DefinitionError
        If a folder is given with a schema.
    """
    if where.lower().startswith(("postgresql://", "postgres://")):
        from prodromal.sources.omop.server import Server

        return Server(where, schema)
    path = Path(where)
    if path.is_dir():
        from prodromal.sources.omop.folder import Folder

        if schema is not None:
            raise DefinitionError("a folder of files has no schema; leave --schema away")
        return Folder(path)
    if path.is_file() and path.suffix.lower() in _DATABASE_ENDINGS:
        from prodromal.sources.omop.database import Database

        return Database(path, schema)
    raise DataError(
        f"{path} is neither a folder, nor a DuckDB file ({', '.join(_DATABASE_ENDINGS)}), nor a postgresql:// URI"
    )


def require(place: Place, tables: Tables, name: str, why: str) -> None:
    """Raise DataError if a table is not there, naming those that are.

    Raises
    ------
    DataError
        Names the place, the table, and the tables that are there.
    """
    if name not in tables.names:
        listed = ", ".join(sorted(tables.names)[:40]) or "no table at all"
        raise DataError(f"{place.name} has no table {name}, {why}; it has {listed}")
