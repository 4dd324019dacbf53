"""Matched sets in canonical order, and the conditional likelihood over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError, NotEstimable
from prodromal.risk.conditional import Fit, fit_conditional

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MatchedSets"]

_SMALLEST_HESSIAN = 1e-6
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class MatchedSets:
    """Rows of matched sets, set by set, the case of each set first.

    Parameters
    ----------
    order : ndarray of int64, shape (n_rows,)
        Rows of the frame that the sets come from, in canonical order.
    start : ndarray of int64, shape (n_sets,)
        First row of each set, which is its case.
    """

    order: npt.NDArray[np.int64]
    start: npt.NDArray[np.int64]

    @classmethod
    def of(cls, frame: pd.DataFrame) -> MatchedSets:
        """Bring the sets of a frame into an order that does not depend on the frame's.

        Sets are sorted by the id and index date of their case, controls by id.

        Parameters
        ----------
        frame : DataFrame
            Columns ``set_id, case, person_id, index_date``.

        Raises
        ------
        DataError
            If a set does not have exactly one case.
        NotEstimable
            If there is no set with a case and a control.
        """
        case = frame["case"].to_numpy(dtype=bool)
        per_set = frame.groupby("set_id")["case"].agg(["sum", "size"])
        if wrong := int((per_set["sum"] != 1).sum()):
            raise DataError(f"{wrong} of {len(per_set)} matched sets do not have exactly one case")
        if not len(per_set) or not (per_set["size"] > 1).any():
            raise NotEstimable("no matched set has a case and a control")
        cases = frame[case].sort_values(["person_id", "index_date"], kind="stable")["set_id"]
        rank = frame["set_id"].map({name: position for position, name in enumerate(cases)}).to_numpy()
        ids = np.unique(frame["person_id"].to_numpy(), return_inverse=True)[1]
        order = np.lexsort((ids, ~case, rank))
        return cls(order, np.flatnonzero(case[order]).astype(np.int64))

    def __len__(self) -> int:
        return len(self.start)

    @property
    def cases(self) -> int:
        """Diagnoses that the likelihood rests on: one a set."""
        return len(self)

    @property
    def sizes(self) -> npt.NDArray[np.int64]:
        """Rows of each set."""
        return np.diff(np.append(self.start, len(self.order)))

    @property
    def set_of_row(self) -> npt.NDArray[np.int64]:
        """Set of each row."""
        return np.repeat(np.arange(len(self)), self.sizes)

    @property
    def is_case(self) -> npt.NDArray[np.bool_]:
        """Whether each row is its set's case."""
        mask = np.zeros(len(self.order), dtype=bool)
        mask[self.start] = True
        return mask

    def probabilities(self, score: Any) -> _Floats:
        """Softmax of `score` within each set: how likely each row is to be the case."""
        values = np.asarray(score, dtype=np.float64)
        values = values - np.repeat(np.maximum.reduceat(values, self.start), self.sizes)
        weight = np.exp(values)
        return np.asarray(weight / np.repeat(np.add.reduceat(weight, self.start), self.sizes))

    def gradient(self, score: Any) -> tuple[_Floats, _Floats]:
        """Gradient and diagonal of the Hessian of minus the log-likelihood, shape (n_rows,) each."""
        p = self.probabilities(score)
        return p - self.is_case, np.maximum(p * (1 - p), _SMALLEST_HESSIAN)

    def linear(self, X: _Floats, *, ridge: float = 0.0) -> Fit:
        """Fit a linear score: log rate ratios with standard errors; see ``fit_conditional``."""
        return fit_conditional(X, self, ridge=ridge)

    def log_likelihood(self, score: Any) -> float:
        """Sum over sets of the log probability of the case."""
        values = np.asarray(score, dtype=np.float64)
        top = np.maximum.reduceat(values, self.start)
        total = np.add.reduceat(np.exp(values - np.repeat(top, self.sizes)), self.start)
        return float(np.sum(values[self.start] - top - np.log(total)))

    def concordance(self, score: Any) -> float:
        """Share of case-control pairs of the same set in which the case scores higher; ties count half."""
        values = np.asarray(score, dtype=np.float64)
        of_case = np.repeat(values[self.start], self.sizes)
        pairs = ~self.is_case
        return float(np.mean(np.where(of_case == values, 0.5, of_case > values)[pairs]))

    def subset(self, keep: npt.NDArray[np.bool_]) -> tuple[MatchedSets, npt.NDArray[np.int64]]:
        """What remains of the sets when some rows go, and its rows in this object.

        A set that loses its case, or all its controls, goes whole.
        """
        left = np.add.reduceat(keep.astype(np.int64), self.start)
        whole = keep[self.start] & (left > 1)
        rows = np.flatnonzero(keep & np.repeat(whole, self.sizes))
        start = np.cumsum(np.append(0, left[whole]))[:-1]
        return MatchedSets(self.order[rows], start.astype(np.int64)), rows
