"""Matched sets as consecutive rows, without those that can tell nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError, NotEstimable

if TYPE_CHECKING:
    from prodromal.association.newton import Floats

__all__ = ["Strata", "columns_of"]

_Ints = npt.NDArray[np.int64]


def columns_of(X: Any, rows: int, what: str) -> tuple[tuple[str, ...], Floats]:
    """Names and values of covariates given as a frame or an array; every value must be finite."""
    names = tuple(map(str, X.columns)) if hasattr(X, "columns") else None
    values = np.asarray(X, dtype=np.float64)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim != 2 or len(values) != rows or not values.shape[1]:
        raise DataError(f"{what}: covariates of shape {values.shape} for {rows} rows; give one row a person")
    names = names or tuple(f"x{i + 1}" for i in range(values.shape[1]))
    if bad := int((~np.isfinite(values)).any(axis=1).sum()):
        raise DataError(f"{what}: {bad} of {rows} rows have a missing or infinite covariate; leave them out or fill it")
    return names, values


@dataclass(frozen=True, eq=False)
class Strata:
    """Informative matched sets: at least one case and one other each.

    Parameters
    ----------
    order : ndarray of int64, shape (n_rows,)
        Rows of the input, sets one after the other.
    start, sizes, cases : ndarray of int64, shape (n_sets,)
        First row of each set, its members, and how many of them are cases.
    is_case : ndarray of bool, shape (n_rows,)
    """

    order: _Ints
    start: _Ints
    sizes: _Ints
    cases: _Ints
    is_case: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, case: Any, sets: Any) -> Strata:
        """Sort rows into sets and leave out the sets without a case or without anybody else.

        Raises
        ------
        DataError
            If `case` holds anything but 0 and 1, or the lengths differ.
        NotEstimable
            If no set has both.
        """
        y, label = np.asarray(case), np.asarray(sets)
        if y.shape != label.shape or y.ndim != 1:
            raise DataError(f"matched sets: {y.shape} cases and {label.shape} sets; give one of each a row")
        if wrong := int((~np.isin(y, (0, 1))).sum()):
            raise DataError(f"matched sets: 'case' is neither 0 nor 1 in {wrong} of {len(y)} rows")
        code = np.unique(label, return_inverse=True)[1] if len(label) else label.astype(np.int64)
        cases, sizes = np.bincount(code, weights=y).astype(np.int64), np.bincount(code)
        useful = (cases > 0) & (cases < sizes)
        if not useful.any():
            raise NotEstimable(f"none of the {len(sizes)} matched sets has both a case and somebody else")
        order = np.argsort(code, kind="stable")
        order = order[useful[code[order]]]
        kept = sizes[useful]
        start = np.concatenate([[0], np.cumsum(kept)[:-1]]).astype(np.int64)
        return cls(order, start, kept, cases[useful], y[order] == 1)

    def sum(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Sums over sets."""
        return np.asarray(np.add.reduceat(values, self.start, axis=0))

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Values of sets on their rows."""
        return np.repeat(values, self.sizes, axis=0)

    def without(self, rows: npt.NDArray[np.bool_]) -> tuple[Strata, npt.NDArray[np.bool_]]:
        """Leave rows out; gives the strata of the rest and which rows, of these, they kept."""
        label = self.spread(np.arange(len(self.sizes)))
        rest = Strata.of(self.is_case[~rows].astype(int), label[~rows])
        kept = np.zeros(len(rows), dtype=bool)
        kept[np.flatnonzero(~rows)[rest.order]] = True
        return Strata(self.order[kept], rest.start, rest.sizes, rest.cases, rest.is_case), kept
