"""Small tables and parts of views in the staging connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prodromal.sources.omop.tables import unsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    import duckdb

__all__ = ["fill", "has", "lines_of", "make_lines", "types_of"]

_ARROW = {"BIGINT": "int64", "INTEGER": "int32", "VARCHAR": "string", "BOOLEAN": "bool_", "DOUBLE": "float64"}


def fill(
    connection: duckdb.DuckDBPyConnection, name: str, types: Mapping[str, str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Make a table of `rows`."""
    import pyarrow as pa

    schema = pa.schema([(column, getattr(pa, _ARROW[kind])()) for column, kind in types.items()])
    columns = list(zip(*rows, strict=True)) or [()] * len(types)
    connection.register(
        "arriving", pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
    )
    try:
        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM arriving")
    finally:
        connection.unregister("arriving")


def has(connection: duckdb.DuckDBPyConnection, table: str) -> bool:
    """Whether the connection holds a table."""
    found = connection.execute("SELECT 1 FROM duckdb_tables() WHERE table_name = ? LIMIT 1", [table]).fetchall()
    return bool(found)


def make_lines(connection: duckdb.DuckDBPyConnection, view: str, tables: Sequence[tuple[str, int]]) -> None:
    """Make the table that ``lines_of`` reads.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Staging.
    view : str
        View of a canonical table.
    tables : sequence of (str, int)
        Tables of the model that the view reads, each with the place of its first file.
    """
    selects = ["SELECT CAST(0 AS INTEGER) AS file, CAST(0 AS BIGINT) AS line, '' AS rule, '' AS raw WHERE FALSE"]
    selects += [
        f"SELECT CAST(file + {first} AS INTEGER), CAST(line AS BIGINT), rule, raw FROM {unsplit(table)}"
        for table, first in tables
        if has(connection, unsplit(table))
    ]
    connection.execute(f"CREATE TABLE {view}_lines AS {' UNION ALL '.join(selects)}")


def lines_of(view: str) -> str:
    """SQL for the CSV lines of a view that could not be split into columns."""
    return f"SELECT file, line, rule, raw FROM {view}_lines"


def types_of(connection: duckdb.DuckDBPyConnection, view: str) -> dict[str, str]:
    """Columns of a view and their DuckDB types."""
    rows = connection.execute(f"SELECT column_name, column_type FROM (DESCRIBE {view})").fetchall()
    return dict(rows)
