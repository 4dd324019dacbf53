"""All dispensings of a group of people, with the course of those who fall ill: the one hot loop."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numba import njit

from prodromal.simulate.course import FAR as _FAR
from prodromal.simulate.course import (
    CourseLaw,
    FirstEvent,
    append_riluzole,
    append_visits,
    draw_onset,
    first_event,
    recurrent,
)
from prodromal.simulate.episodes import LONGEST_EPISODE_DAYS, PRODUCT_BITS, UseLaw, append_initiations
from prodromal.simulate.randomness import restart

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["EffectLaw", "Histories", "Lives", "draw_histories", "split_keys"]

_MOST_ROWS = 1 << 16
_MOST_STARTS = 1 << 12
_MOST_VISITS = 1 << 10
_USE, _COURSE = 1, 2
_N_PSYCHIATRIC = 3


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
def _extended(values: npt.NDArray[Any], used: int, more: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Return the array with more values after the used ones, moved to a wider one where it is full."""
    if used + len(more) > len(values):
        wider = np.empty(2 * (used + len(more)), dtype=values.dtype)
        wider[:used] = values[:used]
        values = wider
    values[used : used + len(more)] = more
    return values


@njit(cache=True, nogil=True)
def _kept_before(keys: npt.NDArray[np.int64], n: int, end: int) -> int:
    kept = 0
    for i in range(n):
        if (keys[i] >> PRODUCT_BITS) < end:
            keys[kept] = keys[i]
            kept += 1
    return kept


class _Scratch(NamedTuple):
    """Room for one person; ``unused`` takes the initiations of context classes, which nobody asks for."""

    keys: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]
    unused: npt.NDArray[np.int64]
    visit_days: npt.NDArray[np.int64]
    visit_scores: npt.NDArray[np.int8]
    used: npt.NDArray[np.int8]
    state: npt.NDArray[np.uint64]


class _Illness(NamedTuple):
    """What the disease makes of one person, and how much of the scratch it filled."""

    rows: int
    starts: int
    visits: int
    end: int
    onset: int
    event: FirstEvent


@njit(cache=True, nogil=True)
def _live(use: UseLaw, lives: Lives, i: int, scratch: _Scratch) -> tuple[int, int]:
    """Draw the use that everybody has, ill or not."""
    sex, born = int(lives.sex[i]), lives.birth_year[i] - use.first_birth_year
    bounds = (float(lives.entry[i]), float(lives.end[i]))
    span = (bounds[0] - LONGEST_EPISODE_DAYS, bounds[1])
    n, m = 0, 0
    for c in range(len(use.single_share)):
        row = (c, sex, born)
        if c < _N_PSYCHIATRIC:
            n, m = append_initiations(
                scratch.state, use, row, lives.frailty[i], span, bounds, scratch.keys, n, scratch.starts, m
            )
        else:
            n, _ = append_initiations(
                scratch.state, use, row, lives.context_frailty[i], span, bounds, scratch.keys, n, scratch.unused, 0
            )
    return n, m


@njit(cache=True, nogil=True)
def _append_added(
    use: UseLaw,
    lives: Lives,
    i: int,
    scratch: _Scratch,
    added: npt.NDArray[np.float64],
    span: tuple[float, float],
    n: int,
    m: int,
) -> tuple[int, int]:
    """Append the initiations that come on top of a person's own rate within a span of days."""
    sex, born = int(lives.sex[i]), lives.birth_year[i] - use.first_birth_year
    bounds = (float(lives.entry[i]), float(lives.end[i]))
    span = (max(span[0], bounds[0] - LONGEST_EPISODE_DAYS), span[1])
    for c in range(_N_PSYCHIATRIC):
        factor = lives.frailty[i] * added[c]
        n, m = append_initiations(
            scratch.state, use, (c, sex, born), factor, span, bounds, scratch.keys, n, scratch.starts, m
        )
    return n, m


@njit(cache=True, nogil=True)
def _fall_ill(
    seed: int,
    use: UseLaw,
    effect: EffectLaw,
    course: CourseLaw,
    lives: Lives,
    i: int,
    scratch: _Scratch,
    n: int,
    m: int,
) -> _Illness:
    """Draw prodrome, course and treatment; nothing is kept from after the end."""
    diagnosis, state = lives.diagnosis[i], scratch.state
    day = float(diagnosis)
    if lives.with_effect[i]:
        n, m = _append_added(use, lives, i, scratch, effect.rho, (day - lives.prodrome[i], day), n, m)
        n, m = _append_added(use, lives, i, scratch, effect.sigma, (day - 365.0, day), n, m)
    recurrent(scratch.keys, n, effect.class_of, diagnosis, scratch.used)
    restart(state, seed, lives.person_id[i], _COURSE)
    event = first_event(state, course, diagnosis, (diagnosis - lives.birth[i]) / 365.25, scratch.used)
    onset = draw_onset(state, course, diagnosis, event.slope)
    end = min(lives.end[i], event.death + 1)
    n, m = _append_added(use, lives, i, scratch, effect.after, (day, float(end)), n, m)
    n = append_riluzole(state, course, diagnosis, (lives.entry[i], end), scratch.keys, n)
    n, m = _kept_before(scratch.keys, n, end), _kept_before(scratch.starts, m, end)
    last = min(end, event.ventilation)
    dates = (diagnosis, onset, last)
    visits = append_visits(state, course, dates, event.slope, scratch.visit_days, scratch.visit_scores)
    return _Illness(n, m, visits, end, onset, event)


@njit(cache=True, nogil=True)
def draw_histories(seed: int, use: UseLaw, effect: EffectLaw, course: CourseLaw, lives: Lives) -> Histories:
    """Draw everything that happens to each person, from the person's own streams."""
    size = len(lives.person_id)
    keys, starts = np.empty(size * 64 + 64, dtype=np.int64), np.empty(size * 2 + 64, dtype=np.int64)
    visit_days, visit_scores = np.empty(64, dtype=np.int64), np.empty(64, dtype=np.int8)
    counts, used = np.zeros((3, size), dtype=np.int64), np.zeros(3, dtype=np.int64)
    end, far = lives.end.copy(), np.full((3, size), _FAR)
    slope = np.full(size, np.nan)
    scratch = _Scratch(
        np.empty(_MOST_ROWS, dtype=np.int64),
        np.empty(_MOST_STARTS, dtype=np.int64),
        np.empty(_MOST_STARTS, dtype=np.int64),
        np.empty(_MOST_VISITS, dtype=np.int64),
        np.empty(_MOST_VISITS, dtype=np.int8),
        np.zeros(_N_PSYCHIATRIC, dtype=np.int8),
        np.zeros(1, dtype=np.uint64),
    )
    for i in range(size):
        restart(scratch.state, seed, lives.person_id[i], _USE)
        n, m = _live(use, lives, i, scratch)
        visits = 0
        if lives.diagnosis[i] < lives.end[i]:
            ill = _fall_ill(seed, use, effect, course, lives, i, scratch, n, m)
            n, m, visits, end[i] = ill.rows, ill.starts, ill.visits, ill.end
            far[0, i], far[1, i], far[2, i] = ill.event.death, ill.event.ventilation, ill.onset
            slope[i] = ill.event.slope
        scratch.keys[:n].sort()
        scratch.starts[:m].sort()
        keys = _extended(keys, used[0], scratch.keys[:n])
        starts = _extended(starts, used[1], scratch.starts[:m])
        visit_days = _extended(visit_days, used[2], scratch.visit_days[:visits])
        visit_scores = _extended(visit_scores, used[2], scratch.visit_scores[:visits])
        counts[0, i], counts[1, i], counts[2, i] = n, m, visits
        used += counts[:, i]
    return Histories(
        keys[: used[0]],
        counts[0],
        starts[: used[1]],
        counts[1],
        visit_days[: used[2]],
        visit_scores[: used[2]],
        counts[2],
        end,
        far[0],
        far[1],
        far[2],
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
