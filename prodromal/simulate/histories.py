"""All dispensings of a group of people, with the course of those who fall ill: the one hot loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numba import njit

from prodromal.simulate.course import CourseLaw, append_riluzole, append_visits, draw_onset, first_event, recurrent
from prodromal.simulate.episodes import LONGEST_EPISODE_DAYS, PRODUCT_BITS, UseLaw, append_initiations
from prodromal.simulate.randomness import restart

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["EffectLaw", "Histories", "Lives", "draw_histories", "split_keys"]

_MOST_ROWS = 1 << 16
_MOST_STARTS = 1 << 12
_MOST_VISITS = 1 << 10
_USE, _COURSE = 1, 2


class EffectLaw(NamedTuple):
    """Added shares of initiations, shape (3,), and the class of each substance."""

    rho: npt.NDArray[np.float64]
    sigma: npt.NDArray[np.float64]
    after: npt.NDArray[np.float64]
    class_of: npt.NDArray[np.int64]


class Lives(NamedTuple):
    """What the loop needs of each person; ``with_effect`` is false where the age at diagnosis excludes effects."""

    person_id: npt.NDArray[np.int64]
    sex: npt.NDArray[np.int8]
    birth: npt.NDArray[np.int64]
    birth_year: npt.NDArray[np.int64]
    frailty: npt.NDArray[np.float64]
    context_frailty: npt.NDArray[np.float64]
    entry: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    diagnosis: npt.NDArray[np.int64]
    prodrome: npt.NDArray[np.int64]
    with_effect: npt.NDArray[np.bool_]


class Histories(NamedTuple):
    """What the loop returns: ragged keys of dispensings, initiations and visits, and the course of each person."""

    keys: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    start_rows: npt.NDArray[np.int64]
    visit_days: npt.NDArray[np.int64]
    visit_scores: npt.NDArray[np.int8]
    visit_rows: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    death: npt.NDArray[np.int64]
    ventilation: npt.NDArray[np.int64]
    onset: npt.NDArray[np.int64]
    slope: npt.NDArray[np.float64]


@njit(cache=True, nogil=True)
def _room(values: npt.NDArray[np.int64], used: int, more: int) -> npt.NDArray[np.int64]:
    if used + more <= len(values):
        return values
    wider = np.empty(2 * (used + more), dtype=values.dtype)
    wider[:used] = values[:used]
    return wider


@njit(cache=True, nogil=True)
def _kept_before(keys: npt.NDArray[np.int64], n: int, end: int) -> int:
    kept = 0
    for i in range(n):
        if (keys[i] >> PRODUCT_BITS) < end:
            keys[kept] = keys[i]
            kept += 1
    return kept


@njit(cache=True, nogil=True)
def draw_histories(seed: int, use: UseLaw, effect: EffectLaw, course: CourseLaw, lives: Lives) -> Histories:
    """Draw everything that happens to each person, from the person's own streams."""
    n_persons = len(lives.person_id)
    keys, starts = np.empty(n_persons * 64 + 64, dtype=np.int64), np.empty(n_persons * 2 + 64, dtype=np.int64)
    visit_days, visit_scores = np.empty(64, dtype=np.int64), np.empty(64, dtype=np.int8)
    rows, start_rows = np.zeros(n_persons, dtype=np.int64), np.zeros(n_persons, dtype=np.int64)
    visit_rows, end = np.zeros(n_persons, dtype=np.int64), lives.end.copy()
    death, ventilation = np.full(n_persons, 1 << 40), np.full(n_persons, 1 << 40)
    onset, slope = np.full(n_persons, 1 << 40), np.full(n_persons, np.nan)
    own, own_starts = np.empty(_MOST_ROWS, dtype=np.int64), np.empty(_MOST_STARTS, dtype=np.int64)
    own_days, own_scores = np.empty(_MOST_VISITS, dtype=np.int64), np.empty(_MOST_VISITS, dtype=np.int8)
    unused = np.empty(_MOST_STARTS, dtype=np.int64)
    used, state = np.zeros(3, dtype=np.int8), np.zeros(1, dtype=np.uint64)
    n_keys, n_starts, n_visits = 0, 0, 0
    for i in range(n_persons):
        restart(state, seed, lives.person_id[i], _USE)
        u, sex, born = lives.frailty[i], int(lives.sex[i]), lives.birth_year[i] - use.first_birth_year
        bounds = (float(lives.entry[i]), float(lives.end[i]))
        first = bounds[0] - LONGEST_EPISODE_DAYS
        n, m = 0, 0
        for c in range(len(use.single_share)):
            factor = u if c < 3 else lives.context_frailty[i]
            row, span = (c, sex, born), (first, bounds[1])
            if c < 3:
                n, m = append_initiations(state, use, row, factor, span, bounds, own, n, own_starts, m)
            else:
                n, _ = append_initiations(state, use, row, factor, span, bounds, own, n, unused, 0)
        diagnosis = lives.diagnosis[i]
        if diagnosis < lives.end[i]:
            day = float(diagnosis)
            if lives.with_effect[i]:
                for c in range(3):
                    row = (c, sex, born)
                    span = (max(day - lives.prodrome[i], first), day)
                    n, m = append_initiations(state, use, row, u * effect.rho[c], span, bounds, own, n, own_starts, m)
                    span = (max(day - 365.0, first), day)
                    n, m = append_initiations(state, use, row, u * effect.sigma[c], span, bounds, own, n, own_starts, m)
            recurrent(own, n, effect.class_of, diagnosis, used)
            restart(state, seed, lives.person_id[i], _COURSE)
            event = first_event(state, course, diagnosis, (diagnosis - lives.birth[i]) / 365.25, used)
            death[i], ventilation[i], slope[i] = event.death, event.ventilation, event.slope
            onset[i] = draw_onset(state, course, diagnosis, event.slope)
            end[i] = min(lives.end[i], event.death + 1)
            for c in range(3):
                span = (day, float(end[i]))
                n, m = append_initiations(
                    state, use, (c, sex, born), u * effect.after[c], span, bounds, own, n, own_starts, m
                )
            n = append_riluzole(state, course, diagnosis, (lives.entry[i], end[i]), own, n)
            n = _kept_before(own, n, end[i])
            m = _kept_before(own_starts, m, end[i])
            last = min(end[i], ventilation[i])
            visits = append_visits(state, course, diagnosis, onset[i], slope[i], last, own_days, own_scores, 0)
            visit_days, visit_scores = _room(visit_days, n_visits, visits), _room(visit_scores, n_visits, visits)
            visit_days[n_visits : n_visits + visits] = own_days[:visits]
            visit_scores[n_visits : n_visits + visits] = own_scores[:visits]
            visit_rows[i] = visits
            n_visits += visits
        keys, starts = _room(keys, n_keys, n), _room(starts, n_starts, m)
        own[:n].sort()
        own_starts[:m].sort()
        keys[n_keys : n_keys + n] = own[:n]
        starts[n_starts : n_starts + m] = own_starts[:m]
        rows[i], start_rows[i] = n, m
        n_keys, n_starts = n_keys + n, n_starts + m
    return Histories(
        keys[:n_keys],
        rows,
        starts[:n_starts],
        start_rows,
        visit_days[:n_visits],
        visit_scores[:n_visits],
        visit_rows,
        end,
        death,
        ventilation,
        onset,
        slope,
    )


@njit(cache=True, nogil=True)
def split_keys(keys: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int16]]:
    """Return the day and the product of each key."""
    days, products = np.empty(len(keys), dtype=np.int32), np.empty(len(keys), dtype=np.int16)
    for i in range(len(keys)):
        days[i] = keys[i] >> PRODUCT_BITS
        products[i] = keys[i] & ((1 << PRODUCT_BITS) - 1)
    return days, products
