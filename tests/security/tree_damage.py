"""Ways to damage the trees of a model file so that no walk through them could be trusted."""

from __future__ import annotations

import copy

import numpy as np

__all__ = ["DAMAGES", "damaged"]


def _trees(document):
    return document["learner"]["gradient_booster"]["model"]["trees"]


def _split(tree, rng):
    return int(rng.choice(np.flatnonzero(tree["left_children"] >= 0)))


def _leaf(tree, rng):
    return int(rng.choice(np.flatnonzero(tree["left_children"] < 0)))


def _set(name, at, *values):
    def damage(document, tree, rng):
        tree[name][at(tree, rng)] = values[rng.integers(len(values))]

    return damage


def _any(tree, rng):
    return int(rng.integers(len(tree["parents"])))


def _parameter(path, *values):
    def damage(document, tree, rng):
        *way, last = path
        place = document["learner"]
        for step in way:
            place = place[step]
        place[last] = values[rng.integers(len(values))]

    return damage


def _tree_parameter(name, *values):
    def damage(document, tree, rng):
        tree["tree_param"][name] = values[rng.integers(len(values))]

    return damage


def _shorter(document, tree, rng):
    name = sorted(key for key, part in tree.items() if isinstance(part, np.ndarray) and len(part))[rng.integers(10)]
    tree[name] = tree[name][:-1]


def _other_type(document, tree, rng):
    tree["left_children"] = tree["left_children"].astype(np.int64)


def _other_type_of_nothing(document, tree, rng):
    """Categories, which are empty, as numbers of another width: XGBoost would not read them."""
    of_model = document["learner"]["gradient_booster"]["model"].get("cats", {})
    places = [(tree, name) for name in tree if name.startswith("categories")]
    places += [(of_model, name) for name, value in of_model.items() if isinstance(value, np.ndarray)]
    holder, name = places[rng.integers(len(places))]
    holder[name] = holder[name].astype(np.int32 if holder[name].dtype == np.int64 else np.int64)


def _circle(document, tree, rng):
    """A child that is its own ancestor, its parent's entry made to fit."""
    split = _split(tree, rng)
    tree["left_children"][split] = 0
    tree["parents"][0] = split


def _two_parents(document, tree, rng):
    splits = np.flatnonzero(tree["left_children"] >= 0)
    tree["left_children"][splits[0]] = tree["right_children"][splits[0]]


def _unreached(document, tree, rng):
    split = int(np.flatnonzero(tree["left_children"] >= 0)[-1])
    tree["left_children"][split] = tree["right_children"][split] = -1


def _missing_key(document, tree, rng):
    del tree[sorted(tree)[rng.integers(len(tree))]]


def _extra_key(document, tree, rng):
    tree["leaf_child_counts"] = np.zeros(3, np.int32)


def _one_tree_less(document, tree, rng):
    _trees(document).pop()


def _no_tree(document, tree, rng):
    model = document["learner"]["gradient_booster"]["model"]
    model.update(trees=[], tree_info=[], iteration_indptr=[0])
    model["gbtree_model_param"]["num_trees"] = "0"


def _dart(document, tree, rng):
    document["learner"]["gradient_booster"]["weight_drop"] = np.ones(len(_trees(document)), np.float32)


def _linear(document, tree, rng):
    document["learner"]["gradient_booster"]["name"] = "gblinear"


def _info(document, tree, rng):
    document["learner"]["gradient_booster"]["model"]["tree_info"][0] = 1


def _rounds(document, tree, rng):
    document["learner"]["gradient_booster"]["model"]["iteration_indptr"][-1] += 1


def _deep(document, tree, rng):
    depth = 40
    n = 2 * depth + 1
    left, right = np.full((2, n), -1, np.int32)
    splits = 2 * np.arange(depth)
    left[splits], right[splits] = splits + 1, splits + 2
    parents = np.repeat(splits, 2)
    tree.update(
        left_children=left,
        right_children=right,
        parents=np.concatenate([[2**31 - 1], parents]).astype(np.int32),
        **{name: np.ones(n, np.float32) for name in ("base_weights", "loss_changes", "split_conditions")},
        sum_hessian=np.ones(n, np.float32),
        split_indices=np.zeros(n, np.int32),
        default_left=np.zeros(n, np.uint8),
        split_type=np.zeros(n, np.uint8),
    )
    tree["tree_param"]["num_nodes"] = str(n)


_CHILD = (-2, -(2**31), 7, 10**6, 2**31 - 1)
_BAD = (np.nan, np.inf)
DAMAGES = {
    "left child out of range": _set("left_children", _split, *_CHILD),
    "right child out of range": _set("right_children", _split, *_CHILD),
    "a leaf with one child": _set("left_children", _leaf, 1),
    "a circle": _circle,
    "two parents": _two_parents,
    "a node never reached": _unreached,
    "another parent": _set("parents", _any, -1, 5, 10**6),
    "feature out of range": _set("split_indices", _any, -1, 236, 10**6, 2**31 - 1),
    "threshold no number": _set("split_conditions", _split, *_BAD),
    "leaf no number": _set("split_conditions", _leaf, *_BAD, -np.inf),
    "leaf beyond reason": _set("split_conditions", _leaf, 3e38, -3e38, 1e4),
    "cover no number": _set("sum_hessian", _any, *_BAD, -1.0),
    "cover zero at a split": _set("sum_hessian", _split, 0.0),
    "weight no number": _set("base_weights", _any, *_BAD),
    "categorical split": _set("split_type", _any, 1, 255),
    "direction unknown": _set("default_left", _any, 2, 255),
    "a column too short": _shorter,
    "a column of another type": _other_type,
    "an empty column of another type": _other_type_of_nothing,
    "a part missing": _missing_key,
    "a part too many": _extra_key,
    "a tree less than declared": _one_tree_less,
    "no tree": _no_tree,
    "num_nodes": _tree_parameter("num_nodes", "1", "9", "-7", "7.0", "99999999999", ""),
    "num_deleted": _tree_parameter("num_deleted", "1", "-1"),
    "features of a tree": _tree_parameter("num_feature", "1", "0", "235", "4294967295"),
    "vector leaves": _tree_parameter("size_leaf_vector", "2", "0", "1000000000"),
    "num_trees": _parameter(("gradient_booster", "model", "gbtree_model_param", "num_trees"), "0", "7", "2147483647"),
    "parallel trees": _parameter(("gradient_booster", "model", "gbtree_model_param", "num_parallel_tree"), "0", "3"),
    "num_feature": _parameter(("learner_model_param", "num_feature"), "0", "1", "237", "999999999", "-1"),
    "classes": _parameter(("learner_model_param", "num_class"), "3", "1000000", "-1"),
    "targets": _parameter(("learner_model_param", "num_target"), "0", "2", "999999999"),
    "base score": _parameter(("learner_model_param", "base_score"), "nan", "[inf]", "1E39", "[5E-1", "", "0x1p5", 3),
    "objective": _parameter(("objective", "name"), "multi:softmax", "rank:pairwise", "", "../../x"),
    "attributes": _parameter(("attributes",), {"best_iteration": "1"}, [], "x"),
    "categories": _parameter(("gradient_booster", "model", "cats"), {}, [], {"enc": [1]}, {"enc": "x"}),
    "feature names": _parameter(("feature_names",), ["a"], "x", {"a": 1}),
    "dart": _dart,
    "linear": _linear,
    "tree_info": _info,
    "rounds": _rounds,
    "deeper than any": _deep,
}


def damaged(document, name, rng):
    """A copy of a document with one damage in a tree of its own."""
    copied = copy.deepcopy(document)
    trees = _trees(copied)
    DAMAGES[name](copied, trees[rng.integers(len(trees))], rng)
    return copied
