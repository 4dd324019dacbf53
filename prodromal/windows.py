"""Windows: half-open intervals of whole days, counted backwards from an index date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

from prodromal.errors import DefinitionError

__all__ = ["Window", "tile"]

_NAME = re.compile(r"([0-9]{1,6})-([0-9]{1,6})([dy])")
_DAYS_PER_YEAR = 365


@dataclass(frozen=True, order=True)
class Window:
    """The days ``[from_days, to_days)`` before an index date.

    Day 1 is the day before the index date; the index date itself (day 0) can never be inside, so nothing
    dispensed on or after it can matter.

    Parameters
    ----------
    from_days : int
        Nearest day inside, at least 1.
    to_days : int
        First day outside, further back; more than `from_days`.

    Examples
    --------
    >>> Window(1, 91).name
    '0-90d'
    >>> Window(1, 91).contains(days_before=90), Window(1, 91).contains(days_before=91)
    (True, False)
    """

    from_days: int
    to_days: int

    def __post_init__(self) -> None:
        if self.from_days < 1:
            raise DefinitionError(
                f"window [{self.from_days}, {self.to_days}) days before the index date: it must start at day 1 or "
                "further back, so that the index date is never inside"
            )
        if self.to_days <= self.from_days:
            raise DefinitionError(
                f"window [{self.from_days}, {self.to_days}) days before the index date is empty: "
                "it must end further back than it starts"
            )

    @classmethod
    def parse(cls, name: str) -> Window:
        """Read ``"0-90d"`` or ``"1-2y"`` (a year is 365 days): after the first mark, up to and with the second.

        Raises
        ------
        DefinitionError
            If `name` has another form or names an empty window.

        Examples
        --------
        >>> Window.parse("1-2y")
        Window(from_days=366, to_days=731)
        """
        match = _NAME.fullmatch(name.strip())
        if match is None:
            raise DefinitionError(f"window '{name}': write it as '0-90d' or '1-2y'")
        unit = _DAYS_PER_YEAR if match[3] == "y" else 1
        return cls(int(match[1]) * unit + 1, int(match[2]) * unit + 1)

    @property
    def name(self) -> str:
        """Short name in days, ``parse``'s inverse."""
        return f"{self.from_days - 1}-{self.to_days - 1}d"

    @property
    def label(self) -> str:
        """Name for readers: in years where both ends are whole years."""
        ends = (self.from_days - 1, self.to_days - 1)
        if ends[1] >= 2 * _DAYS_PER_YEAR and all(end % _DAYS_PER_YEAR == 0 for end in ends):
            return "{}-{} years".format(*(end // _DAYS_PER_YEAR for end in ends))
        return f"{ends[0]}-{ends[1]} days"

    @property
    def days(self) -> int:
        """Length in days."""
        return self.to_days - self.from_days

    def contains(self, *, days_before: int) -> bool:
        """Whether a day `days_before` the index date is inside."""
        return self.from_days <= days_before < self.to_days


def tile(*marks: int) -> tuple[Window, ...]:
    """Adjacent windows between `marks` (days before the index date, ascending from 0).

    Counts in tiles add up to the count in their union.

    Examples
    --------
    >>> [window.name for window in tile(0, 90, 365)]
    ['0-90d', '90-365d']
    """
    return tuple(Window(near + 1, far + 1) for near, far in pairwise(marks))
