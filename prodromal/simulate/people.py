"""Life courses: who is born when and into which family, who falls ill, dies, leaves, and who is handed out."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from prodromal.simulate.liability import Liability
from prodromal.simulate.rates import DAYS_PER_YEAR

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.simulate.law import Law

__all__ = ["BLOCK", "NEVER", "People", "Population"]

BLOCK = 4096
NEVER = np.int64(2**40)
_OLDEST_YEARS = 105.0
# younger cohorts are larger, older ones lived through higher mortality: gives Swedish shares over 65 and over 80
_COHORT_GROWTH, _PAST_MORTALITY = 0.004, 1.6


@dataclass(frozen=True)
class People:
    """Life courses of one block: arrays of shape (n_persons,), dates in days since 1970, ``NEVER`` if they do not come.

    ``spouse`` and ``family`` are positions within the block and numbers of sibships; ``end`` is the first day after
    observation as it would be without ALS.
    """

    person_id: npt.NDArray[np.int64]
    sex: npt.NDArray[np.int8]
    birth: npt.NDArray[np.int64]
    family: npt.NDArray[np.int64]
    spouse: npt.NDArray[np.int64]
    frailty: npt.NDArray[np.float64]
    context_frailty: npt.NDArray[np.float64]
    carrier: npt.NDArray[np.bool_]
    entry: npt.NDArray[np.int64]
    death: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    diagnosis: npt.NDArray[np.int64]
    prodrome: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.person_id)

    @property
    def is_case(self) -> npt.NDArray[np.bool_]:
        """Whether the diagnosis falls within observation."""
        return self.diagnosis < self.end

    def take(self, rows: npt.NDArray[np.int64]) -> People:
        """Return some of the people; spouses who are not among them become -1."""
        position = np.full(len(self) + 1, -1)
        position[rows] = np.arange(len(rows))
        chosen = {name: values[rows] for name, values in vars(self).items()}
        return replace(self, **{**chosen, "spouse": position[chosen["spouse"]]})


class Population:
    """Draws the life courses of any block of the population, each from its own stream.

    Parameters
    ----------
    law
        The law of the register.
    seed
        Seed of the register.
    """

    def __init__(self, law: Law, seed: int) -> None:
        self._law = law
        self._seed = seed
        self._liability = Liability(law)
        self._birth_days, self._birth_law, self._women = _births(law)

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return -(-self._law.config.persons // BLOCK)

    def block(self, index: int) -> People:
        """Draw the life courses of one block."""
        config = self._law.config
        first = index * BLOCK
        n = min(BLOCK, config.persons - first)
        rng = np.random.Generator(np.random.Philox(key=np.array([self._seed, index], dtype=np.uint64)))
        birth, family = self._sibships(rng, n)
        sex = (rng.random(n) < self._women[self._slot(birth)]).astype(np.int8)
        spouse = _couples(rng, sex, birth, family, config.family.married_share)
        frailty = (rng.standard_gamma(config.frailty.shape, n) / config.frailty.shape)[family]
        carrier = (rng.random(n) < config.family.carrier_share)[family]
        context = rng.standard_gamma(config.frailty.context_shape, n) / config.frailty.context_shape
        entry = np.maximum(self._law.first_day, birth + np.int64(np.ceil(config.minimum_age * DAYS_PER_YEAR)))
        age = (entry - birth) / DAYS_PER_YEAR
        death = _day(
            birth, self._law.mortality.age_when(sex, self._law.mortality.at(sex, age) + rng.standard_exponential(n))
        )
        emigration = rng.standard_exponential(n) * DAYS_PER_YEAR / max(config.emigration_per_year, 1e-12)
        leaves = entry + np.minimum(emigration, 1e9).astype(np.int64)
        end = np.minimum(np.minimum(death, leaves), self._law.last_day) + 1
        diagnosis = _day(birth, self._liability.age_at_diagnosis(rng, sex, age, frailty, carrier))
        diagnosis = np.where(diagnosis <= entry, entry + 1, diagnosis)
        lengths = np.minimum(
            np.searchsorted(np.cumsum(self._law.prodrome_share), rng.random(n), side="right"),
            len(self._law.prodrome_share) - 1,
        )
        people = People(
            np.arange(first + 1, first + n + 1),
            sex,
            birth,
            family + first,
            spouse,
            frailty,
            context,
            carrier,
            entry,
            death,
            end,
            diagnosis,
            self._law.prodrome_days[lengths],
            np.ones(n),
        )
        return replace(people, weight=_weights(people, rng.random(n), config.noncase_fraction))

    def _sibships(self, rng: np.random.Generator, n: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        shares = np.array(self._law.config.family.sibship_shares)
        sizes = rng.choice(np.arange(1, len(shares) + 1), size=n, p=shares / shares.sum())
        family = np.repeat(np.arange(n), sizes)[:n]
        eldest = np.concatenate([[0], np.flatnonzero(np.diff(family)) + 1])[family]
        alone = self._draw_births(rng, n)
        step = np.round((1.2 + rng.standard_gamma(2.0, n)) * DAYS_PER_YEAR) * np.where(np.arange(n) == eldest, 0, 1)
        travelled = np.cumsum(step)
        direction = np.where(rng.random(n) < 0.5, -1, 1)[family]
        proposed = alone[eldest] + (direction * (travelled - travelled[eldest])).astype(np.int64)
        joins = rng.random(n) * self._density(alone[eldest]) <= self._density(proposed)
        joins |= np.arange(n) == eldest
        family = np.where(joins, eldest, np.arange(n))
        return np.where(joins, proposed, alone), family

    def _draw_births(self, rng: np.random.Generator, n: int) -> npt.NDArray[np.int64]:
        return np.floor(np.interp(rng.random(n), self._birth_law, self._birth_days)).astype(np.int64)

    def _density(self, birth: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        inside = (birth >= self._birth_days[0]) & (birth < self._birth_days[-1])
        return np.where(inside, np.diff(self._birth_law)[self._slot(birth)], 0.0)

    def _slot(self, birth: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        slot = np.searchsorted(self._birth_days, birth, side="right") - 1
        return np.clip(slot, 0, len(self._women) - 1)


def _births(law: Law) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Births by year, thinned by death before the register starts: a grid of days, the law, and the share of women."""
    adult = law.config.minimum_age * DAYS_PER_YEAR
    days = np.arange(law.first_day - _OLDEST_YEARS * DAYS_PER_YEAR, law.last_day - adult, DAYS_PER_YEAR)
    age = np.maximum((law.first_day - days[:-1] - DAYS_PER_YEAR / 2) / DAYS_PER_YEAR, law.config.minimum_age)
    men, women = (np.exp(-_PAST_MORTALITY * law.mortality.at(np.full(len(age), sex), age)) for sex in (0, 1))
    alive = (men + women) * np.exp(_COHORT_GROWTH * np.arange(len(age)))
    return days, np.concatenate([[0.0], np.cumsum(alive) / alive.sum()]), women / (men + women)


def _couples(
    rng: np.random.Generator,
    sex: npt.NDArray[np.int8],
    birth: npt.NDArray[np.int64],
    family: npt.NDArray[np.int64],
    share: float,
) -> npt.NDArray[np.int64]:
    liking = birth + rng.normal(0.0, 3 * DAYS_PER_YEAR, len(sex)) - sex * 2 * DAYS_PER_YEAR
    order = np.argsort(liking, kind="stable")
    order = order[rng.random(len(sex))[order] < share]
    men, women = order[sex[order] == 0], order[sex[order] == 1]
    pairs = min(len(men), len(women))
    men, women = men[:pairs], women[:pairs]
    apart = family[men] != family[women]
    spouse = np.full(len(sex), -1)
    spouse[men[apart]], spouse[women[apart]] = women[apart], men[apart]
    return spouse


def _day(birth: npt.NDArray[np.int64], age: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    days = np.floor(np.minimum(age, 1e6) * DAYS_PER_YEAR).astype(np.int64)
    return np.where(np.isfinite(age), birth + days, NEVER)


def _weights(people: People, draw: npt.NDArray[np.float64], fraction: float) -> npt.NDArray[np.float64]:
    """Return 1 for cases, the inverse sampling fraction for others drawn, 0 for relatives, -1 for the rest."""
    cases = np.flatnonzero(people.is_case)
    weight = np.where(draw < fraction, 1.0 / fraction, -1.0)
    related = np.isin(people.family, people.family[cases])
    partners = people.spouse[cases]
    related[partners[partners >= 0]] = True
    weight[related & (weight < 0)] = 0.0
    weight[cases] = 1.0
    return weight
