"""Tabulate, once per model, what each outcome of a few splits gives to each feature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.explain.plan import plan_forest
from prodromal.trees import code_splits

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.explain.arrays import Layout, Leaves, Units
    from prodromal.explain.plan import Plan
    from prodromal.trees import CodeBook, Floats, Forest, Ints, SplitCodes

__all__ = ["Tables", "tabulate"]

MAX_ENTRIES = 2**26
_LARGEST_TOTAL = 2.0**30


@dataclass(frozen=True)
class Tables:
    """A model made ready to explain rows.

    ``table`` counts steps of ``step[slot]`` on the margin scale, modulo 2**32, so that sums do not depend on their
    order; look-up ``k`` adds to ``slot[k]``, which is output column ``columns[slot[k]]``. ``bias`` is the expected
    margin.
    """

    book: CodeBook
    splits: SplitCodes
    layout: Layout
    units: Units
    table: npt.NDArray[np.int32]
    slot: Ints
    step: Floats
    columns: Ints
    bias: float


def tabulate(forest: Forest, column_of: Ints, background: npt.NDArray[np.float32] | None = None) -> Tables | None:
    """Tabulate a forest; None where its trees are too deep, or too many, for tables.

    Parameters
    ----------
    forest : Forest
        Numeric trees on one margin.
    column_of : ndarray of int64, shape (n_features,)
        The output column to which each feature's contribution is added.
    background : ndarray of float32, shape (n_background, n_features), optional
        Rows that stand in for the features outside a coalition; by default the covers of the trees do.
    """
    from prodromal.explain import games

    plan = plan_forest(forest, column_of)
    if plan is None or plan.units.table_from[-1] > MAX_ENTRIES:
        return None
    nodes = plan.splits
    book, splits = code_splits(forest.feature[nodes], forest.threshold[nodes], forest.default_left[nodes])
    share = np.zeros(0, np.float64)
    if background is not None:
        share = np.zeros((1 << np.diff(plan.leaves.player_from)).sum(), np.float64)
        games.background_shares(background, book, splits, plan.layout, plan.leaves, share)
    table = np.zeros(plan.units.table_from[-1], np.float32)
    games.fill_tables(plan.layout, plan.leaves, plan.units, share, table)
    columns, features_in_slot = np.unique(column_of[np.unique(forest.feature[nodes])], return_counts=True)
    slot = np.searchsorted(columns, plan.units.column)
    step = _bounds(table, plan, slot, features_in_slot) / _LARGEST_TOTAL
    counts = np.repeat(step[slot], np.diff(plan.units.table_from))
    np.rint(np.divide(table, counts, out=counts), out=counts)
    return Tables(
        book=book,
        splits=splits,
        layout=plan.layout,
        units=plan.units,
        table=counts.astype(np.int64).astype(np.int32),
        slot=slot,
        step=step,
        columns=columns,
        bias=forest.base_margin + _expected(plan.leaves, share),
    )


def _bounds(table: npt.NDArray[np.float32], plan: Plan, slot: Ints, features_in_slot: Ints) -> Floats:
    """No slot's total can exceed its bound: tree by tree the largest entries, or the range of the tree's values."""
    n_trees, n_slots = len(plan.layout.leaf_from) - 1, len(features_in_slot)
    if not n_slots:
        return np.ones(0, np.float64)
    tree_of_unit = np.repeat(np.arange(n_trees), np.diff(plan.layout.unit_from))
    tree = np.repeat(tree_of_unit, np.diff(plan.units.lookup_from))
    largest = np.maximum.reduceat(np.abs(table), plan.units.table_from[:-1])
    summed = np.bincount(tree * n_slots + slot, largest, n_trees * n_slots).reshape(n_trees, n_slots)
    first = plan.layout.leaf_from[:-1]
    spread = np.maximum.reduceat(plan.leaves.value, first) - np.minimum.reduceat(plan.leaves.value, first)
    bound = np.minimum(summed, spread[:, None] * features_in_slot).sum(axis=0)
    return np.where(bound > 0.0, bound, 1.0)


def _expected(leaves: Leaves, share: Floats) -> float:
    if share.size:
        everyone = np.cumsum(1 << np.diff(leaves.player_from)) - 1
        return float(leaves.value @ share[everyone])
    reached = np.multiply.reduceat(np.append(leaves.weight, 1.0), leaves.player_from[:-1])
    return float(leaves.value @ np.where(np.diff(leaves.player_from) > 0, reached, 1.0))
