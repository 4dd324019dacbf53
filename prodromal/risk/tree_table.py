"""One tree of a model file: every node reached once, every number fit to be used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from prodromal.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["check_tree"]

_COLUMNS = {
    "base_weights": "float32",
    "default_left": "uint8",
    "left_children": "int32",
    "loss_changes": "float32",
    "parents": "int32",
    "right_children": "int32",
    "split_conditions": "float32",
    "split_indices": "int32",
    "split_type": "uint8",
    "sum_hessian": "float32",
}
# Empty, but of their types: XGBoost reads no other.
_CATEGORIES = {
    "categories": "int32",
    "categories_nodes": "int32",
    "categories_segments": "int64",
    "categories_sizes": "int64",
}
_KEYS = {*_COLUMNS, *_CATEGORIES, "id", "tree_param"}
_NO_PARENT = 2**31 - 1
_DEEPEST = 32


def check_tree(tree: Any, number: int, of: int, n_features: int, where: str) -> tuple[float, float]:
    """Check tree `number` (from 0) of `of`; gives its smallest and largest leaf.

    Raises
    ------
    BundleError
        Naming the tree and what is wrong with it.
    """
    check = _Check(number, of, where)
    if not isinstance(tree, dict) or set(tree) != _KEYS or type(tree["id"]) is not int or tree["id"] != number:
        check.refuse("it has parts of other names than its own")
    for name, dtype in _CATEGORIES.items():
        if not isinstance(tree[name], np.ndarray) or tree[name].dtype != dtype or len(tree[name]):
            check.refuse("it splits on categories")
    n = check.size(tree, n_features)
    left, right, is_leaf = check.children(tree, n)
    check.depth(left, right, is_leaf)
    check.numbers(tree, is_leaf, n_features)
    leaves = tree["split_conditions"][is_leaf]
    return float(leaves.min()), float(leaves.max())


class _Check:
    def __init__(self, number: int, of: int, where: str) -> None:
        self._tree = f"{where}: tree {number + 1:,} of {of:,} is damaged"

    def refuse(self, why: str) -> NoReturn:
        raise BundleError(f"{self._tree}: {why}")

    def size(self, tree: Mapping[str, Any], n_features: int) -> int:
        n = len(tree["parents"]) if isinstance(tree["parents"], np.ndarray) else 0
        expected = {"num_deleted": "0", "num_feature": str(n_features), "num_nodes": str(n), "size_leaf_vector": "1"}
        if n == 0 or tree["tree_param"] != expected:
            self.refuse("its parameters do not fit its nodes")
        for name, dtype in _COLUMNS.items():
            column = tree[name]
            if not isinstance(column, np.ndarray) or column.dtype != dtype or len(column) != n:
                self.refuse(f"{name} is not one number for each of {n:,} nodes")
        return n

    def children(self, tree: Mapping[str, Any], n: int) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Children come after their parent, so there is no circle; each node but the first is the child of one."""
        left, right, parents = tree["left_children"], tree["right_children"], tree["parents"]
        is_leaf = left == -1
        splits = np.flatnonzero(~is_leaf)
        if (is_leaf != (right == -1)).any():
            self.refuse("a node has one child")
        below = np.concatenate([left[splits], right[splits]])
        above = np.concatenate([splits, splits])
        if ((below <= above) | (below >= n)).any():
            self.refuse("a child does not exist, or stands before its parent")
        if len(below) != n - 1 or len(np.unique(below)) != n - 1:
            self.refuse("a node is reached twice, or never")
        if parents[0] != _NO_PARENT or (parents[below] != above).any():
            self.refuse("a node names another parent than its own")
        return left, right, is_leaf

    def depth(self, left: npt.NDArray[Any], right: npt.NDArray[Any], is_leaf: npt.NDArray[Any]) -> None:
        level = np.zeros(1, dtype=np.int64)
        for _ in range(_DEEPEST + 1):
            level = level[~is_leaf[level]]
            if not len(level):
                return
            level = np.concatenate([left[level], right[level]])
        self.refuse(f"it is deeper than {_DEEPEST} splits")

    def numbers(self, tree: Mapping[str, Any], is_leaf: npt.NDArray[Any], n_features: int) -> None:
        feature, threshold, cover = tree["split_indices"], tree["split_conditions"], tree["sum_hessian"]
        beyond = int(((feature < 0) | (feature >= n_features)).sum())
        if beyond:
            self.refuse(f"{beyond:,} of {len(feature):,} nodes use a feature beyond the {n_features:,} of the plan")
        # Where only the missing are split off, the GPU writes minus infinity: below every value.
        if not np.isfinite(threshold[is_leaf]).all() or not (threshold[~is_leaf] < np.inf).all():
            self.refuse("a threshold or a leaf is no number")
        if not np.isfinite(cover).all() or (cover < 0).any() or (cover[~is_leaf] == 0).any():
            self.refuse("a cover is negative, not finite, or zero at a split")
        if not all(np.isfinite(tree[name]).all() for name in ("base_weights", "loss_changes")):
            self.refuse("a weight or a gain is no number")
        if (tree["default_left"] > 1).any() or tree["split_type"].any():
            self.refuse("a split is of an unknown kind")
