"""The loops from values to codes, and from codes to outcomes of splits and to hashes of rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.trees.arrays import Bytes, CodeBook, SplitCodes

__all__ = ["compare", "encode", "encode_all", "mix"]

MISSING = np.uint8(255)
LEFT = np.uint8(255)
RIGHT = np.uint8(0)


@compiled
def encode(matrix: npt.NDArray[np.float32], row: int, rows: int, book: CodeBook, code: Bytes) -> None:
    """Write the codes of ``rows`` rows from ``row`` on into ``code[column, :rows]``."""
    value = np.empty(rows, np.float32)
    for column in range(book.feature.size):
        codes, feature = code[column], book.feature[column]
        for r in range(rows):
            value[r] = matrix[row + r, feature]
            codes[r] = 0
        for k in range(book.cut_from[column], book.cut_from[column + 1]):
            cut = book.cuts[k]
            for r in range(rows):
                codes[r] += value[r] >= cut
        for r in range(rows):
            if np.isnan(value[r]):
                codes[r] = MISSING


@compiled
def encode_all(matrix: npt.NDArray[np.float32], block: int, book: CodeBook, first: int, out: Bytes) -> None:
    """Write the codes of all rows to ``out[column, first:]``; by blocks, so that the rows stay in the cache."""
    n_rows = matrix.shape[0]
    code = np.empty((book.feature.size, block), np.uint8)
    for row in range(0, n_rows, block):
        rows = min(block, n_rows - row)
        encode(matrix, row, rows, book, code)
        for column in range(book.feature.size):
            for r in range(rows):
                out[column, first + row + r] = code[column, r]


@compiled
def mix(codes: Bytes, block: int) -> npt.NDArray[np.uint64]:
    """Return a hash of each row, coded as ``codes[column, row]``: FNV-1a, one byte a column."""
    mixed = np.full(codes.shape[1], 0xCBF29CE484222325, np.uint64)
    for row in range(0, codes.shape[1], block):
        for column in range(codes.shape[0]):
            _mix_in(codes[column, row : row + block], mixed[row : row + block])
    return mixed


@compiled
def _mix_in(code: Bytes, mixed: npt.NDArray[np.uint64]) -> None:
    for r in range(mixed.size):
        mixed[r] = (mixed[r] ^ np.uint64(code[r])) * np.uint64(0x100000001B3)


@compiled
def compare(code: Bytes, rows: int, splits: SplitCodes, split_from: int, split_to: int, left: Bytes) -> None:
    """Say for each row and split of a tree whether the row goes left (255) or right (0)."""
    for split in range(split_from, split_to):
        codes, goes_left = code[splits.column[split]], left[split - split_from]
        bound, shift = splits.bound[split], splits.shift[split]
        for r in range(rows):
            goes_left[r] = LEFT if np.uint8(codes[r] + shift) <= bound else RIGHT
