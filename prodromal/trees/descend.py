"""The loops from codes to leaves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.compiled import compiled

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.trees.arrays import Bytes, Ints, SplitCodes, Steps

__all__ = ["descend"]


@compiled
def descend(
    codes: Bytes,
    block: int,
    splits: SplitCodes,
    steps: Steps,
    split_from: Ints,
    leaf_from: Ints,
    value: npt.NDArray[np.float32],
    out: npt.NDArray[np.float32],
) -> None:
    """Add every tree's leaf to ``out[row]``, for rows coded as ``codes[column, row]``."""
    code = np.empty((codes.shape[0], block), np.uint8)
    leaf = np.empty((_places(steps), block), np.uint8)
    for row in range(0, codes.shape[1], block):
        rows = min(block, codes.shape[1] - row)
        for column in range(codes.shape[0]):
            for r in range(rows):
                code[column, r] = codes[column, row + r]
        for tree in range(split_from.size - 1):
            if split_from[tree] == split_from[tree + 1]:
                leaf[0, :rows] = 0
            for s in range(split_from[tree], split_from[tree + 1]):
                own, found = code[splits.column[s]], leaf[steps.place[s], :rows]
                below, left, right = 2 * (steps.place[s] // 2 + 1), steps.left[s], steps.right[s]
                if left < 0 and right < 0:
                    _of_two(own, splits.bound[s], splits.shift[s], leaf[below], leaf[below + 1], found)
                elif left < 0:
                    _of_left(own, splits.bound[s], splits.shift[s], leaf[below], np.uint8(right), found)
                elif right < 0:
                    _of_right(own, splits.bound[s], splits.shift[s], np.uint8(left), leaf[below + 1], found)
                else:
                    _of_none(own, splits.bound[s], splits.shift[s], np.uint8(left), np.uint8(right), found)
            _add(leaf[0], value[leaf_from[tree] : leaf_from[tree + 1]], out[row : row + rows])


@compiled
def _places(steps: Steps) -> int:
    most = 0
    for s in range(steps.place.size):
        most = max(most, steps.place[s])
    return 2 * (most // 2 + 1) + 2


@compiled
def _mask(code: Any, bound: Any, shift: Any) -> Any:
    """All bits of a byte where a row goes left, none where it goes right: sixty-four rows an instruction, no branch."""
    return np.uint8(255) if np.uint8(code + shift) <= bound else np.uint8(0)


# Four loops, for a leaf's number that is a scalar costs a fifth less than one repeated for every row.
@compiled
def _of_two(code: Bytes, bound: Any, shift: Any, left: Bytes, right: Bytes, out: Bytes) -> None:
    for r in range(out.size):
        out[r] = right[r] ^ ((left[r] ^ right[r]) & _mask(code[r], bound, shift))


@compiled
def _of_left(code: Bytes, bound: Any, shift: Any, left: Bytes, right: Any, out: Bytes) -> None:
    for r in range(out.size):
        out[r] = right ^ ((left[r] ^ right) & _mask(code[r], bound, shift))


@compiled
def _of_right(code: Bytes, bound: Any, shift: Any, left: Any, right: Bytes, out: Bytes) -> None:
    for r in range(out.size):
        out[r] = right[r] ^ ((left ^ right[r]) & _mask(code[r], bound, shift))


@compiled
def _of_none(code: Bytes, bound: Any, shift: Any, left: Any, right: Any, out: Bytes) -> None:
    for r in range(out.size):
        out[r] = right ^ ((left ^ right) & _mask(code[r], bound, shift))


@compiled
def _add(leaf: Bytes, value: npt.NDArray[np.float32], out: npt.NDArray[np.float32]) -> None:
    for r in range(out.size):
        out[r] += value[leaf[r]]
