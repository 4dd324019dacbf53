"""The statement that reads one file into one staged table: parse, then judge by the table's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.sources.engine import identifier, literal
from prodromal.tables import RULES, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from prodromal.sources.columns import Parsed

__all__ = ["create", "insert"]


def create(table: Table) -> str:
    """SQL that makes the staged table."""
    columns = ", ".join(f"{column.name} {column.kind.sql_type}" for column in table.columns)
    return (
        f"CREATE TABLE {table.name} (file INTEGER, row BIGINT, line BIGINT, {columns}, fingerprint UBIGINT, "
        "rule VARCHAR, repairs INTEGER, raw VARCHAR)"
    )


def insert(
    table: Table,
    parsed: Mapping[str, Parsed],
    *,
    file: int,
    origin: str,
    all_columns: Iterable[str],
    used_columns: Iterable[str],
    latest: str,
) -> str:
    """SQL that reads `origin` (a relation with a ``_row_``) into the staged table.

    Parameters
    ----------
    table : Table
        Canonical table.
    parsed : mapping of str to Parsed
        Expressions for each canonical column.
    file : int
        Number of the file in its table's source.
    origin : str
        Relation to read from.
    all_columns, used_columns : iterable of str
        Source columns: those that make two rows identical, and those kept as raw text of a rejected row.
    latest : str
        SQL date: the last day that the extract can contain.
    """
    used = list(dict.fromkeys(used_columns))
    flags = [condition for p in parsed.values() for _, condition in p.repaired]
    typed = ", ".join(
        f"{p.value} AS {name}, {p.given} AS {name}_given, "
        f"{p.malformed} AS {name}_malformed, {p.partial} AS {name}_partial"
        for name, p in parsed.items()
    )
    fingerprint = f"hash({', '.join(identifier(name) for name in sorted(all_columns))}) AS fingerprint"
    repairs = " + ".join(f"CASE WHEN {flag} THEN {1 << bit} ELSE 0 END" for bit, flag in enumerate(flags)) or "0"
    raw = ", ".join(f'{identifier(name)} AS "raw {position}"' for position, name in enumerate(used))
    text = ", ".join(f'{literal(name)}: p."raw {position}"' for position, name in enumerate(used))
    rules = " ".join(f"WHEN {rule.condition} THEN {literal(rule.name)}" for rule in RULES[table.name])
    names = ", ".join(f"p.{name}" for name in table.names)
    return f"""
        INSERT INTO {table.name}
        SELECT {file}, _row_, NULL, {", ".join(table.names)}, fingerprint, rule, repairs,
               CASE WHEN rule IS NOT NULL THEN CAST(raw AS VARCHAR) END
        FROM (SELECT p._row_, {names}, p.fingerprint, p.repairs, CASE {rules} END AS rule, {{{text}}} AS raw
              FROM (SELECT _row_, {typed}, {fingerprint}, {repairs} AS repairs, {latest} AS latest, {raw}
                    FROM {origin}) p
              {_joins(table)})"""


def _joins(table: Table) -> str:
    joins = "" if table.name == "persons" else "LEFT JOIN person ON person.person_id = p.person_id"
    if table.name == "relatives":
        joins += " LEFT JOIN person AS relative ON relative.person_id = p.relative_id"
    return joins
