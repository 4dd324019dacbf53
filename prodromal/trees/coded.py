"""Rows as codes; rows that no split of a model can tell apart are kept once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.trees.arrays import Bytes, CodeBook, Ints

__all__ = ["CodedRows", "code_rows"]

_ROWS_PER_BLOCK = 512
_WORTHWHILE = 0.8


@dataclass(frozen=True)
class CodedRows:
    """Codes of distinct rows, and where each row's stand.

    Parameters
    ----------
    codes : ndarray of uint8, shape (n_columns, n_distinct)
        By the columns of a CodeBook.
    place : ndarray of int64, shape (n_rows,), optional
        The column of `codes` that each row has; None where row i has column i.
    """

    codes: Bytes
    place: Ints | None

    def __len__(self) -> int:
        return self.distinct if self.place is None else len(self.place)

    @property
    def distinct(self) -> int:
        """Number of rows to compute."""
        return int(self.codes.shape[1])

    def spread(self, values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """What was computed for the distinct rows, for every row."""
        return values if self.place is None else values[self.place]


def code_rows(book: CodeBook, rows: npt.NDArray[np.float32], *, once: bool) -> CodedRows:
    """Code the rows of a matrix.

    Parameters
    ----------
    book : CodeBook
        The model's own cut points.
    rows : ndarray of float32, shape (n_rows, n_features)
        NaN is missing.
    once : bool
        Keep equal rows once, where that leaves less than four fifths of them.
    """
    from prodromal.trees.encode import encode_all

    codes = encode_all(rows, _ROWS_PER_BLOCK, book)
    if once:
        distinct, place = np.unique(_stand_ins(codes), return_inverse=True)
        if len(distinct) < _WORTHWHILE * len(rows):
            return CodedRows(np.ascontiguousarray(codes[:, distinct]), place)
    return CodedRows(codes, None)


def _stand_ins(codes: Bytes) -> Ints:
    """For each row, the first row with the same codes.

    Rows are brought together by a hash; where two that differ share one, the later stands for itself.
    """
    _, first, place = np.unique(_hash(codes), return_index=True, return_inverse=True)
    found = first[place].astype(np.int64)
    later = np.flatnonzero(found != np.arange(codes.shape[1]))
    same = np.ones(len(later), np.bool_)
    for column in codes:
        same &= column[later] == column[found[later]]
    found[later[~same]] = later[~same]
    return found


def _hash(codes: Bytes) -> npt.NDArray[np.uint64]:
    """FNV-1a, one byte a column."""
    mixed = np.full(codes.shape[1], 0xCBF29CE484222325, np.uint64)
    for column in codes:
        mixed = (mixed ^ column) * np.uint64(0x100000001B3)
    return mixed
