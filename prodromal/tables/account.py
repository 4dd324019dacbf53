"""The account: every row that was read is kept, a duplicate, rejected for a reason, or deliberately left out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Account"]


@dataclass(frozen=True)
class Account:
    """Rows of one table; ``read + expanded = kept + duplicate + sum(rejected) + sum(left_out)`` by construction.

    Parameters
    ----------
    table : str
        Name of the table.
    read, kept, duplicate : int
        Numbers of rows.
    rejected : mapping of str to int
        Rows by the rule that rejected them.
    repaired : mapping of str to int
        Kept rows by what was repaired in them; not part of the identity.
    left_out : mapping of str to int
        Rows deliberately left out, by reason; they are no fault of the data and count against nothing.
    expanded : int
        Rows added because one source row became several.

    Raises
    ------
    DataError
        If the identity does not hold.
    """

    table: str
    read: int
    kept: int
    duplicate: int = 0
    rejected: Mapping[str, int] = field(default_factory=dict)
    repaired: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)
    expanded: int = 0

    def __post_init__(self) -> None:
        accounted = self.kept + self.duplicate + sum(self.rejected.values()) + sum(self.left_out.values())
        if accounted != self.read + self.expanded:
            raise DataError(
                f"{self.table}: {self.read} rows were read and {self.expanded} added but {accounted} are accounted for"
            )

    @property
    def rejected_share(self) -> float:
        """Rejected rows over rows read; 0 for an empty table."""
        return sum(self.rejected.values()) / self.read if self.read else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the manifest; reasons in alphabetical order."""
        return {
            "read": self.read,
            "expanded": self.expanded,
            "kept": self.kept,
            "duplicate": self.duplicate,
            "rejected": dict(sorted(self.rejected.items())),
            "repaired": dict(sorted(self.repaired.items())),
            "left_out": dict(sorted(self.left_out.items())),
        }
