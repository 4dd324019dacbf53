"""The model's own cut points, so that a value becomes one byte and a split one comparison of bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.trees.arrays import CodeBook, SplitCodes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from prodromal.trees.arrays import Ints

__all__ = ["CUTS_PER_COLUMN", "code_splits"]

CUTS_PER_COLUMN = 254


def code_splits(
    feature: Ints, threshold: npt.NDArray[np.float32], default_left: npt.NDArray[np.bool_]
) -> tuple[CodeBook, SplitCodes]:
    """Give every split its code column and its bound there.

    Parameters
    ----------
    feature, threshold, default_left : ndarray, shape (n_splits,)
        A row goes left where its value is below the threshold, or missing and ``default_left``.
    """
    columns: list[int] = []
    cuts: list[npt.NDArray[np.float32]] = []
    column = np.zeros(len(feature), np.int64)
    rank = np.zeros(len(feature), np.int64)
    by_feature = np.argsort(feature, kind="stable")
    for own in _runs(feature, by_feature):
        distinct = np.unique(threshold[own])
        order = np.searchsorted(distinct, threshold[own])
        column[own] = len(columns) + order // CUTS_PER_COLUMN
        rank[own] = order % CUTS_PER_COLUMN
        parts = np.split(distinct, range(CUTS_PER_COLUMN, len(distinct), CUTS_PER_COLUMN))
        columns.extend([int(feature[own[0]])] * len(parts))
        cuts.extend(parts)
    book = CodeBook(
        feature=np.array(columns, np.int64),
        cut_from=np.cumsum([0, *map(len, cuts)], dtype=np.int64),
        cuts=np.concatenate([np.empty(0, np.float32), *cuts]),
    )
    shift = default_left.astype(np.uint8)
    return book, SplitCodes(column, rank.astype(np.uint8) + shift, shift)


def _runs(feature: Ints, order: Ints) -> Sequence[Ints]:
    if not len(order):
        return ()
    return np.split(order, np.flatnonzero(np.diff(feature[order])) + 1)
