"""The arrays that the kernels read: plain named tuples of numpy arrays, one entry more in every ``*_from`` column."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from prodromal.trees import Floats, Ints

__all__ = ["Layout", "Leaves", "Units"]


class Layout(NamedTuple):
    """Where each tree's splits, leaves and units begin."""

    split_from: Ints
    leaf_from: Ints
    unit_from: Ints


class Leaves(NamedTuple):
    """Leaf ``l`` has steps ``step_from[l]:step_from[l + 1]`` and players ``player_from[l]:player_from[l + 1]``.

    A player is a distinct feature on the way to the leaf; its weight is the product of the cover ratios of its steps,
    and its contributions go to the output column ``column``.
    ``step_split`` counts within the tree, ``step_player`` within the leaf.
    """

    value: Floats
    step_from: Ints
    step_split: Ints
    step_left: npt.NDArray[np.bool_]
    step_player: Ints
    player_from: Ints
    column: Ints
    weight: Floats


class Units(NamedTuple):
    """Unit ``u`` reads the splits ``split[bit_from[u]:bit_from[u + 1]]`` and has look-ups from ``lookup_from[u]`` on.

    Look-up ``k`` finds what the leaves ``leaf_from[u]:leaf_to[u]`` give to the features of output column ``column[k]``
    in the table from ``table_from[k]`` on.
    """

    leaf_from: Ints
    leaf_to: Ints
    bit_from: Ints
    split: Ints
    lookup_from: Ints
    column: Ints
    table_from: Ints
