"""The loops over coded rows: codes to outcomes of splits, outcomes to contributions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.compiled import compiled
from prodromal.trees.encode import compare

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.explain.arrays import Layout, Units
    from prodromal.trees import Bytes, Floats, Ints, SplitCodes

__all__ = ["explain_rows"]


@compiled
def explain_rows(
    codes: Bytes,
    block: int,
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
    """Write the contributions of all rows, coded as ``codes[column, row]``, to ``out[:, columns]``, and their sums."""
    code = np.empty((codes.shape[0], block), np.uint8)
    left = np.empty((_widest(layout), block), np.uint8)
    total = np.empty((columns.size, block), np.int32)
    for row in range(0, codes.shape[1], block):
        rows = min(block, codes.shape[1] - row)
        for column in range(codes.shape[0]):
            for r in range(rows):
                code[column, r] = codes[column, row + r]
        _add_trees(code, rows, splits, layout, units, table, slot, left, total)
        _hand_out(total, step, columns, row, rows, out, sums)


@compiled
def _widest(layout: Layout) -> int:
    widest = 1
    for tree in range(layout.split_from.size - 1):
        widest = max(widest, layout.split_from[tree + 1] - layout.split_from[tree])
    return widest


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
