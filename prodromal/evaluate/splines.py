"""Restricted cubic splines in Harrell's parametrisation, and quantiles of weighted values."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

__all__ = ["knots_of", "restricted_cubic_spline", "weighted_quantile"]

_PLACES = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
    6: (0.05, 0.23, 0.41, 0.59, 0.77, 0.95),
}


def weighted_quantile(values: ArrayLike, q: ArrayLike, weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Quantiles with frequency weights: a row of weight 3 counts as three rows.

    Parameters
    ----------
    values : array of shape (n,)
    q : array of shape (k,)
        In [0, 1].
    weight : array of shape (n,), optional
        Above 0; 1 by default, which gives the usual (type 7) quantile.

    Returns
    -------
    float array of shape (k,)

    Notes
    -----
    Interpolates between the order statistics at positions ``floor(h)`` and ``floor(h) + 1`` of the repeated sample,
    with ``h = q (W - 1)`` and ``W`` the total weight.
    """
    x, p = np.asarray(values, dtype=np.float64), np.asarray(q, dtype=np.float64)
    w = np.ones_like(x) if weight is None else np.asarray(weight, dtype=np.float64)
    if not bool((x[1:] >= x[:-1]).all()):
        order = np.argsort(x, kind="stable")
        x, w = x[order], w[order]
    ends = np.cumsum(w)
    place = p * max(ends[-1] - 1.0, 0.0)
    lower = np.floor(place + 1e-9)
    left = np.minimum(np.searchsorted(ends, lower + 1e-9, side="right"), len(x) - 1)
    right = np.minimum(np.searchsorted(ends, lower + 1 + 1e-9, side="right"), len(x) - 1)
    share = np.clip(place - lower, 0.0, 1.0)
    return np.asarray(x[left] + share * (x[right] - x[left]))


def knots_of(values: ArrayLike, n_knots: int, weight: ArrayLike | None = None) -> NDArray[np.float64]:
    """Knots at Harrell's default quantiles; fewer where quantiles coincide."""
    if n_knots not in _PLACES:
        raise DefinitionError(f"restricted cubic spline: {n_knots} knots are not offered; choose 3 to 6")
    return np.unique(weighted_quantile(values, _PLACES[n_knots], weight))


def restricted_cubic_spline(x: ArrayLike, knots: ArrayLike) -> NDArray[np.float64]:
    """Basis of a cubic spline that is linear beyond its outer knots.

    Parameters
    ----------
    x : array of shape (n,)
    knots : array of shape (k,)
        Ascending, at least 3.

    Returns
    -------
    float array of shape (n, k - 1)
        First ``x`` itself, then ``k - 2`` truncated cubic terms divided by the squared distance of the outer knots.
    """
    v, t = np.asarray(x, dtype=np.float64), np.asarray(knots, dtype=np.float64)
    if len(t) < 3:
        raise DefinitionError("restricted cubic spline: at least 3 distinct knots are needed")
    cube = np.maximum(v[:, None] - t, 0.0) ** 3
    last, before = t[-1], t[-2]
    terms = (
        cube[:, :-2]
        - np.outer(cube[:, -2], (last - t[:-2]) / (last - before))
        + np.outer(cube[:, -1], (before - t[:-2]) / (last - before))
    )
    return np.column_stack([v, terms / (last - t[0]) ** 2])
