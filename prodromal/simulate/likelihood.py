"""The likelihood ratio of one history: closed form in the frailty, a sum over prodrome lengths and days of diagnosis."""

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
    long, short = law.long_days[c], law.short_days[c]
    mean = law.long_share[c] * long * -math.expm1(-x / long) + (1.0 - law.long_share[c]) * short * -math.expm1(-x / short)
    return (1.0 - law.single_share[c]) * mean


@njit(cache=True, nogil=True)
def _year(law: UseLaw, day: float) -> int:
    return law.year_of_day[int(day - law.year_start[0])]


@njit(cache=True, nogil=True)
def _running_within_year(law: UseLaw, row: tuple[int, int, int], observed_from: int, year: int, until: float) -> float:
    start = max(law.year_start[year], observed_from - LONGEST_EPISODE_DAYS)
    if until <= start:
        return 0.0
    spell = _lasting(law, row[0], observed_from - start) - _lasting(law, row[0], observed_from - until)
    return law.rate[row][year] * spell


@njit(cache=True, nogil=True)
def tabulate_running(law: UseLaw, row: tuple[int, int, int], observed_from: int, table: npt.NDArray[np.float64]) -> None:
    """Fill the expected initiations that still run at ``observed_from``, of each year up to its own and, last, of them all."""
    first = _year(law, observed_from - LONGEST_EPISODE_DAYS)
    table[0] = 0.0
    last = _year(law, observed_from)
    for year in range(first, last):
        table[year - first + 1] = table[year - first] + _running_within_year(law, row, observed_from, year, law.year_start[year + 1])
    table[last - first + 1] = table[last - first] + _running_within_year(law, row, observed_from, last, observed_from)


@njit(cache=True, nogil=True)
def visible_before(
    law: UseLaw, row: tuple[int, int, int], observed_from: int, until: int, table: npt.NDArray[np.float64]
) -> float:
    """Return the expected number, at frailty 1, of visible initiations before ``until``.

    Visible are those from ``observed_from`` on, and earlier ones whose episode still runs on that day; ``table`` is that of
    `tabulate_running`.
    """
    if until <= observed_from - LONGEST_EPISODE_DAYS:
        return 0.0
    first = _year(law, observed_from - LONGEST_EPISODE_DAYS)
    if until > observed_from:
        running = table[_year(law, observed_from) - first + 1]
        return running + _integral(law, row, until) - _integral(law, row, observed_from)
    year = _year(law, until)
    return table[year - first] + _running_within_year(law, row, observed_from, year, until)


@njit(cache=True, nogil=True)
def _integral(law: UseLaw, row: tuple[int, int, int], day: int) -> float:
    year = _year(law, day)
    return law.cumulative[row][year] + law.rate[row][year] * (day - law.year_start[year])


@njit(cache=True, nogil=True)
def _ratio_for_day(
    law: UseLaw,
    signal: SignalLaw,
    rows: tuple[tuple[int, int, int], ...],
    dates: tuple[int, int, int],
    tables: npt.NDArray[np.float64],
    until_index: npt.NDArray[np.float64],
    own: Starts,
    log_factors: npt.NDArray[np.float64],
) -> float:
    """Likelihood ratio for a diagnosis on one day, summed over prodrome lengths; ``dates``: observed from, index, diagnosis."""
    observed_from, index, day = dates
    exposure, in_last_year = until_index.sum(), 0.0
    power = signal.shape + signal.exponent + len(own.day)
    for c in range(_N_CLASSES):
        before = visible_before(law, rows[c], observed_from, min(day - 365, index), tables[c])
        in_last_year += signal.sigma[c] * (until_index[c] - before)
    ratio = 0.0
    for p in range(len(signal.prodrome_share)):
        begin = day - signal.prodrome_days[p]
        added, log_factor = in_last_year, 0.0
        for c in range(_N_CLASSES):
            before = visible_before(law, rows[c], observed_from, min(begin, index), tables[c])
            added += signal.rho[c] * (until_index[c] - before)
        for s in range(len(own.day)):
            log_factor += log_factors[own.of_class[s], int(own.day[s] >= begin), int(own.day[s] >= day - 365)]
        ratio += signal.prodrome_share[p] * math.exp(log_factor - power * math.log(signal.shape + exposure + added))
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
def log_likelihood_ratios(law: UseLaw, signal: SignalLaw, questions: Questions, starts: Starts) -> npt.NDArray[np.float64]:
    """Return the log likelihood ratio of each row's history."""
    result = np.empty(len(questions.index_date))
    tables = np.empty((_N_CLASSES, LONGEST_EPISODE_YEARS + 3))
    until_index = np.empty(_N_CLASSES)
    log_factors = _log_factors(signal)
    for i in range(len(result)):
        index, observed_from = questions.index_date[i], questions.observed_from[i]
        sex, born = questions.sex[i], questions.birth_year[i] - law.first_birth_year
        rows = ((0, sex, born), (1, sex, born), (2, sex, born))
        for c in range(_N_CLASSES):
            tabulate_running(law, rows[c], observed_from, tables[c])
            until_index[c] = visible_before(law, rows[c], observed_from, index, tables[c])
        first, end = questions.first_start[i], questions.first_start[i]
        while end < questions.end_start[i] and starts.day[end] < index:
            end += 1
        own = Starts(starts.day[first:end], starts.of_class[first:end])
        constant = _log_constant(signal.shape, signal.exponent, end - first, until_index.sum())
        unaffected, ratio = 0.0, 0.0
        for j in range(questions.diagnosis.shape[1]):
            day = questions.diagnosis[i, j]
            if (day - questions.birth[i]) / 365.25 >= signal.below_age_years:
                unaffected += questions.weight[i, j]
            else:
                dates = (observed_from, index, day)
                ratio += questions.weight[i, j] * _ratio_for_day(law, signal, rows, dates, tables, until_index, own, log_factors)
        result[i] = math.log(unaffected + math.exp(constant) * ratio)
    return result
