"""Rows as codes; rows that no split of a model can tell apart are kept once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from prodromal.trees.arrays import Bytes, CodeBook, Ints

__all__ = ["CodedRows", "code_blocks", "code_rows"]

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
    return code_blocks(book, [rows], len(rows), once=once)


def code_blocks(book: CodeBook, blocks: Iterable[npt.NDArray[np.float32]], n_rows: int, *, once: bool) -> CodedRows:
    """Code the `n_rows` rows of a matrix that comes in blocks; see ``code_rows``."""
    from prodromal.trees.encode import encode_all

    codes = np.empty((len(book.feature), n_rows), dtype=np.uint8)
    first = 0
    for rows in blocks:
        encode_all(rows, _ROWS_PER_BLOCK, book, first, codes)
        first += len(rows)
    if once:
        mixed = _hash(codes)
        if _count_distinct(mixed) < _WORTHWHILE * n_rows:  # there are at least as many distinct rows
            distinct, place = np.unique(_stand_ins(codes, mixed), return_inverse=True)
            return CodedRows(np.ascontiguousarray(codes[:, distinct]), place)
    return CodedRows(codes, None)


def _count_distinct(values: npt.NDArray[np.uint64]) -> int:
    ordered = np.sort(values)
    return int(np.count_nonzero(ordered[1:] != ordered[:-1])) + 1


def _stand_ins(codes: Bytes, mixed: npt.NDArray[np.uint64]) -> Ints:
    """For each row, the first row with the same codes.

    Rows are brought together by a hash; where two that differ share one, the later stands for itself.
    """
    _, first, place = np.unique(mixed, return_index=True, return_inverse=True)
    found = first[place].astype(np.int64)
    later = np.flatnonzero(found != np.arange(codes.shape[1]))
    same = np.ones(len(later), np.bool_)
    for column in codes:
        same &= column[later] == column[found[later]]
    found[later[~same]] = later[~same]
    return found


def _hash(codes: Bytes) -> npt.NDArray[np.uint64]:
    from prodromal.trees.encode import mix

    return mix(codes, _ROWS_PER_BLOCK)
