"""The loops over rows: values to codes, codes to outcomes of splits, outcomes to contributions."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar, cast

import numpy as np
from numba import njit

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.explain.arrays import Bytes, CodeBook, Floats, Ints, Layout, SplitCodes, Units

__all__ = ["compare", "compiled", "encode", "encode_all", "explain_rows"]

Loop = TypeVar("Loop", bound=Callable[..., object])

MISSING = np.uint8(255)
LEFT = np.uint8(255)
RIGHT = np.uint8(0)


def compiled(loop: Loop) -> Loop:
    """Compile a loop once per machine, without the interpreter's lock."""
    return cast("Loop", njit(cache=True, nogil=True)(loop))


@compiled
def explain_rows(
    matrix: npt.NDArray[np.float32],
    row_from: int,
    row_to: int,
    block: int,
    book: CodeBook,
    splits: SplitCodes,
    layout: Layout,
    units: Units,
    table: npt.NDArray[np.int32],
    slot: Ints,
    step: Floats,
    columns: Ints,
    out: npt.NDArray[np.float32],
    sums: Floats,
) -> None:
    """Write the contributions of rows ``row_from:row_to`` to ``out[:, columns]`` and their sums to ``sums``."""
    code = np.empty((book.feature.size, block), np.uint8)
    left = np.empty((_widest(layout), block), np.uint8)
    total = np.empty((columns.size, block), np.int32)
    for row in range(row_from, row_to, block):
        rows = min(block, row_to - row)
        encode(matrix, row, rows, book, code)
        _add_trees(code, rows, splits, layout, units, table, slot, left, total)
        _hand_out(total, step, columns, row, rows, out, sums)


@compiled
def _widest(layout: Layout) -> int:
    widest = 1
    for tree in range(layout.split_from.size - 1):
        widest = max(widest, layout.split_from[tree + 1] - layout.split_from[tree])
    return widest


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
def encode_all(matrix: npt.NDArray[np.float32], block: int, book: CodeBook) -> Bytes:
    """Return the codes of all rows, shape (n_columns, n_rows); by blocks, so that the rows stay in the cache."""
    n_rows = matrix.shape[0]
    every = np.empty((book.feature.size, n_rows), np.uint8)
    code = np.empty((book.feature.size, block), np.uint8)
    for row in range(0, n_rows, block):
        rows = min(block, n_rows - row)
        encode(matrix, row, rows, book, code)
        for column in range(book.feature.size):
            for r in range(rows):
                every[column, row + r] = code[column, r]
    return every


@compiled
def _add_trees(
    code: Bytes,
    rows: int,
    splits: SplitCodes,
    layout: Layout,
    units: Units,
    table: npt.NDArray[np.int32],
    slot: Ints,
    left: Bytes,
    total: npt.NDArray[np.int32],
) -> None:
    outcomes = np.empty(rows, np.uint8)
    total[:] = 0
    for tree in range(layout.split_from.size - 1):
        compare(code, rows, splits, layout.split_from[tree], layout.split_from[tree + 1], left)
        for unit in range(layout.unit_from[tree], layout.unit_from[tree + 1]):
            _read_outcomes(left, units.split[units.bit_from[unit] : units.bit_from[unit + 1]], outcomes)
            for k in range(units.lookup_from[unit], units.lookup_from[unit + 1]):
                _look_up(table[units.table_from[k] : units.table_from[k + 1]], outcomes, total[slot[k]])


@compiled
def compare(code: Bytes, rows: int, splits: SplitCodes, split_from: int, split_to: int, left: Bytes) -> None:
    """Say for each row and split of a tree whether the row goes left (255) or right (0)."""
    for split in range(split_from, split_to):
        codes, goes_left = code[splits.column[split]], left[split - split_from]
        bound, shift = splits.bound[split], splits.shift[split]
        for r in range(rows):
            goes_left[r] = LEFT if np.uint8(codes[r] + shift) <= bound else RIGHT


@compiled
def _read_outcomes(left: Bytes, unit_splits: Ints, outcomes: Bytes) -> None:
    for r in range(outcomes.size):
        outcomes[r] = 0
    for bit in range(unit_splits.size):
        goes_left, weight = left[unit_splits[bit]], np.uint8(1 << bit)
        for r in range(outcomes.size):
            outcomes[r] |= goes_left[r] & weight


@compiled
def _look_up(table: npt.NDArray[np.int32], outcomes: Bytes, total: npt.NDArray[np.int32]) -> None:
    for r in range(outcomes.size):
        total[r] += table[outcomes[r]]


@compiled
def _hand_out(
    total: npt.NDArray[np.int32],
    step: Floats,
    columns: Ints,
    row: int,
    rows: int,
    out: npt.NDArray[np.float32],
    sums: Floats,
) -> None:
    for s in range(columns.size):
        for r in range(rows):
            value = np.float32(total[s, r] * step[s])
            out[row + r, columns[s]] = value
            sums[row + r] += value
