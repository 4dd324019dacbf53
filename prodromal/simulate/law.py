"""The law of a synthetic register: a configuration and its tables, resolved into arrays."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING

import numpy as np

from prodromal.simulate.config import PSYCHIATRIC
from prodromal.simulate.episodes import LONGEST_EPISODE_DAYS, UseLaw
from prodromal.simulate.prevalence import initiation_rates, read_prevalence
from prodromal.simulate.products import Products, read_products
from prodromal.simulate.rates import AGES, DAYS_PER_YEAR, CumulativeHazard, read_rates

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.simulate.config import ClassUse, SimulationConfig

__all__ = ["ADULT_AGE", "OLDEST", "Law", "day_number", "resolve"]

OLDEST = 110
ADULT_AGE = 18
_EPOCH = date(1970, 1, 1).toordinal()


def day_number(day: date) -> int:
    """Return the days since 1 January 1970, as Arrow counts them."""
    return day.toordinal() - _EPOCH


@dataclass(frozen=True)
class Law:
    """Everything that the simulator and its oracle need to know, and nothing random.

    Parameters
    ----------
    config
        The configuration that was resolved.
    first_day, last_day
        Bounds of the register, days since 1970.
    classes
        Names of the classes, the psychiatric ones first.
    use
        The law of medication use.
    products
        What a product number stands for.
    incidence, mortality
        Cumulative hazards of ALS and of death from other causes over age in years.
    prodrome_days, prodrome_share
        The grid of prodrome lengths and their probabilities.
    rho, sigma, after
        Added shares of initiations of the psychiatric classes, shape (3,).
    """

    config: SimulationConfig
    first_day: int
    last_day: int
    classes: tuple[str, ...]
    use: UseLaw
    products: Products
    incidence: CumulativeHazard
    mortality: CumulativeHazard
    prodrome_days: npt.NDArray[np.int64]
    prodrome_share: npt.NDArray[np.float64]
    rho: npt.NDArray[np.float64]
    sigma: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]


def resolve(config: SimulationConfig) -> Law:
    """Turn a configuration into a law.

    Raises
    ------
    DefinitionError
        If a table is faulty, or a prevalence cannot be reached with the lengths of use.
    """
    uses: dict[str, ClassUse] = {
        **{name: config.psychiatric[name] for name in PSYCHIATRIC},
        **dict(sorted(config.context.items())),
    }
    products = read_products()
    mortality = read_rates(config.mortality_table, "mortality_sweden_like.csv")
    incidence = config.incidence_scale * read_rates(config.incidence_table, "als_incidence_sweden_like.csv")
    shares = np.array(config.prodrome.shares)
    psychiatric = [config.psychiatric[name] for name in PSYCHIATRIC]
    return Law(
        config,
        day_number(config.starts_on),
        day_number(config.ends_on),
        tuple(uses),
        _use_law(config, uses, products, mortality),
        products,
        CumulativeHazard(incidence),
        CumulativeHazard(mortality),
        np.rint(np.array(config.prodrome.lengths_years) * DAYS_PER_YEAR).astype(np.int64),
        shares / shares.sum(),
        np.array([use.prodrome for use in psychiatric]),
        np.array([use.last_year for use in psychiatric]),
        np.array([use.after_diagnosis for use in psychiatric]),
    )


def _use_law(
    config: SimulationConfig, uses: dict[str, ClassUse], products: Products, mortality: npt.NDArray[np.float64]
) -> UseLaw:
    first_year = config.starts_on.year - int(LONGEST_EPISODE_DAYS / DAYS_PER_YEAR) - 1
    years = np.arange(first_year, config.ends_on.year + 2)
    starts = np.array([day_number(date(int(year), 1, 1)) for year in years], dtype=np.float64)
    members = [products.of_class[name] for name in uses]
    blank = np.zeros((len(uses), 2, 1, 1))
    law = UseLaw(
        np.array([use.single_share for use in uses.values()]),
        np.array([use.long_share for use in uses.values()]),
        np.array([use.short_years for use in uses.values()]) * DAYS_PER_YEAR,
        np.array([use.long_years for use in uses.values()]) * DAYS_PER_YEAR,
        np.cumsum([0] + [len(member[0]) for member in members])[:-1],
        np.concatenate([member[0] for member in members]),
        np.concatenate([member[1] for member in members]),
        products.days.astype(np.float64),
        blank,
        blank,
        starts,
        np.append(np.repeat(np.arange(len(years) - 1), np.diff(starts).astype(np.int64)), len(years) - 1),
        config.starts_on.year - OLDEST,
    )
    shapes = [config.frailty.shape if name in PSYCHIATRIC else config.frailty.context_shape for name in uses]
    targets = read_prevalence(config.prevalence_table, tuple(uses))
    by_age = initiation_rates(law, tuple(uses), targets, np.array(shapes), mortality, ADULT_AGE)
    rate = _by_birth_year(by_age, years[:-1], law.first_birth_year, config) * _trends(config, uses, years[:-1])
    cumulative = np.concatenate([np.zeros((*rate.shape[:3], 1)), np.cumsum(rate * np.diff(starts), axis=3)], axis=3)
    return law._replace(rate=np.concatenate([rate, np.zeros_like(rate[..., :1])], axis=3), cumulative=cumulative)


def _by_birth_year(
    by_age: npt.NDArray[np.float64], years: npt.NDArray[np.int64], first_birth_year: int, config: SimulationConfig
) -> npt.NDArray[np.float64]:
    births = np.arange(first_birth_year, config.ends_on.year - config.minimum_age + 1)
    age = np.clip(years[None, :] - births[:, None], -1, AGES - 1)
    return np.where(age < ADULT_AGE, 0.0, by_age[:, :, age]) / DAYS_PER_YEAR


def _trends(
    config: SimulationConfig, uses: dict[str, ClassUse], years: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    middle = (config.starts_on.year + config.ends_on.year) // 2
    growth = np.array([1.0 + use.yearly_trend for use in uses.values()])
    trend: npt.NDArray[np.float64] = growth[:, None, None, None] ** (years - middle)[None, None, None, :]
    return trend
