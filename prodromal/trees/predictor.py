"""What the trees give to a coded row: the bits of the library's own sum, at a fraction of its cost."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.trees.codes import code_splits

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.trees.arrays import CodeBook, Ints, SplitCodes
    from prodromal.trees.coded import CodedRows
    from prodromal.trees.forest import Forest

__all__ = ["Predictor"]

_ROWS_PER_BLOCK = 512
_MOST_LEAVES = 64


@dataclass(frozen=True)
class Predictor:
    """A forest made ready to predict coded rows.

    Parameters
    ----------
    book, splits : CodeBook, SplitCodes
        Cut points, and the code column and bound of every split.
    split_from, leaf_from : ndarray of int64, shape (n_trees + 1,)
        Where each tree's splits and leaves begin.
    left_leaves : ndarray of uint64, shape (n_splits,)
        The leaves of its tree, one bit each from left to right, that a row cannot reach if it goes right at the split.
    value : ndarray of float32, shape (n_leaves,)
        From left to right within each tree.
    base_margin : float
        What the sum starts from.

    Notes
    -----
    A row's leaf is the leftmost one that no split which sends it right has ruled out (QuickScorer). Leaves are added in
    the order of trees in single precision, as the library does it.
    """

    book: CodeBook
    splits: SplitCodes
    split_from: Ints
    leaf_from: Ints
    left_leaves: npt.NDArray[np.uint64]
    value: npt.NDArray[np.float32]
    base_margin: float

    @classmethod
    def of(cls, forest: Forest) -> Predictor | None:
        """Make a forest ready; None where a tree has more than 64 leaves."""
        trees = [_walk(forest, int(root)) for root in forest.roots]
        if any(len(leaves) > _MOST_LEAVES for _, _, leaves in trees):
            return None
        nodes = np.array([node for splits, _, _ in trees for node in splits], dtype=np.int64)
        leaves = np.array([leaf for _, _, found in trees for leaf in found], dtype=np.int64)
        book, splits = code_splits(forest.feature[nodes], forest.threshold[nodes], forest.default_left[nodes])
        return cls(
            book,
            splits,
            np.cumsum([0, *(len(own) for own, _, _ in trees)], dtype=np.int64),
            np.cumsum([0, *(len(found) for _, _, found in trees)], dtype=np.int64),
            np.array([mask for _, masks, _ in trees for mask in masks], dtype=np.uint64),
            forest.threshold[leaves],
            forest.base_margin,
        )

    def margins(self, rows: CodedRows) -> npt.NDArray[np.float32]:
        """The trees' output, shape (n_rows,), for rows coded by this book."""
        from prodromal.trees.descend import descend

        out = np.full(rows.distinct, self.base_margin, dtype=np.float32)
        descend(
            rows.codes, _ROWS_PER_BLOCK, self.splits, self.split_from, self.leaf_from, self.left_leaves, self.value, out
        )
        return rows.spread(out)


def _walk(forest: Forest, root: int) -> tuple[list[int], list[int], list[int]]:
    """Splits of a tree, the bits of the leaves to the left of each, and its leaves from left to right."""
    splits: list[int] = []
    masks: list[int] = []
    leaves: list[int] = []
    first_leaf: dict[int, int] = {}
    waiting = [(root, False)]
    while waiting:
        node, left_is_done = waiting.pop()
        if forest.left[node] < 0:
            leaves.append(node)
        elif left_is_done:
            splits.append(node)
            masks.append((1 << len(leaves)) - (1 << first_leaf[node]))
        else:
            first_leaf[node] = len(leaves)
            waiting += [(int(forest.right[node]), False), (node, True), (int(forest.left[node]), False)]
    return splits, masks, leaves
