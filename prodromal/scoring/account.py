"""Everyone who was asked for is scored, or refused for a reason."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["ScoringAccount"]


@dataclass(frozen=True)
class ScoringAccount:
    """``asked = scored + sum(refused.values())``, checked at construction."""

    asked: int
    scored: int
    refused: Mapping[str, int]

    def __post_init__(self) -> None:
        if self.scored + sum(self.refused.values()) != self.asked:
            raise DataError(
                f"{self.asked} rows were asked for, but {self.scored} scored and {dict(self.refused)} refused"
            )

    @classmethod
    def total(cls, accounts: Iterable[ScoringAccount]) -> ScoringAccount:
        """The sum of several."""
        asked = scored = 0
        refused: Counter[str] = Counter()
        for account in accounts:
            asked += account.asked
            scored += account.scored
            refused.update(account.refused)
        return cls(asked, scored, dict(refused))
