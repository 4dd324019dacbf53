"""Limits where a likelihood, maximised over all other terms, has fallen by as much as chance explains."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.association.newton import Floats, inverse, maximise

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["profile_limits"]

# Half the 95 % quantile of chi-squared with one degree of freedom.
_FALL = 1.9207294103470494
_MOST_DOUBLINGS = 30


def profile_limits(
    value: Callable[[Floats], float],
    derivatives: Callable[[Floats], tuple[Floats, Floats]],
    best: Floats,
    terms: Sequence[str],
) -> tuple[Floats, Floats, Floats]:
    """Find profile limits and p values of each term.

    Parameters
    ----------
    value, derivatives : function
        Log-likelihood, penalised or not; its gradient and information.
    best : ndarray of float64, shape (n_terms,)
        Its maximum.
    terms : sequence of str

    Returns
    -------
    low, high, p : ndarray of float64, shape (n_terms,)
        95 % limits, infinite where the likelihood never falls so far, and p values of the likelihood ratio test that
        the term is zero.
    """
    from scipy.special import erfc

    spread = np.sqrt(np.diag(inverse(derivatives(best)[1], terms)))
    top = value(best)
    low, high, p = np.empty((3, len(best)))
    for j in range(len(best)):
        profile = _Profile(value, derivatives, best, j, terms)
        low[j], high[j] = (_limit(profile, top, best[j], sign * spread[j]) for sign in (-1, 1))
        p[j] = erfc(np.sqrt(max(top - profile(0.0), 0.0)))
    return low, high, p


class _Profile:
    """The likelihood with one term held, maximised over the others from where they were last."""

    def __init__(
        self,
        value: Callable[[Floats], float],
        derivatives: Callable[[Floats], tuple[Floats, Floats]],
        best: Floats,
        term: int,
        terms: Sequence[str],
    ) -> None:
        self.value, self.derivatives, self.term = value, derivatives, term
        self.rest = np.arange(len(best)) != term
        self.names = [name for name, other in zip(terms, self.rest, strict=True) if other]
        self.start = best[self.rest]

    def __call__(self, held: float) -> float:
        def whole(others: Floats) -> Floats:
            return np.insert(others, self.term, held)

        def slopes(others: Floats) -> tuple[Floats, Floats]:
            gradient, information = self.derivatives(whole(others))
            return gradient[self.rest], information[np.ix_(self.rest, self.rest)]

        if not self.names:
            return self.value(whole(self.start))
        self.start = maximise(lambda others: self.value(whole(others)), slopes, self.names, start=self.start)[0]
        return self.value(whole(self.start))


def _limit(profile: _Profile, top: float, best: float, step: float) -> float:
    from scipy.optimize import brentq

    def fallen(at: float) -> float:
        return top - profile(at) - _FALL

    inner, outer = best, best + 2 * step
    for _ in range(_MOST_DOUBLINGS):
        if fallen(outer) > 0:
            return float(brentq(fallen, inner, outer, xtol=1e-9))
        inner, outer = outer, best + 2 * (outer - best)
    return float(np.copysign(np.inf, step))
