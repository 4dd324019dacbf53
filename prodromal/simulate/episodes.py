"""One episode of a medication, and the Poisson process of the initiations that start episodes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from prodromal.simulate.randomness import exponential, restart, uniform

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["LONGEST_EPISODE_DAYS", "PRODUCT_BITS", "UseLaw", "append_episode", "append_initiations", "years_reached"]

LONGEST_EPISODE_YEARS = 30
LONGEST_EPISODE_DAYS = LONGEST_EPISODE_YEARS * 365.25
PRODUCT_BITS = 12
_EARLIEST_REFILL, _REFILL_SPREAD = 0.8, 0.6


class UseLaw(NamedTuple):
    """The law of medication use as arrays; classes come first in every shape.

    ``rate`` and ``cumulative`` have the shape (class, sex, birth year, calendar year): initiations per day of a person
    with frailty 1, and their integral up to 1 January. A key is ``day << 12 | product``.
    """

    single_share: npt.NDArray[np.float64]
    long_share: npt.NDArray[np.float64]
    short_days: npt.NDArray[np.float64]
    long_days: npt.NDArray[np.float64]
    first_substance: npt.NDArray[np.int64]
    substance: npt.NDArray[np.int64]
    substance_share: npt.NDArray[np.float64]
    days_supply: npt.NDArray[np.float64]
    rate: npt.NDArray[np.float64]
    cumulative: npt.NDArray[np.float64]
    year_start: npt.NDArray[np.float64]
    year_of_day: npt.NDArray[np.int64]
    first_birth_year: int


@njit(cache=True, nogil=True)
def _pick(state: npt.NDArray[np.uint64], law: UseLaw, c: int) -> int:
    draw = uniform(state)
    index = law.first_substance[c]
    while law.substance_share[index] < draw:
        index += 1
    substance: int = law.substance[index]
    return substance


@njit(cache=True, nogil=True)
def append_episode(
    state: npt.NDArray[np.uint64],
    law: UseLaw,
    c: int,
    start: float,
    bounds: tuple[float, float],
    keys: npt.NDArray[np.int64],
    n: int,
) -> tuple[int, float]:
    """Append an episode's dispensings within ``bounds``; return the end of the keys and the day it stops."""
    stop = start
    if uniform(state) >= law.single_share[c]:
        mean = law.long_days[c] if uniform(state) < law.long_share[c] else law.short_days[c]
        stop = start + min(mean * exponential(state), LONGEST_EPISODE_DAYS)
    if stop < bounds[0]:
        return n, stop
    draw = uniform(state)
    dose = 0 if draw < 0.25 else (1 if draw < 0.75 else 2)
    product = _pick(state, law, c) * 6 + dose
    day = start
    while day <= stop and day < bounds[1]:
        if day >= bounds[0]:
            if n == len(keys):
                raise ValueError("one person has more dispensings than the kernel can hold; lower the rates")
            keys[n] = (math.floor(day) << PRODUCT_BITS) | product
            n += 1
        day += law.days_supply[product] * (_EARLIEST_REFILL + _REFILL_SPREAD * uniform(state))
        if product % 6 < 3:
            product += 3
    return n, stop


@njit(cache=True, nogil=True)
def _cumulative(law: UseLaw, row: tuple[int, int, int], day: float) -> float:
    year = law.year_of_day[int(day - law.year_start[0])]
    rate: float = law.rate[row[0], row[1], row[2], year]
    until_january: float = law.cumulative[row[0], row[1], row[2], year]
    since_january: float = day - law.year_start[year]
    return until_january + rate * since_january


@njit(cache=True, nogil=True)
def append_initiations(
    state: npt.NDArray[np.uint64],
    law: UseLaw,
    row: tuple[int, int, int],
    factor: float,
    span: tuple[float, float],
    bounds: tuple[float, float],
    keys: npt.NDArray[np.int64],
    n: int,
    starts: npt.NDArray[np.int64],
    m: int,
) -> tuple[int, int]:
    """Append the episodes that begin in ``span`` at ``factor`` times the law's rate.

    ``starts`` receives ``day << 12 | class`` of every initiation that is visible: begun within ``bounds`` or still
    running at its beginning.
    """
    if factor <= 0.0 or span[1] <= span[0]:
        return n, m
    target = _cumulative(law, row, span[0])
    total = _cumulative(law, row, span[1])
    year = law.year_of_day[int(span[0] - law.year_start[0])]
    while True:
        target += exponential(state) / factor
        if target >= total:
            return n, m
        while law.cumulative[row[0], row[1], row[2], year + 1] <= target:
            year += 1
        start = (
            law.year_start[year]
            + (target - law.cumulative[row[0], row[1], row[2], year]) / law.rate[row[0], row[1], row[2], year]
        )
        n, stop = append_episode(state, law, row[0], start, bounds, keys, n)
        if stop >= bounds[0]:
            if m == len(starts):
                raise ValueError("one person has more initiations than the kernel can hold; lower the rates")
            starts[m] = (math.floor(start) << PRODUCT_BITS) | row[0]
            m += 1


@njit(cache=True, nogil=True)
def years_reached(law: UseLaw, c: int, draws: int) -> npt.NDArray[np.float64]:
    """Return the share of episodes with a dispensing 0, 1, 2, ... calendar years after that of their start."""
    keys = np.empty(4096, dtype=np.int64)
    state = np.zeros(1, dtype=np.uint64)
    reached = np.zeros(LONGEST_EPISODE_YEARS + 2)
    for draw in range(draws):
        restart(state, 1, draw, c)
        start = 365.25 * (draw + 0.5) / draws
        n, _ = append_episode(state, law, c, start, (0.0, 1e9), keys, 0)
        last = -1
        for i in range(n):
            year = min(int((keys[i] >> PRODUCT_BITS) / 365.25), LONGEST_EPISODE_YEARS + 1)
            if year > last:
                reached[year] += 1.0
                last = year
    return reached / draws
