"""The arrays that loops over rows read: plain named tuples of numpy arrays."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

__all__ = ["Bytes", "CodeBook", "Floats", "Ints", "SplitCodes", "Steps"]

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


class Steps(NamedTuple):
    """A tree from its leaves to its root: a split says which of two leaves a row reaches, the left or the right one.

    ``left`` and ``right`` are numbers of leaves within the tree, or -1 where splits below say which; their answers
    stand at places ``2 d`` and ``2 d + 1``, ``d`` levels below the root, and ``place`` is where this one's goes. The
    root's is 0.
    """

    place: Ints
    left: Ints
    right: Ints
