"""Linear mixed models: one grouping, a few random effects, by maximum likelihood or REML."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.association.newton import inverse
from prodromal.association.ratio_fit import _NORMAL_975
from prodromal.association.strata import columns_of
from prodromal.errors import DataError, NotEstimable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from prodromal.association.newton import Floats

__all__ = ["MixedFit", "ProfiledDeviance", "fit_mixed"]

_WHAT = "mixed model"
_SMALLEST = 1e-4


@dataclass(frozen=True, eq=False)
class MixedFit:
    """Fixed effects and variance components.

    Parameters
    ----------
    terms : tuple of str
    coefficients : ndarray of float64, shape (n_terms,)
    covariance : ndarray of float64, shape (n_terms, n_terms)
        By generalised least squares at the variance components.
    random : ndarray of float64, shape (n_random, n_random)
        Covariance of the random effects.
    residual : float
        Residual variance.
    log_likelihood : float
        Restricted if so fitted.
    rows, groups : int
    note : str
        Empty, or what is singular.
    """

    terms: tuple[str, ...]
    coefficients: Floats
    covariance: Floats
    random: Floats
    residual: float
    log_likelihood: float
    rows: int
    groups: int
    note: str = ""

    def table(self) -> pd.DataFrame:
        """One row a term: ``term, estimate, se, ci_low, ci_high, p``; normal limits, in the unit of the outcome."""
        import pandas as pd
        from scipy.special import ndtr

        se = np.sqrt(np.diag(self.covariance))
        b = self.coefficients
        return pd.DataFrame(
            {
                "term": list(self.terms),
                "estimate": b,
                "se": se,
                "ci_low": b - _NORMAL_975 * se,
                "ci_high": b + _NORMAL_975 * se,
                "p": 2 * ndtr(-np.abs(b / se)),
            }
        )


def fit_mixed(y: Any, X: Any, groups: Any, Z: Any = None, *, reml: bool = True, correlated: bool = True) -> MixedFit:
    """Fit ``y = X b + Z u + e`` with ``u`` normal between groups and ``e`` normal within.

    Parameters
    ----------
    y : array_like of float, shape (n_rows,)
    X : DataFrame or array_like, shape (n_rows, n_terms)
        Fixed effects, the intercept included.
    groups : array_like, shape (n_rows,)
        Label of each row's group, such as a person.
    Z : array_like, shape (n_rows, n_random), optional
        Random effects; by default an intercept.
    reml : bool
        Restricted likelihood.
    correlated : bool
        Whether random effects may be correlated.

    Returns
    -------
    MixedFit

    Raises
    ------
    DataError
        If lengths differ or values are missing.
    NotEstimable
        If no group has two rows, fixed effects repeat each other, or the optimum is not found.

    Notes
    -----
    ``u ~ N(0, s^2 T T')``; given the lower triangle ``T`` everything else has a closed form, and the deviance is
    minimised over ``T`` alone, as in lme4.
    """
    outcome = np.asarray(y, dtype=np.float64)
    names, fixed = columns_of(X, len(outcome), _WHAT)
    effects = np.ones((len(outcome), 1)) if Z is None else columns_of(Z, len(outcome), _WHAT)[1]
    label = np.asarray(groups)
    if outcome.ndim != 1 or label.shape != outcome.shape:
        raise DataError(f"{_WHAT}: {outcome.shape} outcomes and {label.shape} groups; give one of each a row")
    if missing := int((~np.isfinite(outcome)).sum()):
        raise DataError(f"{_WHAT}: {missing} of {len(outcome)} outcomes are missing; leave these rows out")
    code = np.unique(label, return_inverse=True)[1] if len(label) else label
    if not len(label) or int(np.max(np.bincount(code))) < 2 or np.max(code) < 1:
        raise NotEstimable(f"{_WHAT}: needs two groups and two rows in one of them")
    # Effects of like size keep the search round.
    scale = np.sqrt((effects**2).mean(axis=0))
    deviance = ProfiledDeviance.of(outcome, fixed, effects / scale, code, names, reml=reml, correlated=correlated)
    starts = [np.where(deviance.diagonal, 1.0, 0.0), np.where(deviance.diagonal, 0.2, 0.0)]
    found = [_search(deviance, start) for start in starts]
    best = min(found, key=lambda f: float(f.fun))
    if abs(found[0].fun - found[1].fun) > 1e-5 * max(1.0, abs(best.fun) * 1e-3):
        raise NotEstimable(f"{_WHAT}: the likelihood has more than one optimum; use fewer random effects")
    solved = deviance.solve(best.x)
    note = "singular: a random effect does not vary" if (best.x[deviance.diagonal] < _SMALLEST).any() else ""
    random = solved.sigma2 * solved.T @ solved.T.T / np.outer(scale, scale)
    return MixedFit(
        names,
        solved.b,
        solved.sigma2 * solved.P,
        random,
        solved.sigma2,
        -0.5 * (solved.deviance),
        len(outcome),
        int(np.max(code)) + 1,
        note,
    )


def _search(deviance: Any, start: Floats) -> Any:
    from scipy.optimize import minimize

    bounds = [(0.0, None) if d else (None, None) for d in deviance.diagonal]
    options: Any = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-8}
    return minimize(deviance, start, jac=True, method="L-BFGS-B", bounds=bounds, options=options)


@dataclass(frozen=True, eq=False)
class _Solution:
    T: Floats
    b: Floats
    P: Floats
    sigma2: float
    deviance: float


@dataclass(frozen=True, eq=False)
class ProfiledDeviance:
    """Minus twice the log-likelihood as a function of the lower triangle ``T`` alone.

    Parameters
    ----------
    ZZ, ZX, Zy : ndarray of float64, shapes (n_groups, q, q), (n_groups, q, p), (n_groups, q)
        Products within groups; XX, Xy, yy over all rows.
    free : ndarray of bool, shape (q, q)
        Entries of ``T`` that vary.
    """

    ZZ: Floats
    ZX: Floats
    Zy: Floats
    XX: Floats
    Xy: Floats
    yy: float
    rows: int
    names: Sequence[str]
    free: npt.NDArray[np.bool_]
    reml: bool

    @classmethod
    def of(
        cls, y: Floats, X: Floats, Z: Floats, code: Any, names: Sequence[str], *, reml: bool, correlated: bool
    ) -> ProfiledDeviance:
        """Add up products."""
        groups, q = int(np.max(code)) + 1, Z.shape[1]

        def within(a: Floats, b: Floats) -> Floats:
            out = np.zeros((groups, a.shape[1], b.shape[1]))
            np.add.at(out, code, a[:, :, None] * b[:, None, :])
            return out

        free = np.tril(np.ones((q, q), dtype=bool)) if correlated else np.eye(q, dtype=bool)
        return cls(
            within(Z, Z), within(Z, X), within(Z, y[:, None])[:, :, 0], X.T @ X, X.T @ y, float(y @ y), len(y), names,
            free, reml,
        )  # fmt: skip

    @cached_property
    def diagonal(self) -> npt.NDArray[np.bool_]:
        """Which of the free entries lie on the diagonal."""
        return np.eye(len(self.free), dtype=bool)[self.free]

    def __call__(self, theta: Floats) -> tuple[float, Floats]:
        """Deviance and its gradient."""
        T = self._triangle(theta)
        L, solved, (VZX, VZy) = self._solve(T)
        # Z' V^-1 (y - X b), with V^-1 = I - Z T M^-1 T' Z'
        residual = VZy - VZX @ solved.b
        VZZ = self.ZZ - self.ZZ @ T @ np.linalg.solve(L, np.swapaxes(self.ZZ @ T, 1, 2))
        G = VZZ.sum(axis=0) - residual.T @ residual / solved.sigma2
        if self.reml:
            G = G - (VZX @ solved.P @ np.swapaxes(VZX, 1, 2)).sum(axis=0)
        return solved.deviance, np.asarray((2 * G @ T)[self.free])

    def solve(self, theta: Floats) -> _Solution:
        """Everything else, given the free entries of ``T``."""
        return self._solve(self._triangle(theta))[1]

    def _triangle(self, theta: Floats) -> Floats:
        T = np.zeros(self.free.shape)
        T[self.free] = theta
        return T

    def _solve(self, T: Floats) -> tuple[Floats, _Solution, tuple[Floats, Floats]]:
        q = len(T)
        M = np.eye(q) + T.T @ self.ZZ @ T
        inner = T @ np.linalg.inv(M) @ T.T
        hidden = inner @ self.ZX
        VZX = self.ZX - self.ZZ @ hidden
        VZy = self.Zy - _times(self.ZZ, _times(inner, self.Zy))
        XVX = self.XX - _across(self.ZX, hidden)
        XVy = self.Xy - hidden.reshape(-1, hidden.shape[2]).T @ self.Zy.ravel()
        yVy = self.yy - float(_times(inner, self.Zy).ravel() @ self.Zy.ravel())
        P = inverse(XVX, self.names)
        b = P @ XVy
        free = self.rows - len(b) if self.reml else self.rows
        if free < 1:
            raise NotEstimable(f"{_WHAT}: {self.rows} rows cannot tell {len(b)} terms")
        sigma2 = max(float(yVy - b @ XVy), 1e-300) / free
        deviance = float(np.linalg.slogdet(M)[1].sum()) + free * (1 + np.log(2 * np.pi * sigma2))
        if self.reml:
            deviance += float(np.linalg.slogdet(XVX)[1])
        return M, _Solution(T, b, P, sigma2, deviance), (VZX, VZy)


def _across(left: Floats, right: Floats) -> Floats:
    """Sum over groups of ``left' right``."""
    return np.asarray(left.reshape(-1, left.shape[2]).T @ right.reshape(-1, right.shape[2]))


def _times(matrices: Floats, vectors: Floats) -> Floats:
    """Each group's matrix times its vector."""
    return np.asarray((matrices @ vectors[:, :, None])[:, :, 0])
