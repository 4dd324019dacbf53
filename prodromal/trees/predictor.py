"""What the trees give to a coded row: the bits of the library's own sum, at a fraction of its cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.trees.arrays import Steps
from prodromal.trees.coded import code_blocks
from prodromal.trees.codes import code_splits

if TYPE_CHECKING:
    from collections.abc import Iterable

    import numpy.typing as npt

    from prodromal.trees.arrays import CodeBook, Ints, SplitCodes
    from prodromal.trees.coded import CodedRows
    from prodromal.trees.forest import Forest

__all__ = ["Predictor"]

_ROWS_PER_BLOCK = 2048
_MOST_LEAVES = 256


@dataclass(frozen=True)
class Predictor:
    """A forest made ready to predict coded rows.

    Parameters
    ----------
    book, splits : CodeBook, SplitCodes
        Cut points, and the code column and bound of every split.
    steps : Steps
        What each split chooses between; within a tree, a split comes behind those below it.
    split_from, leaf_from : ndarray of int64, shape (n_trees + 1,)
        Where each tree's splits and leaves begin.
    value : ndarray of float32, shape (n_leaves,)
        From left to right within each tree.
    base_margin : float
        What the sum starts from.

    Notes
    -----
    A row's leaf is found from below: every split picks the leaf of its left or of its right side, one byte a row.
    Leaves are added in the order of trees in single precision, as the library does it.
    """

    book: CodeBook
    splits: SplitCodes
    steps: Steps
    split_from: Ints
    leaf_from: Ints
    value: npt.NDArray[np.float32]
    base_margin: float

    @classmethod
    def of(cls, forest: Forest) -> Predictor | None:
        """Make a forest ready; None where a tree has more than 256 leaves."""
        trees = [_walk(forest, int(root)) for root in forest.roots]
        if any(len(leaves) > _MOST_LEAVES for _, leaves in trees):
            return None
        walked = np.array([step for steps, _ in trees for step in steps], dtype=np.int64).reshape(-1, 4)
        leaves = np.array([leaf for _, found in trees for leaf in found], dtype=np.int64)
        nodes, *choices = np.ascontiguousarray(walked.T)
        book, splits = code_splits(forest.feature[nodes], forest.threshold[nodes], forest.default_left[nodes])
        return cls(
            book,
            splits,
            Steps(*choices),
            np.cumsum([0, *(len(steps) for steps, _ in trees)], dtype=np.int64),
            np.cumsum([0, *(len(found) for _, found in trees)], dtype=np.int64),
            forest.threshold[leaves],
            forest.base_margin,
        )

    def code(self, blocks: Iterable[npt.NDArray[np.float32]], n_rows: int) -> CodedRows:
        """Code the `n_rows` rows of a matrix that comes in blocks; equal rows once."""
        return code_blocks(self.book, blocks, n_rows, once=True)

    def margins(self, rows: CodedRows) -> npt.NDArray[np.float32]:
        """The trees' output, shape (n_rows,), for rows coded by this book."""
        from prodromal.trees.descend import descend

        out = np.full(rows.distinct, self.base_margin, dtype=np.float32)
        descend(rows.codes, _ROWS_PER_BLOCK, self.splits, self.steps, self.split_from, self.leaf_from, self.value, out)
        return rows.spread(out)


def _walk(forest: Forest, root: int) -> tuple[list[tuple[int, int, int, int]], list[int]]:
    """Splits of a tree from below, each with its place, left and right as in ``Steps``, and leaves from the left."""
    steps: list[tuple[int, int, int, int]] = []
    leaves: list[int] = []
    number: dict[int, int] = {}
    waiting = [(root, 0, False)]
    while waiting:
        node, place, is_below_done = waiting.pop()
        left, right = int(forest.left[node]), int(forest.right[node])
        if left < 0:
            number[node] = len(leaves)
            leaves.append(node)
        elif is_below_done:
            steps.append((node, place, number.get(left, -1), number.get(right, -1)))
        else:
            below = 2 * (place // 2 + 1)
            waiting += [(node, place, True), (right, below + 1, False), (left, below, False)]
    return steps, leaves
