"""Who is diagnosed when: the incidence table on average, with frail people and carriers above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import gammaincinv, gammaln

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.simulate.law import Law

__all__ = ["Liability"]

_QUANTILES = 512


class Liability:
    """Draws the age at diagnosis so that the hazard among those still undiagnosed is exactly the table's.

    Notes
    -----
    A person's hazard is ``w b(t)`` with ``w = v u**gamma / E[v u**gamma]``, where ``u`` is the frailty and ``v`` the
    carriers' factor. People are undiagnosed when they enter. With ``B`` the integral of ``b`` since entry, the share
    still undiagnosed is ``E[exp(-w B)]``; setting this to ``exp(-H)``, ``H`` the integral of the table's hazard,
    determines ``H`` as a function of ``B`` alone. So ``B = E / w`` with ``E`` standard exponential gives ``H``, and
    the inverse of the table the age. Where effects end at an age, people's ``w`` loses its ``u**gamma`` there, and
    the function is started afresh.
    """

    def __init__(self, law: Law) -> None:
        config = law.config
        self._incidence = law.incidence
        self._exponent = config.frailty.hazard_exponent
        self._below_age = config.prodrome.below_age
        self._ratio = config.family.carrier_hazard_ratio
        k, g = config.frailty.shape, self._exponent
        carriers = config.family.carrier_share
        self._mean_v = 1.0 + carriers * (self._ratio - 1.0)
        self._mean_u = float(np.exp(gammaln(k + g) - gammaln(k) - g * np.log(k)))
        self._frail = _Depletion(*_law_of_w(k, g, carriers, self._ratio))
        self._plain = _Depletion(*_law_of_w(k, 0.0, carriers, self._ratio))

    def age_at_diagnosis(
        self,
        rng: np.random.Generator,
        sex: npt.NDArray[np.int8],
        age: npt.NDArray[np.float64],
        frailty: npt.NDArray[np.float64],
        carrier: npt.NDArray[np.bool_],
    ) -> npt.NDArray[np.float64]:
        """Return the age at diagnosis in years, infinity for nearly everybody."""
        budget = rng.standard_exponential(len(age))
        plain = np.where(carrier, self._ratio, 1.0) / self._mean_v
        frail = plain * np.maximum(frailty, 1e-12) ** self._exponent / self._mean_u
        if self._below_age is None:
            return self._first(sex, age, budget, frail, self._frail)
        limit = np.full(len(age), float(self._below_age))
        early = self._first(sex, age, budget, frail, self._frail)
        spent = frail * self._frail.own(np.maximum(self._incidence.at(sex, limit) - self._incidence.at(sex, age), 0.0))
        late = self._first(sex, np.maximum(age, limit), np.maximum(budget - spent, 0.0), plain, self._plain)
        return np.where(early < limit, early, late)

    def _first(
        self,
        sex: npt.NDArray[np.int8],
        age: npt.NDArray[np.float64],
        budget: npt.NDArray[np.float64],
        w: npt.NDArray[np.float64],
        depletion: _Depletion,
    ) -> npt.NDArray[np.float64]:
        return self._incidence.age_when(sex, self._incidence.at(sex, age) + depletion.table(budget / w))


class _Depletion:
    """``H(B) = -log E[exp(-w B)]`` and its inverse, on a logarithmic grid."""

    def __init__(self, w: npt.NDArray[np.float64], share: npt.NDArray[np.float64]) -> None:
        self._log_b = np.linspace(np.log(1e-9), np.log(1e3), 2000)
        survival = np.exp(-np.exp(self._log_b)[:, None] * w[None, :])
        self._log_h = np.log(-np.log1p((survival - 1.0) @ share))

    def table(self, own: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.exp(np.interp(np.log(np.maximum(own, 1e-9)), self._log_b, self._log_h))

    def own(self, table: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        log_b = np.interp(np.log(np.maximum(table, 1e-300)), self._log_h, self._log_b)
        return np.where(table > 0, np.exp(log_b), 0.0)


def _law_of_w(
    k: float, g: float, carriers: float, ratio: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    u: npt.NDArray[np.float64] = np.asarray(gammaincinv(k, (np.arange(_QUANTILES) + 0.5) / _QUANTILES)) / k
    tilted = np.maximum(u, 1e-12) ** g
    w = np.concatenate([tilted, ratio * tilted])
    share = np.repeat([1.0 - carriers, carriers], _QUANTILES) / _QUANTILES
    return w / (w @ share), share
