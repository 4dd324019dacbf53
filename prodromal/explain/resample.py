"""Weighted means with intervals by drawing groups of rows that belong together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DataError, DefinitionError

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.trees import Floats

__all__ = ["Means", "means"]

_LEVEL = (0.025, 0.975)
_ENOUGH = 0.9


@dataclass(frozen=True)
class Means:
    """Means of columns and their 95 % limits, each of shape (n_columns,); NaN where there is nothing to average."""

    value: Floats
    low: Floats
    high: Floats


def means(
    values: Floats,
    *,
    replicates: int,
    seed: int,
    weights: Floats | None = None,
    groups: npt.ArrayLike | None = None,
) -> Means:
    """Average columns over rows, with percentile intervals from a bootstrap over groups.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows, n_columns)
        What to average.
    replicates : int
        Draws; 0 gives no interval (NaN).
    seed : int
        Of the draws: equal seeds and groups draw the same groups.
    weights : ndarray of float64, shape (n_rows,) or (n_rows, n_columns), optional
        What each row, or each value, counts for; 0 leaves it out.
    groups : array_like, shape (n_rows,), optional
        Rows with the same value, such as a family's, are drawn together; by default every row is its own.

    Raises
    ------
    DataError
        If `groups` or `weights` does not fit the rows.
    DefinitionError
        If `replicates` is negative.
    """
    if replicates < 0:
        raise DefinitionError(f"replicates: {replicates} given, at least 0 is needed")
    count = _counted(values, weights)
    group, n_groups = _numbered(groups, len(values))
    above, below = (_sums(part, group, n_groups) for part in (np.where(count > 0, values, 0.0) * count, count))
    whole = _ratio(above.sum(axis=0), below.sum(axis=0))
    if not replicates or n_groups < 2:
        nothing = np.full(values.shape[1], np.nan)
        return Means(whole, nothing, nothing)
    rng = np.random.default_rng(seed)
    draws = np.empty((replicates, values.shape[1]))
    for row in draws:
        times = np.bincount(rng.integers(0, n_groups, n_groups), minlength=n_groups).astype(np.float64)
        row[:] = _ratio(times @ above, times @ below)
    low, high = _limits(draws)
    return Means(whole, low, high)


def _counted(values: Floats, weights: Floats | None) -> Floats:
    given = np.ones(len(values)) if weights is None else np.asarray(weights, np.float64)
    if len(given) != len(values):
        raise DataError(f"weights: {len(given)} given for {len(values)} rows")
    return np.broadcast_to(given[:, None] if given.ndim == 1 else given, values.shape)


def _numbered(groups: npt.ArrayLike | None, rows: int) -> tuple[npt.NDArray[np.int64], int]:
    if groups is None:
        return np.arange(rows, dtype=np.int64), rows
    given = np.asarray(groups)
    if given.shape != (rows,):
        raise DataError(f"groups: {given.size} given for {rows} rows")
    distinct, number = np.unique(given, return_inverse=True)
    return number.astype(np.int64), len(distinct)


def _sums(values: Floats, group: npt.NDArray[np.int64], n_groups: int) -> Floats:
    return np.column_stack([np.bincount(group, weights=column, minlength=n_groups) for column in values.T])


def _ratio(above: Floats, below: Floats) -> Floats:
    return np.asarray(np.divide(above, below, out=np.full(len(above), np.nan), where=below > 0))


def _limits(draws: Floats) -> tuple[Floats, Floats]:
    """Percentiles over draws; none where too many draws had nothing to average."""
    known = ~np.isnan(draws)
    enough = known.mean(axis=0) >= _ENOUGH
    limits = np.full((2, draws.shape[1]), np.nan)
    if enough.any():
        limits[:, enough] = np.nanquantile(draws[:, enough], _LEVEL, axis=0)
    return limits[0], limits[1]
