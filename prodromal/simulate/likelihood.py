"""The likelihood ratio of a history: closed form in the frailty, a sum over prodrome lengths and days of diagnosis."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from prodromal.simulate.episodes import LONGEST_EPISODE_DAYS, LONGEST_EPISODE_YEARS, UseLaw

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["Questions", "SignalLaw", "Starts", "log_likelihood_ratios", "tabulate_running", "visible_before"]

_N_CLASSES = 3


class SignalLaw(NamedTuple):
    """What ties initiations to the disease."""

    shape: float
    exponent: float
    rho: npt.NDArray[np.float64]
    sigma: npt.NDArray[np.float64]
    prodrome_days: npt.NDArray[np.int64]
    prodrome_share: npt.NDArray[np.float64]
    below_age_years: float


class Questions(NamedTuple):
    """One row per index date: whose, when, and where the person's initiations lie in `Starts`.

    ``diagnosis`` and ``weight`` hold the days of diagnosis considered and their probabilities, shape (n_rows, n_days).
    """

    sex: npt.NDArray[np.int64]
    birth: npt.NDArray[np.int64]
    birth_year: npt.NDArray[np.int64]
    observed_from: npt.NDArray[np.int64]
    index_date: npt.NDArray[np.int64]
    first_start: npt.NDArray[np.int64]
    end_start: npt.NDArray[np.int64]
    diagnosis: npt.NDArray[np.int64]
    weight: npt.NDArray[np.float64]


class Starts(NamedTuple):
    """Visible initiations by person and day."""

    day: npt.NDArray[np.int64]
    of_class: npt.NDArray[np.int64]


@njit(cache=True, nogil=True)
def _lasting(law: UseLaw, c: int, days: float) -> float:
    """Integral from 0 to ``days`` of the probability that an episode lasts longer than x."""
    x = min(max(days, 0.0), LONGEST_EPISODE_DAYS)
    long = law.long_days[c] * -math.expm1(-x / law.long_days[c])
    short = law.short_days[c] * -math.expm1(-x / law.short_days[c])
    mean: float = (1.0 - law.single_share[c]) * (law.long_share[c] * long + (1.0 - law.long_share[c]) * short)
    return mean


@njit(cache=True, nogil=True)
def _year(law: UseLaw, day: float) -> int:
    year: int = law.year_of_day[int(day - law.year_start[0])]
    return year


@njit(cache=True, nogil=True)
def _running_within_year(law: UseLaw, row: tuple[int, int, int], observed_from: int, year: int, until: float) -> float:
    start = max(law.year_start[year], observed_from - LONGEST_EPISODE_DAYS)
    if until <= start:
        return 0.0
    spell = _lasting(law, row[0], observed_from - start) - _lasting(law, row[0], observed_from - until)
    running: float = law.rate[row[0], row[1], row[2], year] * spell
    return running


@njit(cache=True, nogil=True)
def tabulate_running(
    law: UseLaw, row: tuple[int, int, int], observed_from: int, table: npt.NDArray[np.float64]
) -> None:
    """Fill the expected initiations that still run at ``observed_from``: up to each year, and last those of all."""
    first = _year(law, observed_from - LONGEST_EPISODE_DAYS)
    table[0] = 0.0
    last = _year(law, observed_from)
    for year in range(first, last):
        table[year - first + 1] = table[year - first] + _running_within_year(
            law, row, observed_from, year, law.year_start[year + 1]
        )
    table[last - first + 1] = table[last - first] + _running_within_year(law, row, observed_from, last, observed_from)


@njit(cache=True, nogil=True)
def visible_before(
    law: UseLaw,
    row: tuple[int, int, int],
    observed_from: int,
    days: npt.NDArray[np.int64],
    table: npt.NDArray[np.float64],
    expected: npt.NDArray[np.float64],
) -> None:
    """Fill the expected numbers, at frailty 1, of visible initiations before each of some days.

    Visible are those from ``observed_from`` on, and earlier ones whose episode still runs on that day; ``table`` is
    that of `tabulate_running`.
    """
    rate, cumulative = law.rate[row[0], row[1], row[2]], law.cumulative[row[0], row[1], row[2]]
    year_start, year_of_day = law.year_start, law.year_of_day
    first = year_of_day[int(observed_from - LONGEST_EPISODE_DAYS - year_start[0])]
    own = year_of_day[int(observed_from - year_start[0])]
    constant = table[own - first + 1] - cumulative[own] - rate[own] * (observed_from - year_start[own])
    for j in range(len(days)):
        day = days[j]
        if day > observed_from:
            year = year_of_day[int(day - year_start[0])]
            expected[j] = constant + cumulative[year] + rate[year] * (day - year_start[year])
        elif day <= observed_from - LONGEST_EPISODE_DAYS:
            expected[j] = 0.0
        else:
            year = year_of_day[int(day - year_start[0])]
            expected[j] = table[year - first] + _running_within_year(law, row, observed_from, year, day)


@njit(cache=True, nogil=True)
def _ratio(
    signal: SignalLaw,
    days: npt.NDArray[np.int64],
    weight: npt.NDArray[np.float64],
    added: npt.NDArray[np.float64],
    exposure: float,
    own: Starts,
    log_factors: npt.NDArray[np.float64],
) -> float:
    """Sum over days of diagnosis and prodrome lengths; ``added`` is A' - A, the last year's share in its last row."""
    power = signal.shape + signal.exponent + len(own.day)
    last, ratio = len(signal.prodrome_share), 0.0
    for p in range(last):
        for j in range(len(days)):
            begin, log_factor = days[j] - signal.prodrome_days[p], 0.0
            for s in range(len(own.day)):
                log_factor += log_factors[own.of_class[s], int(own.day[s] >= begin), int(own.day[s] >= days[j] - 365)]
            total = signal.shape + exposure + added[p, j] + added[last, j]
            ratio += weight[j] * signal.prodrome_share[p] * math.exp(log_factor - power * math.log(total))
    return ratio


@njit(cache=True, nogil=True)
def _log_factors(signal: SignalLaw) -> npt.NDArray[np.float64]:
    """Log of m by class, in the prodrome or not, in the last year or not."""
    factors = np.empty((_N_CLASSES, 2, 2))
    for c in range(_N_CLASSES):
        for prodrome in range(2):
            for last_year in range(2):
                factors[c, prodrome, last_year] = math.log(1.0 + prodrome * signal.rho[c] + last_year * signal.sigma[c])
    return factors


@njit(cache=True, nogil=True)
def _log_constant(k: float, g: float, n: int, exposure: float) -> float:
    """Log of what is the same for every day of diagnosis and every length."""
    gammas = math.lgamma(k) - math.lgamma(k + g) + math.lgamma(k + g + n) - math.lgamma(k + n)
    return gammas + (k + n) * math.log(k + exposure)


@njit(cache=True, nogil=True)
def log_likelihood_ratios(
    law: UseLaw, signal: SignalLaw, questions: Questions, starts: Starts
) -> npt.NDArray[np.float64]:
    """Return the log likelihood ratio of each row's history."""
    n_days, n_lengths = questions.diagnosis.shape[1], len(signal.prodrome_share)
    result = np.empty(len(questions.index_date))
    table, before = np.empty(LONGEST_EPISODE_YEARS + 3), np.empty(n_days)
    at_index, index = np.empty(1), np.empty(1, dtype=np.int64)
    log_factors = _log_factors(signal)
    for i in range(len(result)):
        index[0], observed_from = questions.index_date[i], questions.observed_from[i]
        days, weight = questions.diagnosis[i], questions.weight[i].copy()
        affected = (days - questions.birth[i]) / 365.25 < signal.below_age_years
        exposure, added = 0.0, np.zeros((n_lengths + 1, n_days))
        for c in range(_N_CLASSES):
            row = (c, questions.sex[i], questions.birth_year[i] - law.first_birth_year)
            tabulate_running(law, row, observed_from, table)
            visible_before(law, row, observed_from, index, table, at_index)
            exposure += at_index[0]
            for p in range(n_lengths + 1):
                length = signal.prodrome_days[p] if p < n_lengths else 365
                share = signal.rho[c] if p < n_lengths else signal.sigma[c]
                visible_before(law, row, observed_from, np.minimum(days - length, index[0]), table, before)
                added[p] += share * (at_index[0] - before)
        first, end = questions.first_start[i], questions.first_start[i]
        while end < questions.end_start[i] and starts.day[end] < index[0]:
            end += 1
        own = Starts(starts.day[first:end], starts.of_class[first:end])
        ratio = _ratio(signal, days, weight * affected, added, exposure, own, log_factors)
        constant = _log_constant(signal.shape, signal.exponent, end - first, exposure)
        result[i] = math.log((weight * (1.0 - affected)).sum() + math.exp(constant) * ratio)
    return result
