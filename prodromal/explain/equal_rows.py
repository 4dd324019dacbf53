"""Rows that no split of a model can tell apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.explain.arrays import Bytes, CodeBook, Ints

__all__ = ["stand_ins"]

ROWS_PER_BLOCK = 512


def stand_ins(book: CodeBook, rows: npt.NDArray[np.float32]) -> Ints:
    """For each row, the first row with the same codes.

    Rows are brought together by a hash; where two that differ share one, the later stands for itself.
    """
    from prodromal.explain import kernels

    code = kernels.encode_all(rows, ROWS_PER_BLOCK, book)
    _, first, place = np.unique(_hash(code), return_index=True, return_inverse=True)
    found = first[place].astype(np.int64)
    later = np.flatnonzero(found != np.arange(len(rows)))
    same = np.ones(len(later), np.bool_)
    for column in code:
        same &= column[later] == column[found[later]]
    found[later[~same]] = later[~same]
    return found


def _hash(code: Bytes) -> npt.NDArray[np.uint64]:
    """FNV-1a, one byte a column."""
    mixed = np.full(code.shape[1], 0xCBF29CE484222325, np.uint64)
    for column in code:
        mixed = (mixed ^ column) * np.uint64(0x100000001B3)
    return mixed
