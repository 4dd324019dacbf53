"""Weights added up by group, the one operation that a bootstrap repeats: rows are placed once, sums are quick."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["Ordering", "Tally", "stable_order"]

_LONG = 1 << 20


@dataclass(frozen=True, eq=False)
class Tally:
    """Sums of weights by group.

    Attributes
    ----------
    n : int
        Number of groups.
    code : int array or None
        Group of each row; None where rows lie in the order of their groups.
    starts, used : int arrays
        First row of each group that has any, and which group that is; empty where `code` is given.
    """

    n: int
    code: NDArray[np.intp] | None
    starts: NDArray[np.intp]
    used: NDArray[np.intp]

    @classmethod
    def by_code(cls, code: NDArray[np.intp], n: int) -> Tally:
        """Rows in any order."""
        none = np.empty(0, dtype=np.intp)
        return cls(n, np.ascontiguousarray(code, dtype=np.intp), none, none)

    @classmethod
    def by_bounds(cls, bounds: NDArray[np.intp]) -> Tally:
        """Rows in order: group g holds rows ``bounds[g]`` to before ``bounds[g + 1]``."""
        used = np.flatnonzero(bounds[1:] > bounds[:-1])
        return cls(len(bounds) - 1, None, bounds[used], used)

    def __call__(self, weight: NDArray[np.float64]) -> NDArray[np.float64]:
        """Add up `weight` within each group."""
        if self.code is not None and len(self.code):
            return np.bincount(self.code, weights=weight, minlength=self.n)
        total = np.zeros(self.n)
        if len(self.used):
            total[self.used] = np.add.reduceat(weight, self.starts)
        return total


def stable_order(values: NDArray[np.float64]) -> NDArray[np.intp]:
    """Order of ascending values, equal ones as they stand; the halves of a long array are sorted at the same time."""
    if len(values) < _LONG:
        return np.argsort(values, kind="stable")
    middle = len(values) // 2
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda half: np.argsort(half, kind="stable"), (values[:middle], values[middle:]))
    runs = np.concatenate([first, second + middle])
    # What is left to do is to merge two runs, which a stable sort finds out by itself.
    return np.asarray(runs[np.argsort(values[runs], kind="stable")])


@dataclass(frozen=True, eq=False)
class Ordering:
    """Values in ascending order, and how rows come to lie in it.

    Attributes
    ----------
    ascending : float array of shape (n_rows,)
        The values in ascending order.
    order : int array or None
        Row of each value; None where the rows are ascending themselves.
    """

    ascending: NDArray[np.float64]
    order: NDArray[np.intp] | None

    @classmethod
    def of(cls, values: NDArray[np.float64]) -> Ordering:
        """Sort, unless sorted already."""
        if bool((values[1:] >= values[:-1]).all()):
            return cls(values, None)
        order = stable_order(values)
        return cls(values[order], order)

    def sorted(self, other: NDArray[np.float64]) -> NDArray[np.float64]:
        """Bring another column into the same order."""
        return other if self.order is None else other[self.order]

    def sorted_back(self, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """Values of some rows."""
        if self.order is None:
            return self.ascending[rows]
        at = np.empty(len(self.order), dtype=np.intp)
        at[self.order] = np.arange(len(self.order))
        return self.ascending[at[rows]]

    def split(self, bounds: NDArray[np.intp]) -> Tally:
        """Tally of groups that are consecutive in this order; `bounds` from 0 to the number of rows."""
        return Tally.by_bounds(bounds) if self.order is None else Tally.by_code(self.codes(bounds), len(bounds) - 1)

    def codes(self, bounds: NDArray[np.intp]) -> NDArray[np.intp]:
        """Group of each row, in the order of the rows."""
        inside = np.repeat(np.arange(len(bounds) - 1), np.diff(bounds))
        if self.order is None:
            return inside
        code = np.empty(len(inside), dtype=np.intp)
        code[self.order] = inside
        return code

    def codes_of(self, rows: NDArray[np.intp], bounds: NDArray[np.intp], tally: Tally) -> NDArray[np.intp]:
        """Group of some rows, given the tally that the same bounds made."""
        return np.searchsorted(bounds, rows, side="right") - 1 if tally.code is None else tally.code[rows]

    def below(self, edges: NDArray[np.float64], *, including: bool = False) -> NDArray[np.intp]:
        """How many values lie below each edge, or at it too."""
        return np.searchsorted(self.ascending, edges, side="right" if including else "left")

    def runs(self) -> NDArray[np.intp]:
        """Bounds of runs of equal values."""
        changes = np.flatnonzero(self.ascending[1:] != self.ascending[:-1]) + 1
        return np.concatenate([[0], changes, [len(self.ascending)]])
