"""The largest contributions of each row, in words: ``Antidepressants x 1.12``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

__all__ = ["top_reasons"]

_LEAST = 0.005
_LARGEST = 30.0  # so that hundredths are whole numbers of the machine's
_MOST_KEYS = 1 << 20


def top_reasons(
    values: npt.NDArray[np.float64], labels: tuple[str, ...], k: int
) -> Iterator[tuple[npt.NDArray[np.object_], npt.NDArray[np.int64]]]:
    """The `k` columns with the largest absolute contributions of each row, the first of equal ones before the others.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows, n_columns)
        Contributions to the log rate ratio.
    labels : tuple of str
        Columns.
    k : int
        How many; no more than there are columns.

    Yields
    ------
    texts : ndarray of object
        Distinct texts; empty for a contribution that changes the rate by less than half a hundredth.
    places : ndarray of int64, shape (n_rows,)
        The text of each row.
    """
    left = np.abs(values)
    row = np.arange(len(values))
    for _ in range(min(k, values.shape[1])):
        column = left.argmax(axis=1)
        yield _texts(column, values[row, column], labels)
        left[row, column] = -1.0


def _texts(column: npt.NDArray[Any], value: npt.NDArray[np.float64], labels: tuple[str, ...]) -> tuple[Any, Any]:
    hundredths = np.rint(np.exp(np.minimum(value, _LARGEST)) * 100).astype(np.int64)
    said = np.abs(value) >= _LEAST
    span = int(np.max(hundredths, initial=0)) + 1
    distinct, places = _distinct(np.where(said, column * span + hundredths + 1, 0), span * len(labels) + 1)
    texts = [f"{labels[(n - 1) // span]} x {(n - 1) % span / 100:.2f}" if n else "" for n in distinct.tolist()]
    return np.asarray(texts, dtype=object), places


def _distinct(keys: npt.NDArray[np.int64], end: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """The distinct keys, all of them below `end`, in order, and the place of each; without sorting where it can be."""
    if end > _MOST_KEYS:
        distinct, places = np.unique(keys, return_inverse=True)
        return distinct, places
    is_there = np.zeros(end, dtype=np.bool_)
    is_there[keys] = True
    return np.flatnonzero(is_there), (np.cumsum(is_there) - 1)[keys]
