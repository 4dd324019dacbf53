"""Which statuses count: each with the reason for which a row is left out, None where it counts.

An empty reason stands for a status that FHIR does not know; a row with one is rejected.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONFIRMED", "DISPENSED", "ORDERED", "UNFINISHED", "left_out"]


def left_out(status: str) -> str:
    """The reason that a status gives."""
    return f"status_{status.replace('-', '_')}"


def _counting(counted: tuple[str | None, ...], others: tuple[str, ...]) -> Mapping[str | None, str | None]:
    return MappingProxyType(dict.fromkeys(counted) | {status: left_out(status) for status in others})


# A dispense that is not completed counts if something was handed over.
UNFINISHED = ("in-progress", "on-hold", "stopped")
DISPENSED = _counting(
    ("completed", "unknown", *UNFINISHED), ("preparation", "cancelled", "declined", "not-done", "entered-in-error")
)
ORDERED = _counting(
    ("active", "on-hold", "completed", "stopped", "ended", "unknown"), ("cancelled", "draft", "entered-in-error")
)
# A condition without a verification status counts.
CONFIRMED = _counting(
    ("confirmed", None), ("unconfirmed", "provisional", "differential", "refuted", "entered-in-error")
)
