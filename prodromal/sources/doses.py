"""Defined daily doses where a delivery has none: strength x pack size x packs over the DDD of the ATC/DDD index."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from math import isfinite
from types import MappingProxyType
from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.engine import literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

__all__ = ["AUXILIARY", "DoseColumns", "compute_ddd", "read_index", "read_names"]

# Columns of dispensings that are read to compute DDDs and not kept.
AUXILIARY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"dispensings": ("strength", "strength_unit", "pack_size", "route")}
)
_COLUMNS, _NAMES = ("atc_code", "ddd", "uom", "adm_r"), ("atc_code", "atc_name")
# How much one of a unit is in the base unit of its kind. Strengths in liquids (mg/ml) name no amount and are not here.
_UNITS = {
    "g": ("mass", 1000.0),
    "mg": ("mass", 1.0),
    **dict.fromkeys(("mcg", "ug", "µg", "μg", "mikrog", "mikrogram"), ("mass", 0.001)),
    **dict.fromkeys(("u", "e", "ie", "iu"), ("units", 1.0)),
    "tu": ("units", 1e3),
    "mu": ("units", 1e6),
    "mmol": ("substance", 1.0),
    "ml": ("volume", 1.0),
}


@dataclass(frozen=True)
class DoseColumns:
    """SQL of the amount in a pack (strength x pack size), its unit and the route; and the source columns used."""

    amount: str
    unit: str
    route: str
    columns: tuple[str, ...]


def read_index(path: Path) -> list[tuple[str, str, str, float]]:
    """Read the ATC/DDD index: code, kind of unit, route, and the DDD in the base unit of its kind.

    Parameters
    ----------
    path : Path
        CSV file with the columns ``atc_code, ddd, uom, adm_r``; missing values are written ``NA``.

    Raises
    ------
    DataError
        If it cannot be read, lacks a column, or holds no DDD.
    """
    found = [dose for line in _lines(path, _COLUMNS) if (dose := _dose(line)) is not None]
    if not found:
        raise DataError(f"{path} holds no DDD in a known unit")
    return found


def read_names(path: Path) -> dict[str, str]:
    """Read the names of ATC codes from the ATC/DDD index.

    Raises
    ------
    DataError
        If it cannot be read or lacks a column.
    """
    return {(line["atc_code"] or "").strip().upper(): line["atc_name"] or "" for line in _lines(path, _NAMES)}


def _lines(path: Path, columns: tuple[str, ...]) -> list[dict[str, str | None]]:
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            lines = csv.DictReader(stream)
            missing = [name for name in columns if name not in (lines.fieldnames or ())]
            if missing:
                raise DataError(f"{path}: no column {', '.join(missing)}; an ATC/DDD index has {', '.join(columns)}")
            return list(lines)
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{path} is missing or no readable CSV file") from error


def _dose(line: Mapping[str, str | None]) -> tuple[str, str, str, float] | None:
    code, text, unit, route = (line[name] or "" for name in _COLUMNS)
    kind = _UNITS.get(unit.strip().lower())
    try:
        dose = float(text)
    except ValueError:
        return None
    if kind is None or not isfinite(dose) or dose <= 0:
        return None
    return code.strip().upper(), kind[0], route.strip().lower(), dose * kind[1]


def compute_ddd(
    connection: duckdb.DuckDBPyConnection, index: list[tuple[str, str, str, float]], computed: int, ambiguous: int
) -> None:
    """Fill in the missing DDDs of the staged dispensings, where code, unit and route name one DDD only.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Its table dispensings has the columns ``amount, unit, route`` besides.
    index : list
        From `read_index`.
    computed, ambiguous : int
        Bits of ``repairs``: the DDD was computed; there were several, so that it stays missing.
    """
    units = ", ".join(f"({literal(name)}, {literal(kind)}, {factor})" for name, (kind, factor) in _UNITS.items())
    connection.execute("CREATE TABLE ddd_index (atc VARCHAR, kind VARCHAR, route VARCHAR, dose DOUBLE)")
    connection.executemany("INSERT INTO ddd_index VALUES (?, ?, ?, ?)", index)
    connection.execute(
        f"""CREATE TABLE ddd_found AS
        SELECT k.atc, k.unit, k.route, any_value(u.factor) AS factor, min(i.dose) AS dose,
               count(DISTINCT i.dose) AS doses
        FROM (SELECT DISTINCT atc, unit, route FROM dispensings WHERE ddd IS NULL AND amount > 0) k
        JOIN (VALUES {units}) u(unit, kind, factor) ON lower(k.unit) = u.unit
        JOIN ddd_index i ON i.atc = k.atc AND i.kind = u.kind AND (k.route IS NULL OR lower(k.route) = i.route)
        GROUP BY ALL"""
    )
    same = "d.atc = f.atc AND d.unit = f.unit AND d.route IS NOT DISTINCT FROM f.route AND d.ddd IS NULL"
    value = "CAST(d.amount * f.factor * d.quantity / f.dose AS FLOAT)"
    wanted = "d.rule IS NULL AND d.amount > 0 AND d.quantity IS NOT NULL"
    connection.execute(
        f"UPDATE dispensings d SET repairs = d.repairs | {ambiguous} FROM ddd_found f WHERE {same} AND {wanted} "
        "AND f.doses > 1"
    )
    connection.execute(
        f"UPDATE dispensings d SET ddd = {value}, repairs = d.repairs | {computed} FROM ddd_found f "
        f"WHERE {same} AND {wanted} AND f.doses = 1"
    )
