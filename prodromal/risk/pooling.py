"""Cells of few people are told together with their neighbours, so that totals stay what they are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["parts", "pool"]


def pool(
    counts: npt.NDArray[np.float64], smallest: float, starts: npt.NDArray[np.bool_]
) -> npt.NDArray[np.bool_] | None:
    """Merge neighbouring cells until each part counts enough; where a row cannot, the rows are merged cell by cell.

    Parameters
    ----------
    counts : ndarray of float64, shape (n_rows, n_cells, n_kinds)
        Of each kind there must be enough.
    smallest : float
        What is enough.
    starts : ndarray of bool, shape (n_rows or 1, n_cells)
        Where a part begins that is not to be divided; one row if the rows are merged already.

    Returns
    -------
    ndarray of bool, shape (n_rows or 1, n_cells), or None
        Where the parts begin; None if all together are too few.
    """
    merged = starts.all(axis=0, keepdims=True)
    for rows in (starts, merged) if len(starts) > 1 else (merged,):
        summed = counts if len(rows) > 1 else counts.sum(axis=0, keepdims=True)
        found = [_merge(cells, row, smallest) for cells, row in zip(summed, rows, strict=True)]
        enough = [row for row in found if row is not None]
        if len(enough) == len(found):
            return np.array(enough)
    return None


def parts(starts: npt.NDArray[np.bool_], n_rows: int) -> npt.NDArray[np.int64]:
    """Number of the part of each cell, shape (n_rows * n_cells,)."""
    number = np.cumsum(starts).reshape(starts.shape) - 1
    return np.broadcast_to(number, (n_rows, starts.shape[1])).ravel()


def _merge(
    cells: npt.NDArray[np.float64], starts: npt.NDArray[np.bool_], smallest: float
) -> npt.NDArray[np.bool_] | None:
    """Parts of one row; a part of too few joins whichever of its neighbours has fewer."""
    begins = np.flatnonzero(starts)
    while True:
        least = np.add.reduceat(cells, begins, axis=0).min(axis=1)
        few = np.flatnonzero(least < smallest)
        if not len(few):
            return np.isin(np.arange(len(starts)), begins)
        if len(begins) == 1:
            return None
        part = int(few[0])
        after = part == 0 or (part + 1 < len(begins) and least[part + 1] < least[part - 1])
        begins = np.delete(begins, part + 1 if after else part)
