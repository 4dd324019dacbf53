"""A PostgreSQL schema, read over ADBC: one read-only snapshot, Arrow streamed to scratch tables."""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError, DefinitionError
from prodromal.sources.engine import identifier
from prodromal.sources.omop.schema import TableThere, schema_with_people, tables_of
from prodromal.sources.omop.tables import CdmTable, Content, check_columns, staged

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    import duckdb

    from prodromal.sources.omop.place import Tables, Wanted

__all__ = ["Server"]

_SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY"
_COLUMNS = """
    SELECT table_schema::text, table_name::text, column_name::text, data_type::text FROM information_schema.columns
    WHERE table_schema NOT IN ('pg_catalog', 'information_schema')
    ORDER BY table_schema, table_name, ordinal_position
"""
# Strict about the signs that separate its parts: else a piece of a password would be taken for a host or a port, and
# the client library would repeat it in its message.
_URI = re.compile(
    r"postgres(?:ql)?://(?:[^:@/?#\s]*(?::(?P<password>[^:@/?#\s]*))?@)?(?:\[[0-9a-fA-F:.]*\]|[A-Za-z0-9_.,%-]|:\d)*"
    r"(?:/(?P<database>[^/?#\s]*))?(?:\?(?P<options>[^#\s]*))?",
    re.IGNORECASE,
)
_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")


@dataclass(frozen=True, repr=False)
class Server:
    """Tables in one schema of a PostgreSQL database.

    Parameters
    ----------
    uri : str
        ``postgresql://``; a password may be left to the environment or the password file of the client library.
    schema : str, optional
        By default the only one that holds a table person.
    """

    uri: str
    schema: str | None

    def __post_init__(self) -> None:
        if _URI.fullmatch(self.uri) is None:
            raise DefinitionError(
                "the postgresql:// URI cannot be understood; write / : @ ? # and blanks in a user or password as %2F "
                "%3A %40 %3F %23 %20, or leave the password to PGPASSWORD or the password file"
            )

    @property
    def name(self) -> str:
        """The database without user, host and password."""
        base = f"PostgreSQL database {self._part('database')}".rstrip()
        return base + (f", schema {self.schema}" if self.schema else "")

    @property
    def kind(self) -> str:
        """As `name`."""
        return self.name

    @property
    def readable(self) -> tuple[Path, ...]:
        """No file."""
        return ()

    def files(self, table: str) -> tuple[Path, ...]:
        """No file."""
        del table
        return ()

    @contextmanager
    def open(self, connection: duckdb.DuckDBPyConnection) -> Iterator[Tables]:
        """Connect, begin a snapshot and list the tables."""
        dbapi = _driver()
        try:
            server = dbapi.connect(self.uri)
        except dbapi.Error as error:
            raise DataError(f"{self.name}: no connection ({self.without_secrets(error)})") from None
        with server:
            stream = _Snapshot(connection, server, self)
            stream.run(_SNAPSHOT)
            listed = [tuple(row) for row in stream.fetch(_COLUMNS)]
            stream.there = tables_of(listed, self.schema or schema_with_people(listed, self.name), self.name)
            yield stream

    def without_secrets(self, error: Exception) -> str:
        """The first line of what the driver says, unless a password is in it."""
        message = str(error).strip().partition("\n")[0]
        secrets = [self._part("password"), *re.findall("password=([^&]*)", self._part("options"), re.IGNORECASE)]
        given = {form for secret in secrets if secret for form in (secret, _decoded(secret))}
        return "the driver's message holds a password and is withheld" if any(s in message for s in given) else message

    def _part(self, name: str) -> str:
        found = _URI.fullmatch(self.uri)
        return (found.group(name) if found else None) or ""


class _Snapshot:
    def __init__(self, connection: duckdb.DuckDBPyConnection, server: Any, place: Server) -> None:
        self._connection = connection
        self._server = server
        self._place = place
        self.there: Mapping[str, TableThere] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.there)

    def load(self, table: CdmTable, wanted: Wanted | None = None) -> None:
        own = self.there[table.name]
        where = f"{self._place.name}, table {own.schema}.{table.name},"
        check_columns(table, own.types, where)
        columns = ", ".join(_column(own, name, content, where) for name, content in table.columns.items())
        origin = f"{identifier(own.schema)}.{identifier(own.name)}"
        kept = f" WHERE {wanted.condition(own.names)}" if wanted else ""
        self._stream(f"SELECT {columns} FROM {origin}{kept}", staged(table.name))

    def run(self, sql: str) -> None:
        with self._told(), self._server.cursor() as cursor:
            cursor.execute(sql)

    def fetch(self, sql: str) -> list[Any]:
        with self._told(), self._server.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def _stream(self, sql: str, target: str) -> None:
        with self._told(), self._server.cursor() as cursor:
            cursor.execute(sql)
            self._connection.register("arriving", cursor.fetch_record_batch())
            try:
                self._connection.execute(
                    f"CREATE TABLE {target} AS SELECT row_number() OVER () AS _row_, 0 AS _file_, * FROM arriving"
                )
            finally:
                self._connection.unregister("arriving")

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except _driver().Error as error:
            raise DataError(f"{self._place.name} cannot be read: {self._place.without_secrets(error)}") from None


def _decoded(text: str) -> str:
    return re.sub("(?:%[0-9a-fA-F]{2})+", lambda c: bytes.fromhex(c[0].replace("%", "")).decode(errors="replace"), text)


def _driver() -> Any:
    try:
        return import_module("adbc_driver_postgresql.dbapi")
    except ImportError as error:
        raise DefinitionError("reading from PostgreSQL needs the extra: pip install 'prodromal[postgres]'") from error


def _column(own: TableThere, name: str, content: Content, where: str) -> str:
    """SQL of the server for one column; a number that is not whole, or text in a column of ids, is refused."""
    blank = {Content.ID: "bigint", Content.NUMBER: "float8", Content.DATE: "date", Content.TEXT: "text"}[content]
    if name not in own.names:
        return f"CAST(NULL AS {blank}) AS {name}"
    value, kind = identifier(own.names[name]), own.types[name]
    if content is Content.ID:
        if kind not in _NUMBERS:
            raise DataError(f"{where} column {name} is {kind}; ids in the OMOP common data model are whole numbers")
        if "int" in kind:
            return f"{value}::bigint AS {name}"
        return f"CASE WHEN {value} = trunc({value}) AND abs({value}) < 9e18 THEN {value}::bigint END AS {name}"
    if content is Content.DATE and kind.startswith(("date", "timestamp")):
        return (
            f"CASE WHEN {value} = 'infinity' THEN '9999-12-31' WHEN isfinite({value}) THEN {value}::date END AS {name}"
        )
    if content is Content.NUMBER and kind in _NUMBERS:
        return f"{value}::float8 AS {name}"
    return f"{value}::text AS {name}"
