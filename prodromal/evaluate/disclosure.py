"""Disclosure control: small counts are suppressed, and so is whatever would give them away by subtraction.

A table of counts is a set of sums over disjoint atoms (the finest groups). Whether a suppressed sum is still protected
is asked exactly: linear programmes give the narrowest interval into which the published sums force it. While any
interval is narrower than the smallest count that may be shown, one more sum is suppressed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["PROFILES", "Profile", "control", "control_groups", "exposure", "suppress"]

_COUNTS = ("n", "events")
_NUMBERS = ("value", "ci_low", "ci_high")
_DIGITS = 3


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

    @property
    def sentence(self) -> str:
        """Say the rules."""
        rounding = f"; shown counts are rounded to multiples of {self.base}" if self.base > 1 else ""
        return (
            f"Profile {self.name}: counts from 1 to {self.smallest - 1}, and whatever would reveal them by "
            f"subtraction, are suppressed{rounding}. Estimates are shown with {_DIGITS} significant digits."
        )

    def count(self, number: float) -> float:
        """Give a count as it may be shown; NaN where it may not."""
        return (
            float("nan") if 0 < number < self.smallest else float(_round_to(np.array(number, dtype=float), self.base))
        )


class _Profiles(dict[str, Profile]):
    def of(self, name: str) -> Profile:
        """Find a profile by name."""
        if name not in self:
            raise DefinitionError(f"disclosure profile '{name}' is not known; choose one of {', '.join(self)}")
        return self[name]


PROFILES = _Profiles(acro=Profile("acro", 10), opensafely=Profile("opensafely", 8, 5), ohdsi=Profile("ohdsi", 5))


def suppress(
    members: NDArray[np.bool_], counts: NDArray[np.int64], smallest: int, keep: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Choose which sums must not be shown.

    Parameters
    ----------
    members : bool array of shape (n_sums, n_atoms)
        Which atoms each published sum adds up.
    counts : int array of shape (n_sums,)
    smallest : int
        Smallest count above 0 that may be shown.
    keep : bool array of shape (n_sums,), optional
        Sums to give up last.

    Returns
    -------
    bool array of shape (n_sums,)
        Sums to suppress. Given the others, and that counts are at least 0, none of them can be placed in an interval
        narrower than `smallest`. Zeros are shown.
    """
    hidden = (counts > 0) & (counts < smallest)
    size = members.sum(axis=1)
    wanted = np.zeros(len(counts), dtype=np.bool_) if keep is None else keep
    while (exposed := _first_exposed(members, counts, hidden, smallest)) is not None:
        candidates = np.flatnonzero(~hidden & (counts > 0))
        if not len(candidates):
            break
        # What can shield overlaps the exposed sum or stands in a larger sum with it. Finest and smallest first.
        near = members[(members & members[exposed]).any(axis=1)].any(axis=0)
        far = ~(members[candidates] & near).any(axis=1)
        order = np.lexsort((counts[candidates], size[candidates] > 1, wanted[candidates], far))
        hidden[candidates[order[0]]] = True
    return hidden


def _first_exposed(
    members: NDArray[np.bool_], counts: NDArray[np.int64], hidden: NDArray[np.bool_], smallest: int
) -> int | None:
    for which in np.flatnonzero(hidden).tolist():
        low, high = exposure(members, counts, hidden, which)
        if high - low < smallest - 1e-6:
            return int(which)
    return None


def exposure(
    members: NDArray[np.bool_], counts: NDArray[np.int64], hidden: NDArray[np.bool_], which: int
) -> tuple[float, float]:
    """Smallest and largest value of a hidden sum that the shown sums allow."""
    from scipy.optimize import linprog

    objective = members[which].astype(np.float64)
    if not (~hidden).any():
        return 0.0, np.inf
    equal, right = members[~hidden].astype(np.float64), counts[~hidden].astype(np.float64)
    ends = []
    for sign in (1.0, -1.0):
        solved = linprog(sign * objective, A_eq=equal, b_eq=right, bounds=(0, None), method="highs")
        ends.append(sign * float(solved.fun or 0.0) if solved.status == 0 else sign * -np.inf)
    return max(ends[0], 0.0), ends[1]


def control(
    tables: Mapping[str, pd.DataFrame], profile: Profile, *, ranked_by_risk: bool = True
) -> dict[str, pd.DataFrame]:
    """Give the tables as they may leave.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of an `Evaluation`.
    profile : Profile
    ranked_by_risk : bool
        Whether flags at capacities and tenths of risk order people in the same way: they are then protected together.

    Returns
    -------
    dict of str to DataFrame
        Suppressed numbers are NaN with the reason in ``note``; suppressed counts are missing.
    """
    from prodromal.evaluate.margins import systems

    hidden: dict[str, dict[str, NDArray[np.bool_]]] = {
        name: {count: np.zeros(len(frame), dtype=np.bool_) for count in _COUNTS} for name, frame in tables.items()
    }
    for count in _COUNTS:
        for system in systems(tables, count, ranked_by_risk=ranked_by_risk):
            chosen = suppress(system.members, system.counts, profile.smallest, system.keep)
            for name, rows in system.rows_of(chosen):
                hidden[name][count][rows] = True
    return {name: _shown(frame, hidden[name], profile) for name, frame in tables.items()}


def control_groups(frame: pd.DataFrame, profile: Profile, *, size: str = "people") -> pd.DataFrame:
    """Give a table of disjoint groups that make up a known total, without the rows of small groups.

    Parameters
    ----------
    frame : DataFrame
        One row a group; `size` is its number of people.
    profile : Profile
    size : str
        Column of whole numbers. Where it is absent, the table is given back as it is.

    Returns
    -------
    DataFrame
        Numbers of suppressed groups are NaN; where one group alone would be hidden, the next smallest is, too.
    """
    if size not in frame:
        return frame
    values = frame[size].to_numpy(dtype=np.int64)
    members = np.concatenate([np.eye(len(values), dtype=np.bool_), np.ones((1, len(values)), dtype=np.bool_)])
    counts = np.append(values, values.sum())
    hidden = suppress(members, counts, profile.smallest, keep=np.append(np.zeros(len(values), bool), True))[:-1]
    out = frame.copy()
    out[size] = _round_to(values.astype(np.float64), profile.base)
    numbers = out.select_dtypes("number").columns
    out = out.astype(dict.fromkeys(numbers, np.float64))
    out.loc[hidden, numbers] = np.nan
    return out


def _shown(frame: pd.DataFrame, hidden: dict[str, NDArray[np.bool_]], profile: Profile) -> pd.DataFrame:
    out = frame.copy()
    gone = np.zeros(len(out), dtype=np.bool_)
    for count in _COUNTS:
        if count not in out:
            continue
        values = out[count].to_numpy(dtype=np.float64)
        cover = hidden[count] | ((values > 0) & (values < profile.smallest))
        out[count] = _round_to(np.where(cover, np.nan, values), profile.base)
        gone |= cover & _revealing(out, count)
    for name in (*_NUMBERS, "population"):
        if name in out:
            values = out[name].to_numpy(dtype=np.float64)
            out[name] = np.where(gone, np.nan, significant(values))
    reason = f"suppressed: fewer than {profile.smallest}, or it would reveal such a count"
    out["note"] = np.where(gone, reason, out["note"].astype(str))
    return out


def _revealing(frame: pd.DataFrame, count: str) -> NDArray[np.bool_]:
    """Rows whose numbers would tell the count: all but the mean predicted risk, and the share flagged."""
    if count == "n" or "measure" not in frame:
        return np.ones(len(frame), dtype=np.bool_)
    return ~frame["measure"].isin(["expected_risk", "share_flagged"]).to_numpy()


def _round_to(values: NDArray[np.float64], base: int) -> NDArray[np.float64]:
    return values if base == 1 else np.round(values / base) * base


def significant(values: NDArray[np.float64], digits: int = _DIGITS) -> NDArray[np.float64]:
    """Round to so many significant digits."""
    fine = np.isfinite(values) & (values != 0)
    power = np.zeros_like(values)
    power[fine] = digits - 1 - np.floor(np.log10(np.abs(values[fine])))
    rounded = values.copy()
    rounded[fine] = [round(float(v), int(p)) for v, p in zip(values[fine], power[fine], strict=True)]
    return rounded
