"""Which tables a forest needs: units whose splits fit one byte, and which columns are looked up in them.

A *unit* is a node with all splits on the way to it and all splits below it. If those are at most eight, their
outcomes are one byte, and all that the leaves below the node give to a column is a table of at most 256 numbers.
The largest units that fit cover every leaf once; in each, every output column that it has splits on is looked up.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.explain.arrays import Layout, Leaves, Units

if TYPE_CHECKING:
    from prodromal.trees import Forest, Ints

__all__ = ["MAX_BITS", "Plan", "plan_forest"]

MAX_BITS = 8
_PLACES = np.arange(MAX_BITS)


@dataclass(frozen=True)
class Plan:
    """The tables to make. ``splits`` are the nodes that split, tree by tree and each tree from its root to the left."""

    splits: Ints
    layout: Layout
    leaves: Leaves
    units: Units


@dataclass(frozen=True)
class _Nodes:
    """Of each node: its depth, its ranks among splits and leaves, the splits at and below it, the way to it.

    ``way[node, :depth]`` are its ancestors from the root on, ``way[node, depth]`` is the node.
    """

    reached: Ints
    depth: Ints
    split_rank: Ints
    leaf_rank: Ints
    below: Ints
    way: Ints


def plan_forest(forest: Forest, column_of: Ints) -> Plan | None:
    """Plan the tables of all trees; None where a path has more splits than a byte has bits.

    Parameters
    ----------
    forest : Forest
        Numeric trees.
    column_of : ndarray of int64, shape (n_features,)
        The output column to which each feature's contribution is added.
    """
    levels = _levels(forest)
    if len(levels) > MAX_BITS + 1:
        return None
    nodes = _number(forest, levels)
    is_split = forest.left[nodes.reached] >= 0
    splits, leaves = nodes.reached[is_split], nodes.reached[~is_split]
    column = np.full(len(forest.left), -1, np.int64)
    column[splits] = column_of[forest.feature[splits]]
    units, unit_leaf_from = _units(column, nodes, splits)
    return Plan(
        splits=splits[np.argsort(nodes.split_rank[splits])],
        layout=Layout(
            split_from=offsets(nodes.below[forest.roots]),
            leaf_from=offsets(nodes.below[forest.roots] + 1),
            unit_from=np.searchsorted(unit_leaf_from, offsets(nodes.below[forest.roots] + 1)),
        ),
        leaves=_leaves(forest, column_of, nodes, leaves[np.argsort(nodes.leaf_rank[leaves])]),
        units=units,
    )


def offsets(lengths: Ints) -> Ints:
    """Where parts of these lengths begin, and where the last ends."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(lengths, dtype=np.int64)])


def _levels(forest: Forest) -> list[Ints]:
    levels, level = [], forest.roots
    while len(level):
        levels.append(level)
        inner = level[forest.left[level] >= 0]
        level = np.concatenate([forest.left[inner], forest.right[inner]])
    return levels


def _number(forest: Forest, levels: list[Ints]) -> _Nodes:
    depth, below, split_rank, leaf_rank = np.zeros((4, len(forest.left)), np.int64)
    way = np.zeros((len(forest.left), MAX_BITS + 1), np.int64)
    inner_levels = [level[forest.left[level] >= 0] for level in levels]
    for inner in reversed(inner_levels):
        below[inner] = 1 + below[forest.left[inner]] + below[forest.right[inner]]
    way[forest.roots, 0] = forest.roots
    split_rank[forest.roots] = offsets(below[forest.roots])[:-1]
    leaf_rank[forest.roots] = offsets(below[forest.roots] + 1)[:-1]
    for level, inner in enumerate(inner_levels[:-1]):
        left, right = forest.left[inner], forest.right[inner]
        for child, splits_before, leaves_before in ((left, 0, 0), (right, below[left], below[left] + 1)):
            depth[child] = level + 1
            way[child] = way[inner]
            way[child, level + 1] = child
            split_rank[child] = split_rank[inner] + 1 + splits_before
            leaf_rank[child] = leaf_rank[inner] + leaves_before
    reached = np.concatenate([np.zeros(0, np.int64), *levels])
    return _Nodes(reached, depth, split_rank, leaf_rank, below, way)


def _leaves(forest: Forest, column_of: Ints, nodes: _Nodes, leaves: Ints) -> Leaves:
    way, is_step = nodes.way[leaves], nodes.depth[leaves, None] > _PLACES
    split, onward = way[:, :-1], way[:, 1:]
    feature = np.where(is_step, forest.feature[split], -1 - _PLACES)
    same = feature[:, :, None] == feature[:, None, :]
    first = same.argmax(axis=2)
    is_player = is_step & (first == _PLACES)
    player = np.take_along_axis(np.cumsum(is_player, axis=1) - 1, first, axis=1)
    ratio = np.divide(forest.cover[onward], forest.cover[split], out=np.ones(split.shape), where=is_step)
    return Leaves(
        value=forest.threshold[leaves].astype(np.float64),
        step_from=offsets(is_step.sum(axis=1)),
        step_split=(nodes.split_rank[split] - nodes.split_rank[way[:, :1]])[is_step],
        step_left=(forest.left[split] == onward)[is_step],
        step_player=player[is_step],
        player_from=offsets(is_player.sum(axis=1)),
        column=column_of[feature[is_player]],
        weight=np.where(same, ratio[:, None, :], 1.0).prod(axis=2)[is_player],
    )


def _units(column: Ints, nodes: _Nodes, splits: Ints) -> tuple[Units, Ints]:
    """Make the units, from left to right, and say at which leaf each begins."""
    unit_of, asked = _lookups(column, nodes, splits)
    order = np.lexsort((asked, nodes.depth[unit_of], nodes.leaf_rank[unit_of]))
    unit_of, asked = unit_of[order], asked[order]
    lookup_from = np.flatnonzero(np.diff(unit_of, prepend=-1))
    unit = unit_of[lookup_from]
    depth, bits = nodes.depth[unit, None], nodes.depth[unit] + nodes.below[unit]
    way = nodes.way[unit]
    ranks = np.where(depth > _PLACES, nodes.split_rank[way[:, :-1]], nodes.split_rank[unit, None] + _PLACES - depth)
    units = Units(
        leaf_from=nodes.leaf_rank[unit],
        leaf_to=nodes.leaf_rank[unit] + nodes.below[unit] + 1,
        bit_from=offsets(bits),
        split=(ranks - nodes.split_rank[way[:, :1]])[bits[:, None] > _PLACES],
        lookup_from=np.append(lookup_from, len(unit_of)),
        column=asked,
        table_from=offsets(1 << np.repeat(bits, np.diff(lookup_from, append=len(unit_of)))),
    )
    return units, units.leaf_from


def _lookups(column: Ints, nodes: _Nodes, splits: Ints) -> tuple[Ints, Ints]:
    """Pairs of a unit, named by its node, and a column looked up in it."""
    fits = nodes.depth + nodes.below <= MAX_BITS
    reached = nodes.reached
    parent = nodes.way[reached, np.maximum(nodes.depth[reached] - 1, 0)]
    largest = reached[fits[reached] & ((nodes.depth[reached] == 0) | ~fits[parent])]
    above, is_above = nodes.way[largest, :-1], nodes.depth[largest, None] > _PLACES
    inside = splits[fits[splits]]
    way = nodes.way[inside]
    is_in_unit = fits[way] & (nodes.depth[inside, None] >= np.arange(MAX_BITS + 1))
    of_inside = way[np.arange(len(way)), is_in_unit.argmax(axis=1)]
    unit_of = np.concatenate([np.repeat(largest, is_above.sum(axis=1)), of_inside])
    asked = np.concatenate([column[above[is_above]], column[inside]])
    return _once(unit_of, asked)


def _once(unit_of: Ints, asked: Ints) -> tuple[Ints, Ints]:
    """Each pair once: a unit may split on a column many times."""
    unit_of, asked = np.unique(np.stack([unit_of, asked]), axis=1)
    return unit_of, asked
