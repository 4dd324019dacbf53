"""Disclosure control: small counts are suppressed, and so is whatever would give them away by subtraction.

A table of counts is a set of sums over disjoint atoms (the finest groups). Whether a suppressed sum is still protected
is asked exactly: linear programmes give the narrowest interval into which the published sums force it. While any
interval is narrower than the smallest count that may be shown, one more sum is suppressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DataError, DefinitionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PROFILES", "Profile", "exposure", "round_to", "significant", "suppress"]

_DIGITS = 3
_INFEASIBLE = 2


@dataclass(frozen=True)
class Profile:
    """Rules of one research environment.

    Attributes
    ----------
    name : str
    smallest : int
        Smallest count above 0 that may be shown.
    base : int
        Shown counts are rounded to multiples of this.
    """

    name: str
    smallest: int
    base: int = 1

    def __post_init__(self) -> None:
        if self.smallest < 1 or self.base < 1:
            raise DefinitionError("the smallest count shown and the rounding base must be at least 1")

    @property
    def sentence(self) -> str:
        """Say the rules."""
        rounding = f"; shown counts are rounded to multiples of {self.base}" if self.base > 1 else ""
        return (
            f"Profile {self.name}: counts from 1 to {self.smallest - 1}, and whatever would reveal them by "
            f"subtraction, are suppressed{rounding}. Estimates are shown with {_DIGITS} significant digits."
        )

    @property
    def reason(self) -> str:
        """What stands in place of a suppressed number."""
        return f"suppressed: fewer than {self.smallest}, or it would reveal such a count"

    def count(self, number: float) -> float:
        """Give a count as it may be shown; NaN where it may not."""
        return float("nan") if 0 < number < self.smallest else float(round_to(np.array(number, dtype=float), self.base))


class _Profiles(dict[str, Profile]):
    def of(self, name: str) -> Profile:
        """Find a profile by name."""
        if name not in self:
            raise DefinitionError(f"disclosure profile '{name}' is not known; choose one of {', '.join(self)}")
        return self[name]


PROFILES = _Profiles(acro=Profile("acro", 10), opensafely=Profile("opensafely", 8, 5), ohdsi=Profile("ohdsi", 5))


def suppress(
    members: NDArray[np.bool_],
    counts: NDArray[np.int64],
    smallest: int,
    keep: NDArray[np.bool_] | NDArray[np.int64] | None = None,
    known: NDArray[np.bool_] | None = None,
    hidden: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Choose which sums must not be shown.

    Parameters
    ----------
    members : bool array of shape (n_sums, n_atoms)
        Which atoms each published sum adds up.
    counts : int array of shape (n_sums,)
    smallest : int
        Smallest count above 0 that may be shown.
    keep : bool or int array of shape (n_sums,), optional
        Sums to give up last, the highest at the very last.
    known : bool array of shape (n_sums,), optional
        Sums that are known whatever is shown: never chosen.
    hidden : bool array of shape (n_sums,), optional
        Sums that are suppressed already, and are to be protected with the others.

    Returns
    -------
    bool array of shape (n_sums,)
        Sums to suppress. Given the others, and that counts are at least 0, none of them can be placed in an interval
        narrower than `smallest`. Zeros are shown.

    Raises
    ------
    DataError
        If the counts contradict each other.
    """
    none = np.zeros(len(counts), dtype=np.bool_)
    fixed = none if known is None else known
    chosen = (counts > 0) & (counts < smallest) & ~fixed | (none if hidden is None else hidden)
    rank = np.lexsort((counts, members.sum(axis=1) > 1, none if keep is None else keep))
    order = rank[~fixed[rank] & (counts[rank] > 0)]
    for which in np.flatnonzero(chosen).tolist():
        _protect(members, counts, chosen, which, smallest, order)
    return chosen


def _protect(
    members: NDArray[np.bool_],
    counts: NDArray[np.int64],
    hidden: NDArray[np.bool_],
    which: int,
    smallest: int,
    order: NDArray[np.intp],
) -> None:
    """Hide sums, in this order, until one of them is known no better than it may be; likewise those hidden for it.

    Only a sum that its limits follow from can shield it: which these are, the multipliers of the programmes tell.
    What is safe stays so, since to hide more widens every interval.
    """
    while True:
        low, high, used = _limits(members, counts, hidden, which)
        candidates = order[used[order]]
        if high - low >= smallest - 1e-6 or not len(candidates):
            return
        hidden[candidates[0]] = True
        _protect(members, counts, hidden, int(candidates[0]), smallest, order)


def exposure(
    members: NDArray[np.bool_], counts: NDArray[np.int64], hidden: NDArray[np.bool_], which: int
) -> tuple[float, float]:
    """Smallest and largest value of a hidden sum that the shown sums allow."""
    return _limits(members, counts, hidden, which)[:2]


def _limits(
    members: NDArray[np.bool_], counts: NDArray[np.int64], hidden: NDArray[np.bool_], which: int
) -> tuple[float, float, NDArray[np.bool_]]:
    """Limits of a hidden sum, and the shown sums that they follow from."""
    from scipy.optimize import linprog

    shown, used = np.flatnonzero(~hidden), np.zeros(len(counts), dtype=np.bool_)
    if not len(shown):
        return 0.0, np.inf, used
    objective = members[which].astype(np.float64)
    equal, right = members[shown].astype(np.float64), counts[shown].astype(np.float64)
    ends = []
    for sign in (1.0, -1.0):
        solved = linprog(sign * objective, A_eq=equal, b_eq=right, bounds=(0, None), method="highs")
        if solved.status == _INFEASIBLE:
            raise DataError("counts that are to be protected together contradict each other; nothing is released")
        ends.append(sign * float(solved.fun or 0.0) if solved.status == 0 else sign * -np.inf)
        if solved.status == 0:
            used[shown] |= np.abs(solved.eqlin.marginals) > 1e-9
    return max(ends[0], 0.0), ends[1], used


def round_to(values: NDArray[np.float64], base: int) -> NDArray[np.float64]:
    """Round to multiples of `base`."""
    return values if base == 1 else np.round(values / base) * base


def significant(values: NDArray[np.float64], digits: int = _DIGITS) -> NDArray[np.float64]:
    """Round to so many significant digits."""
    fine = np.isfinite(values) & (values != 0)
    power = np.zeros_like(values)
    power[fine] = digits - 1 - np.floor(np.log10(np.abs(values[fine])))
    rounded = values.copy()
    rounded[fine] = [round(float(v), int(p)) for v, p in zip(values[fine], power[fine], strict=True)]
    return rounded
