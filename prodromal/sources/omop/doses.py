"""Defined daily doses from units dispensed: the strength of a unit over the DDD of its code."""

from __future__ import annotations

import csv
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal import atc
from prodromal.errors import DataError
from prodromal.sources.omop.place import Wanted
from prodromal.sources.omop.vocabulary import rows_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    import duckdb

    from prodromal.sources.omop.drugs import Drug
    from prodromal.sources.omop.place import Tables
    from prodromal.sources.omop.vocabulary import Vocabulary

__all__ = ["Strength", "doses_per_unit", "read_doses", "read_strengths"]

# By UCUM's names and WHO's.
_MILLIGRAMS = {"g": 1000.0, "mg": 1.0, "ug": 0.001, "mcg": 0.001}


@dataclass(frozen=True)
class Strength:
    """Active substance in one unit: an amount, and the concept of what it is measured in."""

    amount: float
    unit: int


def read_doses(file: Path) -> dict[str, float]:
    """Milligrams in a DDD of each ATC code.

    A code whose rows disagree, by the route for instance, has none: the model does not say by which route a drug was
    taken. Nor has one whose DDD is no mass.

    Parameters
    ----------
    file : Path
        CSV with columns ``atc_code``, ``ddd`` and ``uom``; a missing dose is empty or ``NA``.

    Raises
    ------
    DataError
        If the file is missing, is no CSV, or lacks a column.
    """
    found: dict[str, set[float | None]] = defaultdict(set)
    try:
        with file.open(encoding="utf-8-sig", newline="") as stream:
            rows = csv.DictReader(stream)
            if missing := {"atc_code", "ddd", "uom"} - set(rows.fieldnames or ()):
                raise DataError(f"{file} is no table of DDDs: it has no column {', '.join(sorted(missing))}")
            for row in rows:
                code, dose = atc.clean(row["atc_code"] or ""), (row["ddd"] or "").strip()
                if code is not None and dose not in {"", "NA"}:
                    found[code].add(_milligrams(dose, (row["uom"] or "").strip()))
    except (OSError, UnicodeError, csv.Error) as error:
        raise DataError(f"{file}: no such table of DDDs, or no CSV file in UTF-8") from error
    return {code: dose for code, (dose, *others) in found.items() if dose is not None and not others}


def _milligrams(dose: str, unit: str) -> float | None:
    try:
        amount = float(dose) * _MILLIGRAMS[unit]
    except (ValueError, KeyError):
        return None
    return amount if 0 < amount < float("inf") else None


def read_strengths(
    connection: duckdb.DuckDBPyConnection, tables: Tables, drugs: Collection[int]
) -> dict[int, Strength]:
    """Strengths of drugs that have one active ingredient, of which a unit holds a stated amount."""
    wanted = Wanted(("drug_concept_id",), drugs)
    columns = "drug_concept_id, ingredient_concept_id, CAST(amount_value AS DOUBLE), amount_unit_concept_id"
    found: dict[int, list[Strength | None]] = defaultdict(list)
    for drug, _, amount, unit in rows_of(connection, tables, "drug_strength", wanted, columns):
        usable = amount is not None and amount > 0 and unit is not None
        found[drug].append(Strength(amount, unit) if usable else None)
    return {drug: one for drug, (one, *others) in found.items() if one is not None and not others}


def doses_per_unit(
    drugs: Mapping[int, Drug], strengths: Mapping[int, Strength], vocabulary: Vocabulary, doses: Mapping[str, float]
) -> dict[tuple[int, str], float]:
    """DDDs in one unit of a drug, for each of its codes that has a DDD by mass."""
    found = {}
    for concept, strength in strengths.items():
        unit = vocabulary.concepts.get(strength.unit)
        if unit is None or unit.vocabulary != "UCUM" or unit.code not in _MILLIGRAMS:
            continue
        for code in drugs[concept].codes:
            if code in doses:
                found[concept, code] = strength.amount * _MILLIGRAMS[unit.code] / doses[code]
    return found
