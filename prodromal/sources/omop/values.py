"""How values of the model become typed: as near to the source as they come, for the rules of the tables to judge."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.sources.engine import identifier
from prodromal.sources.omop.tables import CdmTable, Content

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["columns_of"]

_TEXT_TYPES = ("VARCHAR", "BLOB")


def columns_of(table: CdmTable, names: Mapping[str, str], types: Mapping[str, str]) -> str:
    """SQL for the columns of `table`; `names` and `types` as the source has them, by names in lower case."""
    columns = []
    for name, content in table.columns.items():
        value, kind = _typed(content, identifier(names.get(name, name)), types.get(name, "VARCHAR"))
        columns.append(f"{value if name in names else f'CAST(NULL AS {kind})'} AS {name}")
    return ", ".join(columns)


def _typed(content: Content, expression: str, kind: str) -> tuple[str, str]:
    """SQL that reads a value and its DuckDB type: ids as BIGINT, everything else as near to the source as it comes.

    What is no whole number is no id: NULL. Dates in text stay text, for the rules of the tables to judge.
    """
    text = kind.startswith(_TEXT_TYPES)
    value = f"CAST({expression} AS VARCHAR)" if kind == "BLOB" else expression
    match content:
        case Content.ID:
            return _whole(value, kind, text=text), "BIGINT"
        case Content.TEXT:
            return f"CAST({value} AS VARCHAR)", "VARCHAR"
        case Content.DATE if text:
            return _date_in_text(value), "VARCHAR"
        case Content.DATE if kind.startswith("TIMESTAMP"):
            return f"CAST(CAST({expression} AS TIMESTAMP) AS DATE)", "DATE"
        case _ if text:
            return value, "VARCHAR"
        case Content.DATE:
            return value, kind
        # True and false stay what they are, for the tables to refuse.
        case _ if kind == "BOOLEAN":
            return value, kind
        case _:
            return f"CAST({value} AS DOUBLE)", "DOUBLE"


def _date_in_text(value: str) -> str:
    """The day, without a time of day after it."""
    day = f"regexp_replace(trim({value}), '^(....-..-..)[ T][0-9:.]+(Z|[+-][0-9:]+)?$', '\\1')"
    return f"CASE WHEN length({value}) > 10 THEN {day} ELSE {value} END"


def _whole(value: str, kind: str, *, text: bool) -> str:
    if text:
        # Data frames with gaps write 17.0; without the check 1.5 would become 2.
        digits = f"regexp_extract({value}, '^\\s*(-?[0-9]+)\\.0*\\s*$', 1)"
        odd = f"contains({value}, '.') OR contains(lower({value}), 'e')"
        return f"try_cast(CASE WHEN {odd} THEN {digits} ELSE {value} END AS BIGINT)"
    if kind in {"DOUBLE", "FLOAT"} or kind.startswith("DECIMAL"):
        return f"CASE WHEN {value} = floor({value}) THEN try_cast({value} AS BIGINT) END"
    return f"try_cast({value} AS BIGINT)"
