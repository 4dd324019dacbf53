"""The loop from codes to leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.trees.arrays import Bytes, Ints, SplitCodes

__all__ = ["descend"]

_EVERY_LEAF = np.uint64(2**64 - 1)
# A power of two times this number has its exponent's own six bits on top (de Bruijn).
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_EXPONENT = np.empty(64, dtype=np.uint8)
_EXPONENT[((np.uint64(1) << np.arange(64, dtype=np.uint64)) * _DE_BRUIJN) >> np.uint64(58)] = np.arange(64)


@compiled
def descend(
    codes: Bytes,
    block: int,
    splits: SplitCodes,
    split_from: Ints,
    leaf_from: Ints,
    left_leaves: npt.NDArray[np.uint64],
    value: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
) -> None:
    """Add every tree's leaf to ``out[row]``, for rows coded as ``codes[column, row]``."""
    code = np.empty((codes.shape[0], block), np.uint8)
    reach = np.empty(block, np.uint64)
    for row in range(0, codes.shape[1], block):
        rows = min(block, codes.shape[1] - row)
        for column in range(codes.shape[0]):
            for r in range(rows):
                code[column, r] = codes[column, row + r]
        for tree in range(split_from.size - 1):
            for r in range(rows):
                reach[r] = _EVERY_LEAF
            for split in range(split_from[tree], split_from[tree + 1]):
                own, bound, shift = code[splits.column[split]], splits.bound[split], splits.shift[split]
                kept = ~left_leaves[split]
                for r in range(rows):
                    reach[r] &= _EVERY_LEAF if np.uint8(own[r] + shift) <= bound else kept
            first = leaf_from[tree]
            for r in range(rows):
                lowest = reach[r] & (~reach[r] + np.uint64(1))
                out[row + r] += value[first + _EXPONENT[(lowest * _DE_BRUIJN) >> np.uint64(58)]]
