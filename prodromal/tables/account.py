"""The account: every row that was read is kept, a duplicate, or rejected for a reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Account"]


@dataclass(frozen=True)
class Account:
    """Rows of one table: ``read = kept + duplicate + sum(rejected.values())``, checked at construction.

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

    def __post_init__(self) -> None:
        accounted = self.kept + self.duplicate + sum(self.rejected.values())
        if accounted != self.read:
            raise DataError(f"{self.table}: {self.read} rows were read but {accounted} are accounted for")

    @property
    def rejected_share(self) -> float:
        """Rejected rows over rows read; 0 for an empty table."""
        return sum(self.rejected.values()) / self.read if self.read else 0.0

    def to_dict(self) -> dict[str, Any]:
        """Plain values for the manifest; reasons in alphabetical order."""
        return {
            "read": self.read,
            "kept": self.kept,
            "duplicate": self.duplicate,
            "rejected": dict(sorted(self.rejected.items())),
            "repaired": dict(sorted(self.repaired.items())),
        }
