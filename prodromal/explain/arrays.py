"""The arrays that the kernels read: plain named tuples of numpy arrays, one entry more in every ``*_from`` column."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Bytes", "CodeBook", "Floats", "Ints", "Layout", "Leaves", "SplitCodes", "Units"]

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


class CodeBook(NamedTuple):
    """Column ``c`` counts how many of ``cuts[cut_from[c]:cut_from[c + 1]]`` a value of ``feature[c]`` has reached.

    A missing value has code 255. A feature with more cuts than a byte can count takes several columns.
    """

    feature: Ints
    cut_from: Ints
    cuts: npt.NDArray[np.float32]


class SplitCodes(NamedTuple):
    """A row goes left at a split where ``(code + shift) mod 256 <= bound``; shift 1 sends the missing left."""

    column: Ints
    bound: Bytes
    shift: Bytes


class Layout(NamedTuple):
    """Where each tree's splits, leaves and units begin."""

    split_from: Ints
    leaf_from: Ints
    unit_from: Ints


class Leaves(NamedTuple):
    """Leaf ``l`` has steps ``step_from[l]:step_from[l + 1]`` and players ``player_from[l]:player_from[l + 1]``.

    A player is a distinct feature on the way to the leaf; its weight is the product of the cover ratios of its steps.
    ``step_split`` counts within the tree, ``step_player`` within the leaf.
    """

    value: Floats
    step_from: Ints
    step_split: Ints
    step_left: npt.NDArray[np.bool_]
    step_player: Ints
    player_from: Ints
    feature: Ints
    weight: Floats


class Units(NamedTuple):
    """Unit ``u`` reads the splits ``split[bit_from[u]:bit_from[u + 1]]`` and has look-ups from ``lookup_from[u]`` on.

    Look-up ``k`` finds what the leaves ``leaf_from[u]:leaf_to[u]`` give to ``feature[k]`` in the table from
    ``table_from[k]`` on.
    """

    leaf_from: Ints
    leaf_to: Ints
    bit_from: Ints
    split: Ints
    lookup_from: Ints
    feature: Ints
    table_from: Ints
