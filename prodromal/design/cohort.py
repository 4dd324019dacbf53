"""What a design yields: people at index dates with their outcome, and how they were arrived at."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, SupportsInt

import numpy as np

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

__all__ = ["Attrition", "Cohort", "Origin", "Outcome"]


@dataclass(frozen=True)
class Outcome:
    """A first diagnosis in ``(index date + lag, index date + horizon]``.

    Parameters
    ----------
    name : str
        Outcome in the register, such as ``ALS``.
    lag_days : int
        Days after the index date that do not count, so that a model cannot live on the diagnostic work-up.
    horizon_days : int
        Days after the index date at which the question ends.
    min_history_days : int
        Days before the index date for which a person must have been observed.
    """

    name: str
    lag_days: int = 365
    horizon_days: int = 1825
    min_history_days: int = 730

    def __post_init__(self) -> None:
        if self.lag_days < 0 or self.horizon_days <= self.lag_days:
            raise DefinitionError(
                f"lag {self.lag_days} and horizon {self.horizon_days} days: the lag must be at least 0 and less than "
                "the horizon"
            )
        if self.min_history_days < 1:
            raise DefinitionError("min_history_days must be at least 1")


@dataclass(frozen=True)
class Origin:
    """Where the people of a cohort come from.

    Parameters
    ----------
    register : str
        Fingerprint of the register; empty if unknown.
    simulated : bool
        Whether its people are simulated.
    splits : mapping
        For each split that was made, such as ``0.4 of families, seed 1``, the part that the people belong to.
    """

    register: str = ""
    simulated: bool = False
    splits: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Origin:
        """Read what a file says; what it does not say, or says in another form, is unknown."""
        register, splits = facts.get("register"), facts.get("splits")
        known = splits.items() if isinstance(splits, dict) else ()
        return cls(
            register if isinstance(register, str) else "",
            facts.get("simulated") is True,
            {split: part for split, part in known if isinstance(part, str)},
        )

    def shares_people(self, other: Origin) -> bool:
        """Whether people of one may be people of the other, for all that is known."""
        apart = any(other.splits.get(split, part) != part for split, part in self.splits.items())
        return bool(self.register) and self.register == other.register and not apart


class Attrition:
    """Collects one row per step: what was asked and how many remain."""

    def __init__(self) -> None:
        self._rows: list[tuple[str, int, int]] = []

    def step(self, sentence: str, cases: SupportsInt, others: SupportsInt) -> None:
        """Record a step and the cases and other people who remain after it."""
        self._rows.append((sentence, int(cases), int(others)))

    def to_frame(self) -> pd.DataFrame:
        """Columns ``step``, ``cases``, ``others``."""
        import pandas as pd

        return pd.DataFrame(self._rows, columns=["step", "cases", "others"])


@dataclass(frozen=True)
class Cohort:
    """People at index dates with their outcome.

    Parameters
    ----------
    frame : DataFrame
        One row per person and index date: ``person_id, person_row, index_date, sex, age_years, birth_year, event``
        (0 censored, 1 outcome, 2 death), ``time_days`` (from the index date to the event), ``weight``, ``family``;
        matched sets have ``set_id`` and ``case`` besides.
    outcome : Outcome
        The question.
    attrition : DataFrame
        ``step, cases, others``: how many remain after each step.
    origin : Origin
        Where the people come from, of a cohort that was read from a file.
    """

    frame: pd.DataFrame
    outcome: Outcome
    attrition: pd.DataFrame
    origin: Origin = Origin()

    @property
    def index_dates(self) -> pd.DataFrame:
        """Who is looked at when, in the order of ``frame``."""
        return self.frame[["person_id", "index_date"]]

    @property
    def is_matched(self) -> bool:
        """Whether the people come in matched sets."""
        return "set_id" in self.frame.columns

    def where(self, keep: np.ndarray) -> Cohort:
        """The rows of a mask; in matched sets, a set that loses its case or all its controls goes whole."""
        frame = self.frame[np.asarray(keep, dtype=bool)]
        if self.is_matched and len(frame):
            sets = frame.groupby("set_id")["case"]
            frame = frame[(sets.transform("sum") == 1) & (sets.transform("size") > 1)]
        return replace(self, frame=frame.reset_index(drop=True))
