"""Returned packages: a negative quantity cancels the nearest earlier dispensing of the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb

__all__ = ["settle_returns"]

_BATCH_ROWS = 10_000
_KEPT = """
    SELECT d.rowid AS place, d.* FROM dispensings d
    WHERE d.rule IS NULL AND d.rowid NOT IN (SELECT o.row FROM out_of_dispensings o)"""
_VALUES = ", ".join(TABLES["dispensings"].names)
_OF_RETURNED = f"""
    SELECT person_id, atc, place, coalesce(quantity < 0 OR ddd < 0, FALSE) AS is_return,
           row_number() OVER (PARTITION BY {_VALUES}, fingerprint ORDER BY place) > 1
    FROM ({_KEPT}) SEMI JOIN (SELECT person_id, atc FROM ({_KEPT}) WHERE quantity < 0 OR ddd < 0)
        USING (person_id, atc)
    ORDER BY person_id, atc, dispensed_on, is_return, ddd, days_supply, quantity, fingerprint, place
"""


def settle_returns(connection: duckdb.DuckDBPyConnection) -> None:
    """Take returns out, each with the dispensing that it cancels; one without is an ``unmatched_return``.

    The return and the cancelled dispensing are both accounted for as rejected (``return``, ``returned``). A row
    delivered twice is a duplicate and cancels nothing.
    """
    ((returns,),) = connection.execute("SELECT count(*) FROM dispensings WHERE quantity < 0 OR ddd < 0").fetchall()
    if not returns:
        return
    import pyarrow as pa

    rows, rules = [], []
    for row, rule in _matched(connection):
        rows.append(row)
        rules.append(rule)
    found = pa.table({"row": pa.array(rows, pa.int64()), "rule": pa.array(rules, pa.string())})
    connection.register("returns_found", found)
    connection.execute("INSERT INTO out_of_dispensings SELECT * FROM returns_found")
    connection.unregister("returns_found")


def _matched(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[int, str]]:
    open_dispensings: list[int] = []
    key = None
    result = connection.execute(_OF_RETURNED)
    while batch := result.fetchmany(_BATCH_ROWS):
        for person, code, place, is_return, repeated in batch:
            if (person, code) != key:
                key, open_dispensings = (person, code), []
            if repeated:
                yield place, "duplicate"
            elif not is_return:
                open_dispensings.append(place)
            elif open_dispensings:
                yield open_dispensings.pop(), "returned"
                yield place, "return"
            else:
                yield place, "unmatched_return"
