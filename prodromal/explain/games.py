"""The loops over leaves: exact Shapley values of every outcome, summed into the tables of the units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.compiled import compiled
from prodromal.trees.encode import compare, encode

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.explain.arrays import Layout, Leaves, Units
    from prodromal.trees import CodeBook, Floats, Ints, SplitCodes

__all__ = ["background_game", "background_shares", "cover_game", "fill_tables"]


@compiled
def fill_tables(layout: Layout, leaves: Leaves, units: Units, share: Floats, table: npt.NDArray[np.float32]) -> None:
    """Sum the games of each unit's leaves into ``table``; with ``share`` not empty, games against background rows."""
    pattern = 0
    for tree in range(layout.leaf_from.size - 1):
        leaf_from, leaf_to = layout.leaf_from[tree], layout.leaf_from[tree + 1]
        game_from = _game_offsets(leaves, leaf_from, leaf_to)
        game = np.empty(game_from[-1], np.float64)
        for leaf in range(leaf_from, leaf_to):
            weight = leaves.weight[leaves.player_from[leaf] : leaves.player_from[leaf + 1]]
            patterns = 1 << weight.size
            start = game_from[leaf - leaf_from]
            values = game[start : start + patterns * weight.size].reshape((patterns, weight.size))
            if share.size:
                background_game(leaves.value[leaf], share[pattern : pattern + patterns], values)
            else:
                cover_game(leaves.value[leaf], weight, values)
            pattern += patterns
        for unit in range(layout.unit_from[tree], layout.unit_from[tree + 1]):
            _fill_unit(leaves, units, unit, game, game_from, leaf_from, table)


@compiled
def _game_offsets(leaves: Leaves, leaf_from: int, leaf_to: int) -> Ints:
    offsets = np.zeros(leaf_to - leaf_from + 1, np.int64)
    for leaf in range(leaf_from, leaf_to):
        players = leaves.player_from[leaf + 1] - leaves.player_from[leaf]
        offsets[leaf - leaf_from + 1] = offsets[leaf - leaf_from] + (players << players)
    return offsets


@compiled
def _fill_unit(
    leaves: Leaves,
    units: Units,
    unit: int,
    game: Floats,
    game_from: Ints,
    first_leaf: int,
    table: npt.NDArray[np.float32],
) -> None:
    splits = units.split[units.bit_from[unit] : units.bit_from[unit + 1]]
    on_path = np.empty(1 << splits.size, np.int64)
    for leaf in range(units.leaf_from[unit], units.leaf_to[unit]):
        _players_on_path(leaves, leaf, splits, on_path)
        columns = leaves.column[leaves.player_from[leaf] : leaves.player_from[leaf + 1]]
        values = game[game_from[leaf - first_leaf] : game_from[leaf - first_leaf + 1]]
        for k in range(units.lookup_from[unit], units.lookup_from[unit + 1]):
            for player in range(columns.size):
                if columns[player] == units.column[k]:
                    for outcomes in range(on_path.size):
                        table[units.table_from[k] + outcomes] += values[on_path[outcomes] * columns.size + player]


@compiled
def _players_on_path(leaves: Leaves, leaf: int, splits: Ints, on_path: Ints) -> None:
    """For each outcome of the unit's splits, which of the leaf's players are on its path, as bits."""
    players = leaves.player_from[leaf + 1] - leaves.player_from[leaf]
    on_path[:] = (1 << players) - 1
    for s in range(leaves.step_from[leaf], leaves.step_from[leaf + 1]):
        bit = 0
        while splits[bit] != leaves.step_split[s]:
            bit += 1
        for outcomes in range(on_path.size):
            if ((outcomes >> bit) & 1) != leaves.step_left[s]:
                on_path[outcomes] &= ~(1 << leaves.step_player[s])


@compiled
def cover_game(value: float, weight: Floats, values: Floats) -> None:
    """Write ``values[Z, i]``, player ``i``'s Shapley value where the players ``Z`` (bits) are on the leaf's path.

    The game is ``value * prod_{j in S} 1[j in Z] * prod_{j not in S} w_j``. With ``P_Y(t) = prod_{j in Y} (w_j + t)``
    and ``A(Y) = sum_s [t^s] P_Y * s! (k - 1 - s)! / k!``, a player in ``Z`` gets
    ``value (1 - w_i) A(Z - i) prod_{j not in Z} w_j``, one outside ``-value A(Z) prod_{j not in Z} w_j``.
    """
    k = weight.size
    product = np.ones(1 << k, np.float64)
    average = np.zeros(1 << k, np.float64)
    polynomial = np.zeros((1 << k, k + 1), np.float64)
    polynomial[0, 0] = 1.0
    last = 0
    for players in range(1 << k):
        if players >> (last + 1):
            last += 1
        if players:
            others = players ^ (1 << last)
            product[players] = product[others] * weight[last]
            for s in range(k):
                polynomial[players, s] += polynomial[others, s] * weight[last]
                polynomial[players, s + 1] += polynomial[others, s]
        chance = 1.0 / max(k, 1)
        for s in range(k):
            average[players] += polynomial[players, s] * chance
            chance *= (s + 1.0) / max(k - 1.0 - s, 1.0)
    for satisfied in range(1 << k):
        rest = value * product[((1 << k) - 1) ^ satisfied]
        for i in range(k):
            if (satisfied >> i) & 1:
                values[satisfied, i] = rest * (1.0 - weight[i]) * average[satisfied ^ (1 << i)]
            else:
                values[satisfied, i] = -rest * average[satisfied]


@compiled
def background_game(value: float, share: Floats, values: Floats) -> None:
    """Write ``values[Z, i]``, as `cover_game`, with the players outside a coalition taken from background rows.

    ``share[Y]`` is the share of background rows whose players on the path are ``Y``. A pair (Z, Y) plays only if
    ``Z | Y`` is everyone; with ``a`` players in ``Z`` alone and ``b`` in ``Y`` alone, each of the former gains
    ``value (a - 1)! b! / (a + b)!``, each of the latter loses ``value a! (b - 1)! / (a + b)!``.
    """
    patterns, k = values.shape
    factorial = np.ones(k + 1, np.float64)
    for i in range(1, k + 1):
        factorial[i] = factorial[i - 1] * i
    values[:] = 0.0
    for theirs in range(patterns):
        if share[theirs] == 0.0:
            continue
        lacking = (patterns - 1) ^ theirs
        for ours in range(patterns):
            if ours & lacking != lacking:
                continue
            gains, losses = _count(lacking), _count((patterns - 1) ^ ours)
            both = value * share[theirs] / factorial[gains + losses]
            for i in range(k):
                if (lacking >> i) & 1:
                    values[ours, i] += both * factorial[gains - 1] * factorial[losses]
                elif not (ours >> i) & 1:
                    values[ours, i] -= both * factorial[gains] * factorial[losses - 1]


@compiled
def _count(bits: int) -> int:
    count = 0
    while bits:
        bits &= bits - 1
        count += 1
    return count


@compiled
def background_shares(
    matrix: npt.NDArray[np.float32], book: CodeBook, splits: SplitCodes, layout: Layout, leaves: Leaves, share: Floats
) -> None:
    """Add to ``share``, leaf by leaf, the share of rows for each set of the leaf's players on its path."""
    n_rows = matrix.shape[0]
    code = np.empty((book.feature.size, n_rows), np.uint8)
    encode(matrix, 0, n_rows, book, code)
    pattern = 0
    for tree in range(layout.leaf_from.size - 1):
        split_from, split_to = layout.split_from[tree], layout.split_from[tree + 1]
        left = np.empty((split_to - split_from, n_rows), np.uint8)
        compare(code, n_rows, splits, split_from, split_to, left)
        for leaf in range(layout.leaf_from[tree], layout.leaf_from[tree + 1]):
            patterns = 1 << (leaves.player_from[leaf + 1] - leaves.player_from[leaf])
            for r in range(n_rows):
                on_path = patterns - 1
                for s in range(leaves.step_from[leaf], leaves.step_from[leaf + 1]):
                    if (left[leaves.step_split[s], r] != 0) != leaves.step_left[s]:
                        on_path &= ~(1 << leaves.step_player[s])
                share[pattern + on_path] += 1.0 / n_rows
            pattern += patterns
