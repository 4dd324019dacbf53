"""What a database says that it holds: tables and columns of one schema, whatever their case."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from prodromal.errors import DataError, DefinitionError

__all__ = ["Listed", "TableThere", "schema_with_people", "tables_of"]

Listed = Iterable[tuple[str, str, str, str]]


@dataclass(frozen=True)
class TableThere:
    """A table as the database has it: names as they are written, by their lower case."""

    schema: str
    name: str
    names: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)


def schema_with_people(listed: Listed, place: str) -> str:
    """The only schema with a table person or concept.

    Raises
    ------
    DefinitionError
        If there is none, or several.
    """
    rows = list(listed)
    for wanted in ("person", "concept"):
        found = sorted({schema for schema, table, *_ in rows if table.lower() == wanted})
        if len(found) == 1:
            return found[0]
        if found:
            raise DefinitionError(
                f"{place}: schemas {', '.join(found)} have a table {wanted}; choose one with --schema"
            )
    schemas = ", ".join(sorted({schema for schema, *_ in rows})) or "none"
    raise DefinitionError(f"{place}: no schema has a table person; the schemas with tables are: {schemas}")


def tables_of(listed: Listed, schema: str, place: str) -> dict[str, TableThere]:
    """Tables of a schema from rows of schema, table, column and type.

    Raises
    ------
    DataError
        If the schema has no table, or two names differ by their case only.
    """
    rows = list(listed)
    found: dict[str, TableThere] = {}
    for own, table, column, kind in rows:
        if own != schema:
            continue
        there = found.setdefault(table.lower(), TableThere(own, table))
        if there.name != table or column.lower() in there.names:
            raise DataError(f"{place}: two names in schema {schema} differ by their case only")
        there.names[column.lower()] = column
        there.types[column.lower()] = kind
    if not found:
        schemas = ", ".join(sorted({own for own, *_ in rows})) or "none"
        raise DataError(f"{place} has no table in schema {schema}; the schemas with tables are: {schemas}")
    return found
