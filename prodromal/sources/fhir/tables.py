"""The tables that resources are loaded into, before they are settled and brought to the canonical ones."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COLUMNS", "RESOURCES", "TABLES"]

COLUMNS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "fhir_patient": dict.fromkeys(("gender", "birth", "death", "links"), "VARCHAR"),
        "fhir_medication": {"concept": "VARCHAR"},
        "fhir_supply": {
            **dict.fromkeys(("resource", "person_id", "dispensed_on", "concept", "medication"), "VARCHAR"),
            "quantity": "DOUBLE",
            "ddd": "DOUBLE",
            "days_supply": "VARCHAR",
        },
        "fhir_condition": dict.fromkeys(("person_id", "diagnosed_on", "outcome"), "VARCHAR"),
    }
)
_OF_EVERY_ROW = {
    "file": "INTEGER",
    "row": "BIGINT",
    **dict.fromkeys(("raw", "rule", "left_out", "id", "version", "updated"), "VARCHAR"),
}
TABLES: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {name: {**_OF_EVERY_ROW, **columns} for name, columns in COLUMNS.items()}
)
# Types of resources that are read, and the table of each.
RESOURCES: Mapping[str, str] = MappingProxyType(
    {
        "Patient": "fhir_patient",
        "Medication": "fhir_medication",
        "MedicationDispense": "fhir_supply",
        "MedicationRequest": "fhir_supply",
        "Condition": "fhir_condition",
    }
)
