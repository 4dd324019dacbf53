"""Splitting by family, so that no set, sibling or spouse straddles train and held-out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from prodromal.register import Register

__all__ = ["family_components", "held_out"]


def family_components(register: Register) -> npt.NDArray[np.int64]:
    """Number of the family of each person: people joined by any chain of relatives share one.

    Returns
    -------
    ndarray of int64, shape (n_persons,)
        The row of the family's first person.
    """
    people = len(register.persons)
    if not register.has("relatives"):
        return np.arange(people, dtype=np.int64)
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    table = register.table("relatives", ["person_id", "relative_id"])
    pairs = [register.persons.rows(table.column(name).to_numpy()) for name in ("person_id", "relative_id")]
    graph = coo_array((np.ones(len(pairs[0]), dtype=np.int8), tuple(pairs)), shape=(people, people))
    _, label = connected_components(graph, directed=False)
    first = np.full(label.max() + 1, people, dtype=np.int64)
    np.minimum.at(first, label, np.arange(people))
    return np.asarray(first[label])


def held_out(register: Register, *, share: float, seed: int) -> npt.NDArray[np.bool_]:
    """Draw whole families to be held out of training.

    Parameters
    ----------
    register : Register
        Whose people.
    share : float
        About which share of families, between 0 and 1.
    seed : int
        The same seed and register give the same families.

    Returns
    -------
    ndarray of bool, shape (n_persons,)
    """
    if not 0 < share < 1:
        raise DefinitionError(f"held-out share {share}: it must lie between 0 and 1")
    family = family_components(register)
    draw = np.random.default_rng(seed).random(len(family))
    return np.asarray(draw[family] < share)
