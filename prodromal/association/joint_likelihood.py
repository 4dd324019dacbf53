"""Likelihood and score of the joint model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from prodromal.association.newton import Floats

__all__ = ["JointData", "JointLikelihood"]

_STEP = 1e-5


@dataclass(frozen=True, eq=False)
class JointData:
    """Products of visits, by person and in all, and the follow-up of each person.

    Parameters
    ----------
    ZZ, ZX, Zy : ndarray of float64, shapes (n, 2, 2), (n, 2, p), (n, 2)
    XX, Xy, yy : ndarray and float
        Over all visits.
    spent : ndarray of float64, shape (n, n_pieces)
        Time at risk in each piece.
    piece : ndarray of int64, shape (n,)
        Piece in which follow-up ends.
    event : ndarray of bool, shape (n,)
    W : ndarray of float64, shape (n, n_effects)
    names : tuple of str
    rows : int
    """

    ZZ: Floats
    ZX: Floats
    Zy: Floats
    XX: Floats
    Xy: Floats
    yy: float
    spent: Floats
    piece: npt.NDArray[np.int64]
    event: npt.NDArray[np.bool_]
    W: Floats
    names: tuple[str, ...]
    rows: int

    @classmethod
    def of(
        cls,
        y: Floats,
        X: Floats,
        Z: Floats,
        person: Any,
        followed: tuple[Floats, Any, Any, Floats],
        names: tuple[tuple[str, ...], tuple[str, ...]],
    ) -> JointData:
        """Add up products of visits."""
        spent, piece, event, W = followed

        def within(a: Floats, b: Floats) -> Floats:
            out = np.zeros((len(spent), a.shape[1], b.shape[1]))
            np.add.at(out, person, a[:, :, None] * b[:, None, :])
            return out

        named = (
            *(f"score:{n}" for n in names[0]),
            "score:log residual sd",
            *(f"score:random effects {i}" for i in (1, 2, 3)),
            *(f"baseline:{k + 1}" for k in range(spent.shape[1])),
            *(f"hazard:{n}" for n in names[1]),
            "link:intercept",
            "link:slope",
        )
        return cls(
            within(Z, Z),
            within(Z, X),
            within(Z, y[:, None])[:, :, 0],
            X.T @ X,
            X.T @ y,
            float(y @ y),
            spent,
            piece,
            event,
            W,
            named,
            len(y),
        )


class _Parts(NamedTuple):
    b: Floats
    log_sigma: float
    L: Floats
    baseline: Floats
    g: Floats
    a: Floats


class _Posterior(NamedTuple):
    """Of the random effects: given the scores (mean, covariance), and given survival besides."""

    mean: Floats
    covariance: Floats
    spread: Floats
    direction: Floats
    expected_hazard: Floats
    log_integral: Floats
    first: Floats
    second: Floats
    grown: Floats
    grown_first: Floats


@dataclass(frozen=True, eq=False)
class JointLikelihood:
    """Log-likelihood of all parameters, its exact score, and the information from differences of the score.

    Notes
    -----
    For one person, ``f(y) E[exp(d (l_k + W g + s) - c exp(W g + s))]`` with ``s = a'u``; given ``y``, ``s`` is normal.
    The expectation is taken by Gauss-Hermite quadrature around the mode of the integrand, scaled by its curvature. The
    score is the expectation of the complete-data score (Fisher's identity) at the same points.
    """

    data: JointData
    nodes: int = 15

    def value(self, theta: Floats) -> float:
        """Log-likelihood."""
        parts = self._parts(theta)
        posterior = self._posterior(parts)
        return self._scores_alone(parts, posterior) + float(
            posterior.log_integral.sum()
            + (self.data.event * (parts.baseline[self.data.piece] + self.data.W @ parts.g)).sum()
        )

    def score(self, theta: Floats) -> Floats:
        """Gradient."""
        d, parts = self.data, self._parts(theta)
        q = self._posterior(parts)
        sigma2 = np.exp(2 * parts.log_sigma)
        expected = q.mean + q.direction * q.first[:, None]
        change = q.second - q.first**2 - 1
        square = q.covariance + q.direction[:, :, None] * q.direction[:, None, :] * change[:, None, None]
        square = square + expected[:, :, None] * expected[:, None, :]
        of_b = (d.Xy - d.XX @ parts.b - np.einsum("nip,ni->p", d.ZX, expected)) / sigma2
        error = self._residual(parts)[1] - 2 * float((expected * self._residual(parts)[0]).sum())
        error += float(np.einsum("nij,nij->", d.ZZ, square))
        of_sigma = error / sigma2 - d.rows
        inverse = np.linalg.inv(parts.L @ parts.L.T)
        of_L = (inverse @ square.sum(axis=0) @ inverse - len(d.event) * inverse) @ parts.L
        of_spread = [of_L[0, 0] * parts.L[0, 0], of_L[1, 0], of_L[1, 1] * parts.L[1, 1]]
        hazard = q.expected_hazard * q.grown
        rate = hazard / self._cumulative(parts)
        of_baseline = np.bincount(d.piece[d.event], minlength=d.spent.shape[1]) - np.exp(parts.baseline) * (
            rate @ d.spent
        )
        of_g = d.W.T @ (d.event - hazard)
        leaving = q.mean * q.grown[:, None] + q.direction * q.grown_first[:, None]
        of_a = (d.event[:, None] * expected - q.expected_hazard[:, None] * leaving).sum(axis=0)
        return np.concatenate([of_b, [of_sigma], of_spread, of_baseline, of_g, of_a])

    def information(self, theta: Floats) -> Floats:
        """Minus the Hessian, by central differences of the score."""
        columns = []
        for i in range(len(theta)):
            step = np.zeros(len(theta))
            step[i] = _STEP * max(1.0, abs(theta[i]))
            columns.append((self.score(theta - step) - self.score(theta + step)) / (2 * step[i]))
        found = np.array(columns)
        return np.asarray((found + found.T) / 2)

    def _parts(self, theta: Floats) -> _Parts:
        p, pieces = self.data.ZX.shape[2], self.data.spent.shape[1]
        b, rest = theta[:p], theta[p:]
        L = np.array([[np.exp(rest[1]), 0.0], [rest[2], np.exp(rest[3])]])
        return _Parts(b, float(rest[0]), L, rest[4 : 4 + pieces], rest[4 + pieces : -2], rest[-2:])

    def _residual(self, parts: _Parts) -> tuple[Floats, float]:
        """``Z'(y - X b)`` by person, and the squares of ``y - X b`` over all."""
        d = self.data
        return d.Zy - d.ZX @ parts.b, float(d.yy - 2 * parts.b @ d.Xy + parts.b @ d.XX @ parts.b)

    def _cumulative(self, parts: _Parts) -> Floats:
        return np.asarray(self.data.spent @ np.exp(parts.baseline))

    def _scores_alone(self, parts: _Parts, q: _Posterior) -> float:
        """Log density of the scores: the mixed model."""
        sigma2, d = np.exp(2 * parts.log_sigma), self.data
        _, squares = self._residual(parts)
        explained = float(np.einsum("ni,nij,nj->", q.mean, np.linalg.inv(q.covariance), q.mean))
        ratio = len(d.event) * 2 * np.log(np.diag(parts.L)).sum() - np.linalg.slogdet(q.covariance)[1].sum()
        return -0.5 * float(d.rows * np.log(2 * np.pi * sigma2) + ratio + squares / sigma2 - explained)

    def _posterior(self, parts: _Parts) -> _Posterior:
        d, sigma2 = self.data, np.exp(2 * parts.log_sigma)
        covariance = np.linalg.inv(np.linalg.inv(parts.L @ parts.L.T) + d.ZZ / sigma2)
        mean = np.einsum("nij,nj->ni", covariance, self._residual(parts)[0]) / sigma2
        toward = covariance @ parts.a
        spread = np.sqrt(np.maximum(toward @ parts.a, 0.0))
        direction = np.divide(toward, spread[:, None], out=np.zeros_like(toward), where=spread[:, None] > 1e-12)
        offset = d.W @ parts.g + mean @ parts.a
        hazard = self._cumulative(parts) * np.exp(offset)
        t, weight, log_integral = _quadrature(d.event, hazard, spread, self.nodes)
        growth = np.exp(spread[:, None] * t)
        return _Posterior(
            mean,
            covariance,
            spread,
            direction,
            hazard,
            log_integral + d.event * (mean @ parts.a),
            (weight * t).sum(axis=1),
            (weight * t**2).sum(axis=1),
            (weight * growth).sum(axis=1),
            (weight * growth * t).sum(axis=1),
        )


def _quadrature(event: Any, hazard: Floats, spread: Floats, nodes: int) -> tuple[Floats, Floats, Floats]:
    """Points, posterior weights and log of ``E[exp(d v t - h exp(v t))]`` for standard normal ``t``."""
    t = np.zeros(len(hazard))
    for _ in range(50):
        grown = hazard * np.exp(spread * t)
        step = (event * spread - spread * grown - t) / (1 + spread**2 * grown)
        t = t + np.clip(step, -2.0, 2.0)
        if np.abs(step).max(initial=0.0) < 1e-12:
            break
    scale = 1 / np.sqrt(1 + spread**2 * hazard * np.exp(spread * t))
    x, w = np.polynomial.hermite_e.hermegauss(nodes)
    points = t[:, None] + scale[:, None] * x
    logs = event[:, None] * spread[:, None] * points - hazard[:, None] * np.exp(spread[:, None] * points)
    logs = logs - points**2 / 2 + x**2 / 2 + np.log(w) + np.log(scale)[:, None] - 0.5 * np.log(2 * np.pi)
    top = logs.max(axis=1, keepdims=True)
    weight = np.exp(logs - top)
    total = weight.sum(axis=1, keepdims=True)
    return points, weight / total, np.asarray((top + np.log(total))[:, 0])
