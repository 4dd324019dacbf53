"""Terms without a finite estimate: found before the likelihood is climbed, and named."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import NotEstimable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodromal.association.newton import Floats
    from prodromal.association.strata import Strata

__all__ = ["CONSTANT", "SEPARATED", "Separation", "refuse_joint_separation"]

CONSTANT = "not estimable: it does not vary within any matched set"
SEPARATED = "not estimable: separated ({} in every set where they differ)"
NOTHING_LEFT = "not estimable: another term separates every set in which this one varies"
_MOST_PAIRS = 200_000


@dataclass(frozen=True, eq=False)
class Separation:
    """Which terms have a finite estimate, the limits and reasons of the others, and what is left to compare.

    Parameters
    ----------
    coefficients : ndarray of float64, shape (n_terms,)
        0 where estimable, else NaN (constant) or infinite (separating).
    notes : tuple of str
    strata : Strata or None
        Rows that still compete with the cases when separating terms are at infinity; None if none do.
    kept : ndarray of bool, shape (n_rows,)
        Which rows these are.
    """

    coefficients: Floats
    notes: tuple[str, ...]
    strata: Strata | None
    kept: npt.NDArray[np.bool_]

    @property
    def estimable(self) -> npt.NDArray[np.bool_]:
        """Terms with a finite estimate."""
        return np.asarray(self.coefficients == 0)

    @classmethod
    def of(cls, strata: Strata, X: Floats, *, ignore_infinite: bool = False) -> Separation:
        """Find the limits term by term; what separates settles some comparisons, and the rest is looked at again."""
        limits, notes = np.zeros(X.shape[1]), [""] * X.shape[1]
        kept, rest = np.ones(len(X), dtype=bool), strata
        while True:
            new = _limits(rest, X[kept])
            new = np.where(np.isinf(new) & ignore_infinite, 0.0, new)
            for i in np.flatnonzero((limits == 0) & (new != 0)).tolist():
                limits[i], notes[i] = new[i], _note(new[i], whole=bool(kept.all()))
            toward = np.where(np.isinf(new), np.sign(new), 0.0)
            if not toward.any():
                return cls(limits, tuple(notes), rest, kept)
            left = _left(rest, X[kept][:, toward != 0] * toward[toward != 0])
            if left is None:
                notes = [note or NOTHING_LEFT for note in notes]
                gone = np.where(limits == 0, np.nan, limits)
                return cls(gone, tuple(notes), None, np.zeros(len(X), dtype=bool))
            rest, still = left
            kept[np.flatnonzero(kept)] = still


def _limits(strata: Strata, X: Floats) -> Floats:
    """Compare, set by set, the range of each term among cases with that among the others."""
    case = strata.is_case[:, None]
    case_low, other_low = (np.minimum.reduceat(np.where(who, X, np.inf), strata.start, axis=0) for who in (case, ~case))
    case_high, other_high = (
        np.maximum.reduceat(np.where(who, X, -np.inf), strata.start, axis=0) for who in (case, ~case)
    )
    never_below, never_above = (case_low >= other_high).all(axis=0), (case_high <= other_low).all(axis=0)
    constant = never_below & never_above
    return np.where(constant, np.nan, np.where(never_below, np.inf, np.where(never_above, -np.inf, 0.0)))


def _left(strata: Strata, toward: Floats) -> tuple[Strata, npt.NDArray[np.bool_]] | None:
    """Leave out the others who are beaten by every case of their set; None if nobody is left to compare."""
    ends = np.minimum.reduceat(np.where(strata.is_case[:, None], toward, np.inf), strata.start, axis=0)
    beaten = ~strata.is_case & (toward < strata.spread(ends)).any(axis=1)
    try:
        return strata.without(beaten)
    except NotEstimable:
        return None


def _note(value: float, *, whole: bool) -> str:
    if np.isnan(value):
        return CONSTANT if whole else NOTHING_LEFT
    return SEPARATED.format("cases higher" if value > 0 else "cases lower")


def refuse_joint_separation(strata: Strata, X: Floats, terms: Sequence[str]) -> None:
    """Raise if a combination of terms separates cases from others, as a linear programme finds it.

    Raises
    ------
    NotEstimable
        Naming the terms of the combination.
    """
    from scipy.optimize import linprog

    away = _differences(strata, X)
    scale = np.abs(away).max(axis=0)
    found: Any = linprog(-(away / scale).sum(axis=0), A_ub=-away / scale, b_ub=np.zeros(len(away)), bounds=(-1, 1))
    if found.status == 0 and -found.fun > 1e-7:
        involved = [name for name, d in zip(terms, found.x, strict=True) if abs(d) > 1e-7]
        raise NotEstimable(f"{' and '.join(involved)} together separate cases from others: no finite estimate exists")


def _differences(strata: Strata, X: Floats) -> Floats:
    """Case less other, for every pair within a set; distinct ones."""
    label = strata.spread(np.arange(len(strata.sizes)))
    case, other = np.flatnonzero(strata.is_case), np.flatnonzero(~strata.is_case)
    many = np.bincount(label[other], minlength=len(strata.sizes))
    first = np.searchsorted(label[other], label[case])
    take = np.repeat(case, many[label[case]])
    within = np.arange(len(take)) - np.repeat(np.cumsum(many[label[case]]) - many[label[case]], many[label[case]])
    pairs = X[take] - X[other[np.repeat(first, many[label[case]]) + within]]
    return np.asarray(np.unique(np.round(pairs, 12), axis=0)[:_MOST_PAIRS])
