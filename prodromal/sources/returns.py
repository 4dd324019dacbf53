"""Returned packages: a negative quantity cancels the nearest earlier dispensing of the same code."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.sources.engine import as_text
from prodromal.tables import TABLES

if TYPE_CHECKING:
    import duckdb

__all__ = ["settle_returns"]

_KEPT_OF_RETURNED = """
    SELECT d.person_id, d.atc, d.file, d.row, (coalesce(d.quantity, 0) < 0 OR coalesce(d.ddd, 0) < 0) AS is_return
    FROM dispensings d
    SEMI JOIN (SELECT person_id, atc FROM dispensings
               WHERE rule IS NULL AND (quantity < 0 OR ddd < 0)) r ON d.person_id = r.person_id AND d.atc = r.atc
    WHERE d.rule IS NULL
    ORDER BY d.person_id, d.atc, d.dispensed_on, is_return, d.file, d.row
"""


def settle_returns(connection: duckdb.DuckDBPyConnection) -> None:
    """Mark returns and the dispensings that they cancel; a return without one is rejected as ``unmatched_return``.

    The return and the cancelled dispensing are both accounted for as rejected (``return``, ``returned``).
    """
    rules: list[tuple[str, int, int]] = []
    open_dispensings: list[tuple[int, int]] = []
    key = None
    for person, code, file, row, is_return in connection.execute(_KEPT_OF_RETURNED).fetchall():
        if (person, code) != key:
            key, open_dispensings = (person, code), []
        if not is_return:
            open_dispensings.append((file, row))
        elif open_dispensings:
            rules.append(("returned", *open_dispensings.pop()))
            rules.append(("return", file, row))
        else:
            rules.append(("unmatched_return", file, row))
    if rules:
        raw = as_text(TABLES["dispensings"].names)
        connection.executemany(f"UPDATE dispensings SET rule = ?, raw = {raw} WHERE file = ? AND row = ?", rules)
