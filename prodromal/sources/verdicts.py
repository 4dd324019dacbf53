"""What became of the rows of a staged table: counts by rule, and the rejected rows with their file and row."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prodromal.sources.engine import as_text, literal
from prodromal.sources.statement import COPIED, LEFT_OUT_MARK
from prodromal.tables import TABLES, Account

if TYPE_CHECKING:
    from collections.abc import Sequence

    import duckdb

__all__ = ["DUPLICATE", "count", "create_rejected", "file_name", "kept", "note_rejected", "note_split"]

DUPLICATE = "duplicate"


def create_rejected(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the table ``rejected``; rows that could be split have a row number, others a line."""
    connection.execute(
        'CREATE TABLE rejected ("table" VARCHAR, file VARCHAR, row BIGINT, line BIGINT, rule VARCHAR, raw VARCHAR)'
    )


def kept(connection: duckdb.DuckDBPyConnection, name: str) -> str:
    """SQL after FROM: the rows that no rule rejects."""
    out = f"out_of_{name}"
    anti = f" ANTI JOIN {out} ON {name}.rowid = {out}.row" if _number(connection, f"SELECT count(*) FROM {out}") else ""
    return f"{name}{anti} WHERE {name}.rule IS NULL"


def count(connection: duckdb.DuckDBPyConnection, name: str) -> Account:
    """The account of a table before it is written: rows that repeat another are still among the kept."""
    staged = _counted(connection, f"SELECT coalesce(rule, ''), count(*) FROM {name} GROUP BY ALL")
    later = _counted(connection, f"SELECT rule, count(*) FROM out_of_{name} GROUP BY ALL")
    unsplit = _counted(
        connection, f"SELECT rule, count(*) FROM rejected WHERE \"table\" = '{name}' AND row IS NULL GROUP BY ALL"
    )
    left_out = {rule.removeprefix(LEFT_OUT_MARK): n for rule, n in staged.items() if rule.startswith(LEFT_OUT_MARK)}
    judged = Counter({rule: rows for rule, rows in staged.items() if not rule.startswith(LEFT_OUT_MARK)})
    rejected = judged + later + unsplit
    good, repeated = rejected.pop("", 0) - later.total(), rejected.pop(DUPLICATE, 0)
    expanded = _number(connection, f"SELECT count(*) FROM {name} WHERE repairs & {COPIED} > 0")
    return Account(
        name,
        read=staged.total() + unsplit.total() - expanded,
        kept=good,
        duplicate=repeated,
        rejected=dict(rejected),
        left_out=left_out,
        expanded=expanded,
    )


def note_split(connection: duckdb.DuckDBPyConnection, name: str, rejects: str, files: Sequence[str]) -> None:
    """Write lines that could not be split (``file, line, rule, raw``) to ``rejected``."""
    connection.execute(
        f"INSERT INTO rejected SELECT {literal(name)}, {file_name(files, 'file')}, NULL, line, rule, raw "
        f"FROM ({rejects})"
    )


def note_rejected(
    connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[str], starts: Sequence[int] | None
) -> None:
    """Write the rejected rows of a table to ``rejected``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Of the staging.
    name : str
        Staged table.
    files : sequence of str
        Names of its files.
    starts : sequence of int, optional
        First ``rowid`` of each file; None if the table has columns file and row.
    """
    file = "s.file" if starts is None else _by_rowid([str(n) for n in range(len(starts))], starts)
    row = "s.row" if starts is None else f"s.rowid + 1 - {_by_rowid([str(start) for start in starts], starts)}"
    typed = as_text(TABLES[name].names)
    place = f"{literal(name)}, {file_name(files, file)}, {row}, NULL"
    connection.execute(
        f"""INSERT INTO rejected SELECT {place}, s.rule, coalesce(s.raw, {typed}) FROM {name} s
        WHERE s.rule IS NOT NULL AND s.rule <> '{DUPLICATE}' AND NOT starts_with(s.rule, '{LEFT_OUT_MARK}')"""
    )
    connection.execute(
        f"""INSERT INTO rejected SELECT {place}, o.rule, {typed} FROM {name} s JOIN out_of_{name} o ON s.rowid = o.row
        WHERE o.rule <> '{DUPLICATE}'"""
    )


def file_name(files: Sequence[str], place: str) -> str:
    """SQL for the name at a 0-based place; NULL beyond."""
    return f"(CAST([{', '.join(map(literal, files))}] AS VARCHAR[]))[{place} + 1]"


def _by_rowid(values: Sequence[str], starts: Sequence[int]) -> str:
    cases = " ".join(f"WHEN s.rowid < {end} THEN {value}" for value, end in zip(values, starts[1:], strict=False))
    last = values[-1] if values else "0"
    return f"CASE {cases} ELSE {last} END" if cases else last


def _number(connection: duckdb.DuckDBPyConnection, sql: str) -> int:
    ((number,),) = connection.execute(sql).fetchall()
    return int(number)


def _counted(connection: duckdb.DuckDBPyConnection, sql: str) -> Counter[str]:
    return Counter(dict(connection.execute(sql).fetchall()))
