"""The conditional likelihood of matched sets: softmax with one case, the exact recursion with several."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodromal.association.newton import Floats
    from prodromal.association.strata import Strata

__all__ = ["OneCase", "SeveralCases", "likelihood_of"]

# Doubles of second derivatives held at once by the recursion.
_BLOCK = 4_000_000


def likelihood_of(strata: Strata, X: Floats) -> OneCase | SeveralCases:
    """Choose the likelihood; `X` in the order of `strata`, centred within sets, which changes nothing but rounding."""
    centred = X - strata.spread(strata.sum(X) / strata.sizes[:, None])
    return OneCase(strata, centred) if (strata.cases == 1).all() else SeveralCases(strata, centred)


@dataclass(frozen=True, eq=False)
class OneCase:
    """Log-likelihood ``sum_s [eta_case - log sum_i exp eta_i]`` and its derivatives."""

    strata: Strata
    X: Floats

    def value(self, b: Floats) -> float:
        """Log-likelihood."""
        eta = self.X @ b
        top = np.maximum.reduceat(eta, self.strata.start)
        total = self.strata.sum(np.exp(eta - self.strata.spread(top)))
        return float(eta[self.strata.is_case].sum() - (top + np.log(total)).sum())

    def probabilities(self, b: Floats) -> Floats:
        """Of being the case, within each set."""
        eta = self.X @ b
        weight = np.exp(eta - self.strata.spread(np.maximum.reduceat(eta, self.strata.start)))
        return np.asarray(weight / self.strata.spread(self.strata.sum(weight)))

    def centred(self, p: Floats) -> Floats:
        """Covariates less their expectation in the set."""
        return np.asarray(self.X - self.strata.spread(self.strata.sum(p[:, None] * self.X)))

    def derivatives(self, b: Floats) -> tuple[Floats, Floats]:
        """Gradient and information."""
        p = self.probabilities(b)
        away = self.centred(p)
        return away[self.strata.is_case].sum(axis=0), (p[:, None] * away).T @ away

    def residuals(self, b: Floats) -> Floats:
        """Score residual of each row; they add up to the gradient."""
        p = self.probabilities(b)
        return np.asarray((self.strata.is_case - p)[:, None] * self.centred(p))

    def third(self, b: Floats, covariance: Floats) -> Floats:
        """Half the gradient of the log-determinant of the information: Firth's change of the score."""
        p = self.probabilities(b)
        away = self.centred(p)
        leverage = np.einsum("ij,jk,ik->i", away, covariance, away)
        return np.asarray(0.5 * (p * leverage) @ away)


@dataclass(frozen=True, eq=False)
class SeveralCases:
    """Sets with ``m`` cases of ``n``: the denominator is the sum of ``exp`` over all choices of ``m`` members.

    Notes
    -----
    ``B(m, n) = B(m, n - 1) + exp(eta_n) B(m - 1, n - 1)``, differentiated twice along with itself
    (Gail, Lubin and Rubinstein's recursion). Sets of the same ``m`` and ``n`` go through it together.
    """

    strata: Strata
    X: Floats

    def value(self, b: Floats) -> float:
        """Log-likelihood."""
        total = 0.0
        for cases, rows in self._groups(1):
            eta, top = self._eta(rows, b)
            B = np.zeros((len(rows), cases + 1))
            B[:, 0] = 1.0
            for j in range(rows.shape[1]):
                B[:, 1:] += np.exp(eta[:, j] - top)[:, None] * B[:, :-1]
            total += float((eta * self.strata.is_case[rows]).sum() - (np.log(B[:, cases]) + cases * top).sum())
        return total

    def derivatives(self, b: Floats) -> tuple[Floats, Floats]:
        """Gradient and information."""
        k = len(b)
        gradient, information = np.zeros(k), np.zeros((k, k))
        for cases, rows in self._groups(k * k):
            eta, top = self._eta(rows, b)
            B, D, H = self._recursion(cases, rows, np.exp(eta - top[:, None]))
            mean = D[:, cases] / B[:, cases, None]
            gradient += self.X[rows[self.strata.is_case[rows]]].sum(axis=0) - mean.sum(axis=0)
            information += (H[:, cases] / B[:, cases, None, None]).sum(axis=0) - mean.T @ mean
        return gradient, information

    def _recursion(self, cases: int, rows: np.ndarray, weight: Floats) -> tuple[Floats, Floats, Floats]:
        n, k = len(rows), self.X.shape[1]
        B, D, H = np.zeros((n, cases + 1)), np.zeros((n, cases + 1, k)), np.zeros((n, cases + 1, k, k))
        B[:, 0] = 1.0
        for j in range(rows.shape[1]):
            x, w = self.X[rows[:, j]][:, None, :], weight[:, j][:, None]
            last, slope, bend = B[:, :-1], D[:, :-1], H[:, :-1]
            cross = slope[..., :, None] * x[..., None, :]
            outer = x[..., :, None] * x[..., None, :]
            bent = bend + cross + cross.swapaxes(-1, -2) + last[..., None, None] * outer
            sloped = slope + last[..., None] * x
            H[:, 1:] += w[..., None, None] * bent
            D[:, 1:] += w[..., None] * sloped
            B[:, 1:] += w * last
        return B, D, H

    def _eta(self, rows: np.ndarray, b: Floats) -> tuple[Floats, Floats]:
        eta = (self.X @ b)[rows]
        return eta, eta.max(axis=1)

    def _groups(self, width: int) -> Iterator[tuple[int, np.ndarray]]:
        """Number of cases, and rows of shape (n_sets, n_members), for sets that are alike."""
        kinds = np.column_stack([self.strata.cases, self.strata.sizes])
        for cases, size in np.unique(kinds, axis=0).tolist():
            start = self.strata.start[(kinds == (cases, size)).all(axis=1)]
            step = max(1, _BLOCK // (width * (cases + 1)))
            for first in range(0, len(start), step):
                yield cases, start[first : first + step, None] + np.arange(size)
