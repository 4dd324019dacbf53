"""The course of the disease in one person: survival, ventilation, function and riluzole."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from prodromal.simulate.episodes import PRODUCT_BITS
from prodromal.simulate.randomness import exponential, gamma, normal, uniform

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = [
    "FAR",
    "CourseLaw",
    "FirstEvent",
    "append_riluzole",
    "append_visits",
    "draw_onset",
    "first_event",
    "recurrent",
]

_MONTH = 30.4375
FAR = 1 << 40


class CourseLaw(NamedTuple):
    """The numbers of the configuration's ``course`` and the classes' hazard ratios."""

    log_hazard_ratio: npt.NDArray[np.float64]
    delay_median_days: float
    delay_sigma: float
    survival_median_days: float
    survival_shape: float
    log_age_hazard_ratio: float
    slope_hazard_exponent: float
    ventilation_share: float
    ventilated_days: float
    slope_mean: float
    slope_shape: float
    slope_factor: float
    visit_days: float
    riluzole_share: float
    riluzole_early_share: float
    riluzole_product: int


class FirstEvent(NamedTuple):
    """Days of death from ALS and of invasive ventilation (far away if never), and the loss of points per month."""

    death: int
    ventilation: int
    slope: float


@njit(cache=True, nogil=True)
def recurrent(
    keys: npt.NDArray[np.int64], n: int, class_of: npt.NDArray[np.int64], day: int, used: npt.NDArray[np.int8]
) -> None:
    """Mark the psychiatric classes with at least two dispensings before a day."""
    used[:] = 0
    for i in range(n):
        c = class_of[(keys[i] & ((1 << PRODUCT_BITS) - 1)) // 6]
        if c < len(used) and (keys[i] >> PRODUCT_BITS) < day and used[c] < 2:
            used[c] += 1
    used //= 2


@njit(cache=True, nogil=True)
def first_event(
    state: npt.NDArray[np.uint64], law: CourseLaw, diagnosis: int, age_years: float, used: npt.NDArray[np.int8]
) -> FirstEvent:
    """Draw slope, then the first of death and invasive ventilation, then death after ventilation."""
    slope = law.slope_mean * gamma(state, law.slope_shape) / law.slope_shape
    log_hazard = law.log_age_hazard_ratio * (age_years - 67.0) / 10.0
    log_hazard += law.slope_hazard_exponent * math.log(slope / law.slope_mean)
    for c in range(len(used)):
        log_hazard += law.log_hazard_ratio[c] * used[c]
    if used[2]:
        slope *= law.slope_factor
    hazard = min(exponential(state) / math.exp(log_hazard), 50.0)
    days = 1 + int(law.survival_median_days * math.expm1(hazard * 1.0) ** (1.0 / law.survival_shape))
    event = diagnosis + min(days, 40_000)
    if uniform(state) >= law.ventilation_share:
        return FirstEvent(event, FAR, slope)
    return FirstEvent(event + 1 + int(law.ventilated_days * exponential(state)), event, slope)


@njit(cache=True, nogil=True)
def draw_onset(state: npt.NDArray[np.uint64], law: CourseLaw, diagnosis: int, slope: float) -> int:
    """Draw the day of the first symptom; fast decline is diagnosed sooner."""
    delay = (
        law.delay_median_days * math.exp(law.delay_sigma * normal(state)) * math.sqrt(law.slope_mean / max(slope, 0.05))
    )
    return diagnosis - int(min(delay, 7305.0))


@njit(cache=True, nogil=True)
def append_riluzole(
    state: npt.NDArray[np.uint64],
    law: CourseLaw,
    diagnosis: int,
    bounds: tuple[int, int],
    keys: npt.NDArray[np.int64],
    n: int,
) -> int:
    """Append the dispensings of riluzole, every four weeks or so from about the diagnosis on."""
    if uniform(state) >= law.riluzole_share:
        return n
    early = uniform(state) < law.riluzole_early_share
    day = float(diagnosis) + (-1.0 - 44.0 * uniform(state) if early else 14.0 * math.exp(normal(state)))
    product = law.riluzole_product + 1
    while day < bounds[1]:
        if day >= bounds[0]:
            if n == len(keys):
                raise ValueError("one person has more dispensings than the kernel can hold; lower the rates")
            keys[n] = (math.floor(day) << PRODUCT_BITS) | product
            n += 1
        product = law.riluzole_product + 4
        day += 28.0 * (0.9 + 0.25 * uniform(state))
    return n


@njit(cache=True, nogil=True)
def append_visits(
    state: npt.NDArray[np.uint64],
    law: CourseLaw,
    dates: tuple[int, int, int],
    slope: float,
    days: npt.NDArray[np.int64],
    scores: npt.NDArray[np.int8],
) -> int:
    """Fill visits until the last day, from a diagnosis with an onset: a straight line with noise from 48 points."""
    diagnosis, onset, end = dates
    level = max(48.0 - 0.8 * slope * (diagnosis - onset) / _MONTH, 12.0)
    day, n = float(diagnosis), 0
    while day < end and n < len(days):
        score = level - slope * (day - diagnosis) / _MONTH + 1.5 * normal(state)
        days[n] = int(day)
        scores[n] = np.int8(min(max(round(score), 0), 48))
        n += 1
        day += law.visit_days * (0.6 + 0.8 * uniform(state))
    return n
