"""Read a gradient-boosted booster into arrays, refusing what cannot be explained exactly."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    import xgboost

    from prodromal.trees.arrays import Floats, Ints

__all__ = ["Forest", "read_forest", "read_learner"]

_LOGIT_LINK = frozenset({"binary:logistic", "reg:logistic"})
_LOG_LINK = frozenset({"count:poisson", "reg:gamma", "reg:tweedie", "survival:cox", "survival:aft"})
_LEAST = np.float32(1e-6)


@dataclass(frozen=True)
class Forest:
    """The nodes of all trees of a booster, and the margin that they start from.

    A leaf has no children (-1) and carries its value as ``threshold``. Thresholds are float32, as the library
    compares them; covers are sums of Hessians.
    """

    roots: Ints
    left: Ints
    right: Ints
    feature: Ints
    threshold: npt.NDArray[np.float32]
    default_left: npt.NDArray[np.bool_]
    cover: Floats
    n_features: int
    base_margin: float


def read_forest(booster: xgboost.Booster) -> Forest:
    """Read the trees that ``booster`` adds up.

    Parameters
    ----------
    booster : xgboost.Booster
        A ``gbtree`` model with one output and numeric splits.

    Raises
    ------
    BundleError
        The model is of another kind (dart, linear, categorical splits, several outputs), or its trees are malformed.
    """
    return read_learner(json.loads(bytes(booster.save_raw("json")))["learner"])


def read_learner(learner: Mapping[str, Any]) -> Forest:
    """Read the trees of a model file; see ``read_forest``."""
    _check_kind(learner)
    forest = _join(learner["gradient_booster"]["model"]["trees"], learner)
    _check_nodes(forest)
    return forest


def _check_kind(learner: Mapping[str, Any]) -> None:
    kind = learner["gradient_booster"]["name"]
    if kind != "gbtree":
        raise BundleError(f"model: contributions are exact for gbtree only, this one is {kind}; train with gbtree")
    params, model = learner["learner_model_param"], learner["gradient_booster"]["model"]
    if any(weight != 1.0 for weight in model.get("weight_drop", ())):  # how dart is stored from library 3.4 on
        raise BundleError("model: its trees are weighted (dart), contributions need plain sums; train without dropout")
    outputs = max(int(params.get("num_class", 0)), int(params.get("num_target", 1)), len(set(model["tree_info"])), 1)
    if outputs > 1 or any(int(tree["tree_param"]["size_leaf_vector"]) > 1 for tree in model["trees"]):
        raise BundleError(f"model: it has {outputs} outputs or vector leaves, contributions need exactly one output")
    categorical = sum(any(tree["split_type"]) for tree in model["trees"])
    if categorical:
        n_trees = len(model["trees"])
        raise BundleError(f"model: {categorical} of {n_trees} trees split on categories; train on numeric features")


def _join(trees: Sequence[Mapping[str, Any]], learner: Mapping[str, Any]) -> Forest:
    sizes = [len(tree["left_children"]) for tree in trees]
    roots = np.cumsum([0, *sizes], dtype=np.int64)[:-1]

    def column(name: str, dtype: type[np.generic]) -> npt.NDArray[Any]:
        found = np.array([*chain.from_iterable(tree[name] for tree in trees)], dtype)
        if len(found) != sum(sizes):
            raise BundleError(f"model: {name} has {len(found)} entries for {sum(sizes)} nodes; the file is damaged")
        return found

    shift, size = np.repeat(roots, sizes), np.repeat(np.array(sizes, np.int64), sizes)
    left, right = (column(name, np.int64) for name in ("left_children", "right_children"))
    if (np.maximum(left, right) >= size).any() or ((left < 0) != (right < 0)).any() or 0 in sizes:
        raise BundleError("model: a tree has children that do not exist; the file is damaged")
    return Forest(
        roots=roots,
        left=np.where(left < 0, -1, left + shift),
        right=np.where(right < 0, -1, right + shift),
        feature=column("split_indices", np.int64),
        threshold=column("split_conditions", np.float32),
        default_left=column("default_left", np.bool_),
        cover=column("sum_hessian", np.float32).astype(np.float64),
        n_features=int(learner["learner_model_param"]["num_feature"]),
        base_margin=_base_margin(learner),
    )


def _base_margin(learner: Mapping[str, Any]) -> float:
    found = json.loads(learner["learner_model_param"]["base_score"])
    scores = found if isinstance(found, list) else [found]
    if len(scores) != 1:
        raise BundleError(f"model: base_score has {len(scores)} values, contributions need exactly 1")
    score, objective = np.float32(scores[0]), learner["objective"]["name"]
    if objective in _LOGIT_LINK:
        one = np.float32(1.0)
        chance = np.clip(score, _LEAST, one - _LEAST)  # clipped, and in float32, as the library does it
        return float(-np.log(one / chance - one))
    if objective in _LOG_LINK and score <= 0.0:
        raise BundleError(f"model: base_score must be above 0 for the objective {objective}")
    return math.log(score) if objective in _LOG_LINK else float(score)


def _check_nodes(forest: Forest) -> None:
    nodes = _reachable(forest)
    splits, leaves = nodes[forest.left[nodes] >= 0], nodes[forest.left[nodes] < 0]
    beyond = int(((forest.feature[splits] < 0) | (forest.feature[splits] >= forest.n_features)).sum())
    if beyond:
        raise BundleError(
            f"model: {beyond} of {len(splits)} splits use a feature beyond the {forest.n_features} declared"
        )
    if np.isnan(forest.threshold[splits]).any() or not np.isfinite(forest.threshold[leaves]).all():
        raise BundleError("model: a tree has a threshold or a leaf value that is not a number; the file is damaged")
    cover = forest.cover[nodes]
    if not np.isfinite(cover).all() or (cover < 0.0).any() or (forest.cover[splits] == 0.0).any():
        raise BundleError("model: a tree has a cover that is negative, not finite, or zero at a split; train again")


def _reachable(forest: Forest) -> Ints:
    level, seen = forest.roots, np.zeros(len(forest.left), np.bool_)
    while len(level):
        if seen[level].any() or len(np.unique(level)) < len(level):
            raise BundleError("model: a node has two parents, so it is not a tree; the file is damaged")
        seen[level] = True
        inner = level[forest.left[level] >= 0]
        level = np.concatenate([forest.left[inner], forest.right[inner]])
    return np.flatnonzero(seen)
