"""From how many people use a class in a year to how often people start it."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DefinitionError
from prodromal.simulate.episodes import UseLaw, years_reached
from prodromal.simulate.rates import AGES, read_shipped, rows_of

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["Band", "initiation_rates", "read_prevalence"]

_DRAWS = 50_000
_ROUNDS = 400
_ENOUGH, _TOLERANCE = 1e-4, 0.02

Band = tuple[int, int, float, float]


def read_prevalence(path: Path | None, classes: tuple[str, ...]) -> list[list[Band]]:
    """Read, for each class, the age bands with the shares of men and of women who use it in a year.

    Raises
    ------
    DefinitionError
        If a class has no bands, bands overlap, or a share lies outside 0-100 percent.
    """
    rows = read_shipped("prodromal.simulate", "prevalence.csv") if path is None else rows_of(path)
    bands: dict[str, list[Band]] = {name: [] for name in classes}
    for row in rows:
        band = _parsed(row)
        if row["class"] in bands:
            bands[row["class"]].append(band)
    for name, of_class in bands.items():
        of_class.sort()
        if not of_class or any(a[1] > b[0] for a, b in pairwise(of_class)):
            raise DefinitionError(f"table of prevalences: class {name} has no age bands, or they overlap")
    return list(bands.values())


def _parsed(row: dict[str, str]) -> Band:
    try:
        first, end = int(row["age_from"]), int(row["age_to"])
        men, women = float(row["men_percent"]) / 100, float(row["women_percent"]) / 100
    except (KeyError, TypeError, ValueError) as error:
        raise DefinitionError(
            "table of prevalences: every row needs class, age_from, age_to, men_percent and women_percent"
        ) from error
    if not (0 <= first < end <= AGES and 0 <= men < 1 and 0 <= women < 1):
        raise DefinitionError("table of prevalences: ages must lie in 0-120 and percentages in 0-100")
    return first, end, men, women


def initiation_rates(
    law: UseLaw,
    names: tuple[str, ...],
    targets: list[list[Band]],
    shapes: npt.NDArray[np.float64],
    mortality: npt.NDArray[np.float64],
    minimum_age: int,
) -> npt.NDArray[np.float64]:
    """Return initiations per year at frailty 1, shape (class, sex, age), that give the wanted yearly prevalences.

    Notes
    -----
    Given frailty ``u``, the episodes that reach a year are Poisson with mean ``u M``, ``M(a) = sum_j lambda(a - j)
    w_j``, where ``w_j`` is the share of episodes with a dispensing ``j`` years after the year of their start. With
    ``u ~ Gamma(k, k)`` the prevalence is ``1 - (1 + M / k) ** -k``. The rates are constant within an age band and
    found by repeated proportional fitting of the band means over a stationary population.

    Raises
    ------
    DefinitionError
        If a prevalence cannot be reached: episodes last too long for a fall from one age band to the next.
    """
    rates = np.empty((len(targets), 2, AGES))
    for c, bands in enumerate(targets):
        reached = years_reached(law, c, _DRAWS)
        for sex in (0, 1):
            alive = np.exp(-np.cumsum(mortality[sex]))
            fit = _fitted(names[c], bands, sex, reached, float(shapes[c]), alive, minimum_age)
            rates[c, sex] = fit
    return rates


def _fitted(
    name: str,
    bands: list[Band],
    sex: int,
    reached: npt.NDArray[np.float64],
    k: float,
    alive: npt.NDArray[np.float64],
    minimum_age: int,
) -> npt.NDArray[np.float64]:
    index = _band_of_age(bands, minimum_age)
    target = np.array([band[2 + sex] for band in bands])
    wanted = k * ((1 - target) ** (-1 / k) - 1)
    weights = np.zeros((len(bands), AGES))
    for b, band in enumerate(bands):
        weights[b, band[0] : band[1]] = alive[band[0] : band[1]]
    weights /= weights.sum(axis=1, keepdims=True)
    level = wanted / max(reached.sum(), 1.0)
    prevalence = target
    reach_of_band = _spread(reached) @ (index[:, None] == np.arange(len(bands))[None, :])
    for _ in range(_ROUNDS):
        reach = reach_of_band @ level
        prevalence = weights @ (1 - (1 + reach / k) ** -k)
        if np.all(np.abs(prevalence - target) <= _ENOUGH * target):
            break
        found = k * ((1 - np.minimum(prevalence, 0.999)) ** (-1 / k) - 1)
        level = np.where(target > 0, level * wanted / np.maximum(found, 1e-300), 0.0)
    if np.any(np.abs(prevalence - target) > _TOLERANCE * target):
        worst = bands[int(np.argmax(np.abs(prevalence / np.maximum(target, 1e-9) - 1)))]
        raise DefinitionError(
            f"table of prevalences, class {name}: the share at ages {worst[0]}-{worst[1]} cannot be reached; "
            "shorten the episodes of the class or smooth the fall between age bands"
        )
    return np.where(index >= 0, level[np.clip(index, 0, None)], 0.0)


def _band_of_age(bands: list[Band], minimum_age: int) -> npt.NDArray[np.int64]:
    index = np.full(AGES, -1)
    for b, (first, end, _, _) in enumerate(bands):
        index[first:end] = b
    index[minimum_age : bands[0][0]] = 0
    index[:minimum_age] = -1
    return index


def _spread(reached: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    matrix = np.zeros((AGES, AGES))
    for j, share in enumerate(reached):
        matrix += share * np.eye(AGES, k=-j)
    return matrix
