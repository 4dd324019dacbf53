"""Which source column stands for which canonical one, and the expressions that read it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.columns import Parsed, SourceColumn, absent, as_number, parse
from prodromal.sources.doses import AUXILIARY, DoseColumns
from prodromal.sources.engine import literal
from prodromal.sources.presets import PRESETS
from prodromal.sources.statement import raw_name
from prodromal.tables import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodromal.sources.spec import Source, TableSource
    from prodromal.tables import Table

__all__ = ["dose_columns", "find_columns", "parse_columns"]


def find_columns(
    table: Table, source: TableSource, place: str, types: Mapping[str, str], preset: str | None
) -> dict[str, str]:
    """Source column of each canonical column that the source has; constants are left out.

    Raises
    ------
    DataError
        If a required column is not there, naming `place` and what it has.
    """
    known = PRESETS[preset].names.get(table.name, {}) if preset else {}
    by_lower = {name.lower(): name for name in types}
    found = {}
    for column in table.columns:
        if column.name in source.constants:
            continue
        asked = source.columns.get(column.name)
        if asked is not None and asked not in types:
            raise DataError(f"{place}: no column '{asked}' for {column.name}; it has {_listed(types)}")
        names = (column.name, *known.get(column.name, ()))
        match = asked or next((by_lower[name] for name in map(str.lower, names) if name in by_lower), None)
        if match is not None:
            found[column.name] = match
        elif column.required:
            raise DataError(
                f"{place}: no column for {table.name}.{column.name} ({column.meaning}); it has {_listed(types)}. "
                f"Name it with --map {table.name}.{column.name}=COLUMN, or give all rows one value with "
                f"--set {table.name}.{column.name}=VALUE"
            )
    return found


def parse_columns(
    table: Table,
    source: TableSource,
    delivery: Source,
    types: Mapping[str, str],
    found: Mapping[str, str],
    id_type: str,
) -> dict[str, Parsed]:
    """Expressions for each canonical column."""
    parsed = {}
    for column in table.columns:
        if column.name in source.constants:
            written = SourceColumn(literal(source.constants[column.name]), "VARCHAR")
        elif column.name in found:
            name = found[column.name]
            if types[name] == "BOOLEAN" and column.kind in {Kind.REAL, Kind.INTEGER}:
                raise DataError(
                    f"{table.name}: column {name} holds true and false, from which no {column.name} is read"
                )
            written = SourceColumn(raw_name(name), types[name], delivery.date_format, delivery.decimal)
        else:
            parsed[column.name] = absent(column)
            continue
        parsed[column.name] = parse(column, written, id_type=id_type)
    return parsed


def dose_columns(source: TableSource, delivery: Source, place: str, types: Mapping[str, str]) -> DoseColumns:
    """What DDDs are computed from.

    Raises
    ------
    DataError
        If strength, its unit or pack size is not there.
    """
    known = PRESETS[delivery.preset].names.get("dispensings", {}) if delivery.preset else {}
    by_lower = {name.lower(): name for name in types}
    found, used = {}, []
    for name in AUXILIARY["dispensings"]:
        names = (source.columns.get(name, name), *known.get(name, ()))
        match = next((by_lower[n] for n in map(str.lower, names) if n in by_lower), None)
        if name in source.constants:
            found[name] = SourceColumn(literal(source.constants[name]), "VARCHAR")
        elif match is not None:
            found[name] = SourceColumn(raw_name(match), types[match], decimal=delivery.decimal)
            used.append(match)
    if missing := [name for name in AUXILIARY["dispensings"][:3] if name not in found]:
        raise DataError(
            f"{place}: no column for {', '.join(missing)}, without which no DDD can be computed; it has "
            f"{_listed(types)}. Name it with --map or give all rows one value with --set, or leave out --atc-ddd"
        )
    strength, size = (as_number(found[name]) for name in ("strength", "pack_size"))
    route = f"nullif({found['route'].text}, '')" if "route" in found else "NULL"
    unit = f"nullif({found['strength_unit'].text}, '')"
    return DoseColumns(f"{strength} * {size}", unit, route, tuple(used))


def _listed(types: Mapping[str, str]) -> str:
    names = list(types)
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
