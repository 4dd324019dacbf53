"""Exports that can be read, but from which nothing would come."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

    from prodromal.sources.fhir.load import Loaded

__all__ = ["check_codes", "check_outcomes", "check_resources"]

_SUPPLIES = ("MedicationDispense", "MedicationRequest")


def check_resources(loaded: Loaded, resource: str) -> None:
    """Refuse files without patients or supplies, and references to several servers."""
    # Requests are what is left where there are no dispenses: without either, both are missed.
    supplies = {resource} if any(loaded.read[kind] for kind in _SUPPLIES) else {resource, *_SUPPLIES}
    for kinds in ({"Patient"}, supplies):
        if not any(loaded.read[kind] for kind in kinds):
            there = ", ".join(f"{found or 'lines that are none'} ({n})" for found, n in sorted(loaded.read.items()))
            missed = " or ".join(sorted(kinds))
            raise DataError(f"the files hold no resource {missed}; they hold {there or 'nothing'}")
    if len(loaded.servers) > 1:
        raise DataError(
            f"references to patients name {len(loaded.servers)} servers, on which one id may be two people; "
            "ingest the export of one server at a time"
        )


def check_outcomes(connection: duckdb.DuckDBPyConnection, loaded: Loaded, asked: Mapping[str, Any]) -> None:
    """Refuse an outcome that no condition has."""
    names = connection.execute(
        "SELECT DISTINCT unnest(string_split(outcome, chr(10))) FROM fhir_condition WHERE rule IS NULL"
    ).fetchall()
    if absent := sorted(set(asked) - {name for (name,) in names}):
        raise DataError(
            f"none of {loaded.read['Condition']} conditions has a code of outcome {', '.join(absent)}; look how the "
            "export writes system and code, with or without a point"
        )


def check_codes(ways: Mapping[str, Any], resource: str) -> None:
    """Refuse medications none of which has an ATC code."""
    if ways and not {"atc", "mapped"} & set(ways):
        rows = sum(found["rows"] for found in ways.values())
        raise DataError(
            f"none of {rows} resources {resource} has an ATC code; map their codes with --mapping, or name the code "
            "system that holds ATC codes with --atc-system"
        )
