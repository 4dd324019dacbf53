"""One block of people from life courses to tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.simulate.census import Census, take_census
from prodromal.simulate.config import PSYCHIATRIC
from prodromal.simulate.course import CourseLaw
from prodromal.simulate.histories import EffectLaw, Lives, draw_histories, split_keys
from prodromal.simulate.people import Population
from prodromal.simulate.products import PRODUCTS_PER_SUBSTANCE
from prodromal.simulate.rates import DAYS_PER_YEAR
from prodromal.simulate.tables import (
    dispensings_table,
    follow_up_table,
    initiations_table,
    outcomes_table,
    persons_table,
    relatives_table,
    truth_table,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from prodromal.simulate.law import Law
    from prodromal.simulate.people import People

__all__ = ["Block", "BlockMaker"]


@dataclass(frozen=True)
class Block:
    """Tables of the people of one block who are handed out, and a census of all of them."""

    persons: int
    dispensings: pa.Table
    tables: dict[str, pa.Table]
    truths: dict[str, pa.Table]
    census: Census


class BlockMaker:
    """Makes any block of a register; safe to share between threads.

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
        self._population = Population(law, seed)
        self._course = _course_law(law)
        self._effect = EffectLaw(law.rho, law.sigma, law.after, _class_of_substance(law))

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return self._population.blocks

    def make(self, index: int) -> Block:
        """Draw one block."""
        everybody = self._population.block(index)
        people = everybody.take(np.flatnonzero(everybody.weight >= 0))
        histories = draw_histories(self._seed, self._law.use, self._effect, self._course, self._lives(people))
        days, product = split_keys(histories.keys)
        return Block(
            len(people),
            dispensings_table(people, histories, days, product, self._law.products),
            {
                "persons": persons_table(people, histories),
                "outcomes": outcomes_table(people, histories),
                "relatives": relatives_table(people),
                "follow_up": follow_up_table(people, histories),
            },
            {"persons": truth_table(people, histories), "initiations": initiations_table(people, histories)},
            take_census(everybody),
        )

    def _lives(self, people: People) -> Lives:
        below = self._law.config.prodrome.below_age
        age = (people.diagnosis - people.birth) / DAYS_PER_YEAR
        with_effect = np.full(len(people), fill_value=True) if below is None else age < below
        return Lives(
            people.person_id,
            people.sex,
            people.birth,
            people.birth.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970,
            people.frailty,
            people.context_frailty,
            people.entry,
            people.end,
            people.diagnosis,
            people.prodrome,
            with_effect,
        )


def _class_of_substance(law: Law) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    class_of = np.full(len(law.products.atc), len(law.classes), dtype=np.int64)
    for number, name in enumerate(law.classes):
        class_of[law.products.of_class[name][0]] = number
    return class_of


def _course_law(law: Law) -> CourseLaw:
    course = law.config.course
    return CourseLaw(
        np.log([law.config.psychiatric[name].hazard_ratio for name in PSYCHIATRIC]),
        course.delay_median_days,
        course.delay_sigma,
        course.survival_median_days,
        course.survival_shape,
        float(np.log(course.age_hazard_ratio)),
        course.slope_hazard_exponent,
        course.ventilation_share,
        course.ventilated_years * DAYS_PER_YEAR,
        course.slope_mean,
        course.slope_shape,
        course.antidepressant_slope_factor,
        course.visit_days,
        course.riluzole_share,
        course.riluzole_early_share,
        int(law.products.of_class["riluzole"][0][0]) * PRODUCTS_PER_SUBSTANCE,
    )
