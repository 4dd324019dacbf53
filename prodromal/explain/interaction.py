"""How the contributions of two classes depend on each other: exact Shapley interactions, leaf by leaf."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from math import factorial
from typing import TYPE_CHECKING

import numpy as np

from prodromal.explain.explanation import By, columns_of
from prodromal.explain.resample import means
from prodromal.trees import Forest, read_forest

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import pandas as pd
    import xgboost

    from prodromal.features import FeatureMatrix
    from prodromal.risk import RiskModel
    from prodromal.trees import Floats, Ints

__all__ = ["group_interactions", "interaction", "users"]

_FEWEST = 10


def interaction(
    model: RiskModel,
    matrix: FeatureMatrix,
    *,
    replicates: int,
    seed: int,
    groups: npt.ArrayLike | None = None,
    weights: npt.NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Compute how much pairs of classes change each other's contribution.

    Parameters
    ----------
    model : RiskModel
        Whose scores.
    matrix : FeatureMatrix
        People at index dates, built by the model's plan; some thousands of rows are enough.
    replicates, seed, groups, weights
        As for `importance`.

    Returns
    -------
    DataFrame
        One row for each pair, largest first: ``label, other, mean_abs_interaction, ci_low, ci_high`` (log rate ratio,
        over all rows), ``users_of_both``, ``mean_interaction_of_users`` and ``factor_of_users``, its exponential: what
        using both adds to the product of the two classes' own factors. Empty where fewer than 10 use both.

    Notes
    -----
    The interaction of features i and j is their Shapley interaction index in the same path-dependent game as the
    contributions; in a leaf of value ``v`` with ``k`` distinct features on its path it is

        v (z_i - w_i)(z_j - w_j) sum_s s! (k-2-s)! / (k-1)! [t^s] prod_{l not i, j} (w_l + z_l t).

    Those of features of different classes are summed; those within a class stay with the class. Half of each is part of
    either contribution. It describes the model, not the disease.
    """
    import pandas as pd

    labels, columns = columns_of(model.plan, By.CLASS)
    model.check_matrix(matrix)
    found = model.slope * group_interactions(model.booster, matrix.values, columns)
    pairs = list(combinations(range(len(labels)), 2))
    values = np.column_stack([found[:, a, b] for a, b in pairs])
    use = {a: users(matrix, label) for a, label in enumerate(labels)}
    both = np.column_stack([use[a] & use[b] for a, b in pairs])
    count = np.ones(len(matrix)) if weights is None else weights
    draw = {"replicates": replicates, "seed": seed, "groups": groups}
    size = means(np.abs(values), weights=count, **draw)  # type: ignore[arg-type]
    enough = both.sum(axis=0) >= _FEWEST
    among = means(values, weights=both * count[:, None] * enough, replicates=0, seed=seed)
    frame = pd.DataFrame(
        {
            "label": [labels[a] for a, _ in pairs],
            "other": [labels[b] for _, b in pairs],
            "mean_abs_interaction": size.value,
            "ci_low": size.low,
            "ci_high": size.high,
            "users_of_both": np.where(enough, both.sum(axis=0), np.nan),
            "mean_interaction_of_users": among.value,
            "factor_of_users": np.exp(among.value),
            "note": np.where(enough, "", f"fewer than {_FEWEST} people use both"),
        }
    )
    return frame.sort_values("mean_abs_interaction", ascending=False, kind="stable", ignore_index=True)


def users(matrix: FeatureMatrix, label: str) -> npt.NDArray[np.bool_]:
    """Whether each row shows any use of a class; everyone has an age."""
    columns = [i for i, feature in enumerate(matrix.plan.features) if feature.family == label]
    if any(matrix.plan.features[i].group is None for i in columns) or not columns:
        return np.ones(len(matrix), dtype=np.bool_)
    return np.asarray((matrix.values[:, columns] > 0).any(axis=1))


def group_interactions(booster: xgboost.Booster, rows: npt.NDArray[np.float32], columns: Ints) -> Floats:
    """Interactions of groups of features on the margin scale.

    Parameters
    ----------
    booster : xgboost.Booster
        As for `TreeShap`.
    rows : ndarray of float32, shape (n_rows, n_features)
        NaN is missing.
    columns : ndarray of int, shape (n_features,)
        The group of each feature, from 0.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_groups, n_groups)
        Symmetric, the diagonal 0; both halves of an interaction together stand in each of its two places.
    """
    forest = read_forest(booster)
    n_groups = int(max(columns, default=-1)) + 1
    found = np.zeros((n_groups, n_groups, len(rows)))
    for leaf in _leaves(forest):
        of = [int(columns[feature]) for feature in leaf.features]
        if len(set(of)) < 2:
            continue
        on = _on_path(forest, leaf, rows)
        for i, j in combinations(range(len(of)), 2):
            if of[i] != of[j]:
                found[of[i], of[j]] += leaf.value * _index(on, leaf.share, i, j)
    return np.moveaxis(found + np.swapaxes(found, 0, 1), 2, 0)


@dataclass(frozen=True)
class _Leaf:
    """A leaf: its distinct features, what follows the covers for each, and its path as (node, goes left)."""

    value: float
    features: tuple[int, ...]
    share: Floats
    path: tuple[tuple[int, bool], ...]


def _leaves(forest: Forest) -> Iterator[_Leaf]:
    waiting: list[tuple[int, tuple[tuple[int, bool], ...]]] = [(int(root), ()) for root in forest.roots]
    while waiting:
        node, path = waiting.pop()
        if forest.left[node] < 0:
            yield _leaf(forest, node, path)
            continue
        waiting.append((int(forest.left[node]), (*path, (node, True))))
        waiting.append((int(forest.right[node]), (*path, (node, False))))


def _leaf(forest: Forest, leaf: int, path: tuple[tuple[int, bool], ...]) -> _Leaf:
    share: dict[int, float] = {}
    for node, goes_left in path:
        child = forest.left[node] if goes_left else forest.right[node]
        feature = int(forest.feature[node])
        share[feature] = share.get(feature, 1.0) * float(forest.cover[child] / forest.cover[node])
    return _Leaf(float(forest.threshold[leaf]), tuple(share), np.asarray(list(share.values())), path)


def _on_path(forest: Forest, leaf: _Leaf, rows: npt.NDArray[np.float32]) -> Floats:
    """Whether each distinct feature of the leaf lets each row reach it, shape (n_features_of_leaf, n_rows)."""
    on = np.ones((len(leaf.features), len(rows)), dtype=np.bool_)
    for node, goes_left in leaf.path:
        feature = int(forest.feature[node])
        value = rows[:, feature]
        left = np.where(np.isnan(value), forest.default_left[node], value < forest.threshold[node])
        on[leaf.features.index(feature)] &= left == goes_left
    return on.astype(np.float64)


def _index(on: Floats, share: Floats, i: int, j: int) -> Floats:
    """Shapley interaction index of two players of the product game, shape (n_rows,)."""
    others = [l for l in range(len(share)) if l not in {i, j}]
    coefficients = [np.ones(on.shape[1])]
    for l in others:
        less = [share[l] * c for c in coefficients]
        more = [on[l] * c for c in coefficients]
        coefficients = [
            *(low + high for low, high in zip([*less, 0.0], [0.0, *more], strict=True)),
        ]
    k = len(share)
    weight = [factorial(s) * factorial(k - 2 - s) / factorial(k - 1) for s in range(k - 1)]
    total = sum(w * c for w, c in zip(weight, coefficients, strict=True))
    return np.asarray((on[i] - share[i]) * (on[j] - share[j]) * total)
