"""A DuckDB file, attached for reading only."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.engine import identifier, literal
from prodromal.sources.omop.schema import TableThere, schema_with_people, tables_of
from prodromal.sources.omop.tables import CdmTable, check_columns, staged
from prodromal.sources.omop.values import columns_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import duckdb

    from prodromal.sources.omop.place import Tables, Wanted

__all__ = ["Database"]

_COLUMNS = """
    SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns
    WHERE table_catalog = ? ORDER BY table_schema, table_name, ordinal_position
"""


@dataclass(frozen=True)
class Database:
    """Tables in one schema of a DuckDB file.

    Parameters
    ----------
    path : Path
        The file.
    schema : str, optional
        By default the only one that holds the table that is asked for.
    """

    path: Path
    schema: str | None

    @property
    def name(self) -> str:
        """The file, with its schema if one was named."""
        return str(self.path) + (f", schema {self.schema}" if self.schema else "")

    @property
    def kind(self) -> str:
        """A DuckDB file, with its schema if one was named."""
        return "DuckDB file" + (f", schema {self.schema}" if self.schema else "")

    @property
    def readable(self) -> tuple[Path, ...]:
        """The file."""
        return (self.path,)

    def files(self, table: str) -> tuple[Path, ...]:
        """The file, whatever the table."""
        del table
        return (self.path,)

    @contextmanager
    def open(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Tables]:
        """Attach the file and list its tables; it stays attached until the connection closes."""
        import duckdb

        place = str(self.path.resolve())
        alias = f"at {place}"
        try:
            connection.execute(f"ATTACH IF NOT EXISTS {literal(place)} AS {identifier(alias)} (READ_ONLY, TYPE duckdb)")
            listed = connection.execute(_COLUMNS, [alias]).fetchall()
        except duckdb.Error as error:
            raise DataError(f"{self.path} is no readable DuckDB file, or another process writes to it") from error
        schema = self.schema or schema_with_people(listed, str(self.path))
        yield _Attached(connection, alias, self.name, tables_of(listed, schema, str(self.path)))


@dataclass(frozen=True)
class _Attached:
    connection: duckdb.DuckDBPyConnection
    alias: str
    place: str
    there: Mapping[str, TableThere]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.there)

    def load(self, table: CdmTable, wanted: Wanted | None = None) -> None:
        own = self.there[table.name]
        check_columns(table, own.types, f"{self.place}, table {table.name},")
        columns = columns_of(table, own.names, own.types)
        origin = f"{identifier(self.alias)}.{identifier(own.schema)}.{identifier(own.name)}"
        kept = f" WHERE {wanted.condition()}" if wanted else ""
        kind = "TABLE" if wanted else "VIEW"
        self.connection.execute(
            f"CREATE {kind} {staged(table.name)} AS SELECT * FROM "
            f"(SELECT row_number() OVER () AS _row_, 0 AS _file_, {columns} FROM {origin}){kept}"
        )
