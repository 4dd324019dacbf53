"""Whether a model file holds trees that can be walked: checked on the bytes, before XGBoost sees one."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import numpy as np

from prodromal.errors import BundleError
from prodromal.risk.tree_table import check_tree

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Trees", "check_trees"]

MOST_TREES, MOST_NODES = 20_000, 1 << 20
_OBJECTIVES = frozenset({"reg:squarederror", "binary:logistic"})
_WHOLE = re.compile(r"[0-9]{1,9}", re.ASCII)
_NUMBER = re.compile(r"\[?(-?[0-9]{1,20}(?:\.[0-9]{1,20})?(?:E-?[0-9]{1,2})?)\]?", re.ASCII)
_LEARNER = {
    "attributes",
    "feature_names",
    "feature_types",
    "gradient_booster",
    "learner_model_param",
    "objective",
}
_PARAMETERS = {"base_score", "boost_from_average", "num_class", "num_feature", "num_target"}
_MODEL = {"gbtree_model_param", "iteration_indptr", "tree_info", "trees"}


@dataclass(frozen=True)
class Trees:
    """What a sound model file holds: the number of its trees, and between which margins every row must fall."""

    count: int
    lowest: float
    highest: float


def check_trees(document: Mapping[str, Any], *, n_features: int, where: str) -> Trees:
    """Check a model file that ``read_ubjson`` has read.

    Parameters
    ----------
    document : mapping
        The file.
    n_features : int
        Features of the plan beside it.
    where : str
        Names the file in messages.

    Returns
    -------
    Trees

    Raises
    ------
    BundleError
        If it is not a plain ``gbtree`` with one output and numeric splits; if a count, a length or a key is not what
        it must be; if a node has no parent or two, a child outside its tree, a feature beyond those of the plan, or a
        number that is not finite.
    """
    found = _File(where)
    found.keys(document, {"learner", "version"}, "the file")
    found.whole_list(document["version"], "version", 3)
    learner = found.keys(document["learner"], _LEARNER, "learner")
    for name, empty in (("attributes", {}), ("feature_names", []), ("feature_types", [])):
        found.empty(learner[name], empty, name)
    booster = learner["gradient_booster"]
    if not isinstance(booster, dict) or booster.get("name") != "gbtree" or "weight_drop" in booster:
        found.refuse("its trees are not plain sums (gbtree); dart and linear boosters are not read")
    found.keys(booster, {"model", "name"}, "gradient_booster")
    base = _check_learner(found, learner, n_features)
    model = dict(found.mapping(booster["model"], "model"))
    _check_categories(found, model.pop("cats", None))
    found.keys(model, _MODEL, "model")
    trees = _check_counts(found, model)
    ends = np.array([check_tree(tree, i, len(trees), n_features, where) for i, tree in enumerate(trees)])
    if sum(len(tree["parents"]) for tree in trees) > MOST_NODES:
        found.refuse(f"its trees have more than {MOST_NODES:,} nodes")
    low, high = ends.reshape(-1, 2).sum(axis=0) + base
    return Trees(len(trees), float(low), float(high))


class _File:
    """Refuses what is not as it must be, naming the file."""

    def __init__(self, where: str) -> None:
        self.where = where

    def refuse(self, why: str) -> NoReturn:
        raise BundleError(f"{self.where} is not a model that prodromal writes: {why}")

    def mapping(self, value: Any, name: str) -> dict[str, Any]:
        if not isinstance(value, dict):
            self.refuse(f"{name} is no object")
        return value

    def keys(self, value: Any, names: set[str], name: str) -> dict[str, Any]:
        found = self.mapping(value, name)
        if set(found) != names:
            self.refuse(f"{name} has {len(set(found) - names)} unknown and lacks {len(names - set(found))} known parts")
        return found

    def empty(self, value: Any, kind: Any, name: str) -> None:
        if type(value) is not type(kind) or len(value) or getattr(value, "dtype", None) != getattr(kind, "dtype", None):
            self.refuse(f"{name} is not empty")

    def whole_list(self, value: Any, name: str, length: int) -> list[int]:
        given = value.tolist() if isinstance(value, np.ndarray) else value
        if not isinstance(given, list) or len(given) != length or not all(type(item) is int for item in given):
            self.refuse(f"{name} is not a list of {length:,} whole numbers")
        if not all(0 <= item < 1 << 31 for item in given):
            self.refuse(f"{name} has numbers out of range")
        return given

    def whole(self, values: Mapping[str, Any], name: str) -> int:
        text = values[name]
        if not isinstance(text, str) or not _WHOLE.fullmatch(text):
            self.refuse(f"{name} is no whole number")
        return int(text)


def _check_learner(found: _File, learner: Mapping[str, Any], n_features: int) -> float:
    parameters = found.keys(learner["learner_model_param"], _PARAMETERS, "learner_model_param")
    if (count := found.whole(parameters, "num_feature")) != n_features:
        found.refuse(f"the plan and the trees do not belong together: {n_features:,} and {count:,} features")
    outputs = found.whole(parameters, "num_class"), found.whole(parameters, "num_target")
    if outputs != (0, 1) or found.whole(parameters, "boost_from_average") > 1:
        found.refuse("it has more than one output")
    objective = found.keys(learner["objective"], {"name", "reg_loss_param"}, "objective")
    weight = found.keys(objective["reg_loss_param"], {"scale_pos_weight"}, "reg_loss_param")
    if objective["name"] not in _OBJECTIVES or weight["scale_pos_weight"] != "1":
        found.refuse(f"its objective is none of {', '.join(sorted(_OBJECTIVES))}, unweighted")
    text = parameters["base_score"]
    match = _NUMBER.fullmatch(text) if isinstance(text, str) else None
    base = float(match[1]) if match else float("nan")
    if match is None or text.startswith("[") != text.endswith("]") or not abs(base) < 1e6:
        found.refuse("base_score is no finite number")
    if objective["name"] == "reg:squarederror":
        return base
    if not 0 < base < 1:
        found.refuse("base_score is no probability")
    return float(np.log(base / (1 - base)))


def _check_categories(found: _File, categories: Any) -> None:
    if categories is None:  # before XGBoost 3.1
        return
    numbers = np.empty(0, dtype=np.int32)
    parts = {"enc": [], "feature_segments": numbers, "sorted_idx": numbers}
    found.keys(categories, set(parts), "cats")
    for name, kind in parts.items():
        found.empty(categories[name], kind, name)


def _check_counts(found: _File, model: Mapping[str, Any]) -> list[Any]:
    parameters = found.keys(model["gbtree_model_param"], {"num_parallel_tree", "num_trees"}, "gbtree_model_param")
    trees = model["trees"]
    if not isinstance(trees, list) or found.whole(parameters, "num_trees") != len(trees):
        found.refuse("num_trees is not the number of its trees")
    if not 1 <= len(trees) <= MOST_TREES or found.whole(parameters, "num_parallel_tree") != 1:
        found.refuse(f"it has no tree, more than {MOST_TREES:,}, or several in one round")
    if any(found.whole_list(model["tree_info"], "tree_info", len(trees))):
        found.refuse("its trees have more than one output")
    rounds = found.whole_list(model["iteration_indptr"], "iteration_indptr", len(trees) + 1)
    if rounds != list(range(len(trees) + 1)):
        found.refuse("iteration_indptr does not count its trees one by one")
    return trees
