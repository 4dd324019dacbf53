"""One pass over a person's dispensings, one sweep over the person's index dates.

All in one file: a compiled loop is taken from numba's cache as long as *its* file is unchanged, even where a loop that
it calls, in another file, is not.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from prodromal.compiled import compiled

__all__ = ["History", "Shape", "fill"]

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]

# Positions in ``Shape.slot``: the registries of ``measures``, one after the other.
COUNT, RECURRENT, DDD, DAYS_COVERED, INITIATED, SUBSTANCES, SWITCHES, SINCE_LAST, SINCE_FIRST, EVER_RECURRENT = range(
    10
)
_IN_WINDOWS = SWITCHES + 1
LONGEST_SUPPLY_DAYS = 3650


class Shape(NamedTuple):
    """A plan as arrays.

    ``marks`` are the distinct ends of windows in days before the index date, ascending, the first is 1; window ``w``
    lies between ``marks[near[w]]`` and ``marks[far[w]]``. Group ``g`` writes its window measure ``m`` to column
    ``first_column + g * columns_per_group + slot[m] + w``, and its days since to ``... + slot[m]``; a slot of -1 is
    not asked for.
    """

    marks: _Ints
    near: _Ints
    far: _Ints
    needed_days: _Ints
    slot: _Ints
    first_column: int
    columns_per_group: int
    groups: int
    default_days_supply: int
    washout_days: int


class History(NamedTuple):
    """Dispensings that belong to a group, sorted by person and day; person ``p`` has rows ``start[p]:start[p + 1]``.

    Code ``c`` belongs to the groups ``groups[group_start[c]:group_start[c + 1]]``; ``substance[c]`` orders the codes
    of substances and is -1 for a shorter code. ``ddd`` and ``days_supply`` (0 if missing) are empty unless the plan
    needs them. ``longest`` is the largest number of rows of a person.
    """

    start: _Longs
    day: _Ints
    code: _Ints
    ddd: npt.NDArray[np.float32]
    days_supply: npt.NDArray[np.int16]
    group_start: _Ints
    groups: _Ints
    substance: _Ints
    longest: int


class _Lists(NamedTuple):
    """A person's dispensings by group: ``length[g]`` of them, in order of days.

    ``total``, ``covered`` and ``reach`` at ``[g, n]`` speak of the first ``n``: DDDs, days of the union of their
    supplies, and the first day after it. ``before[g, i]`` is the last dispensing before ``i`` of the same substance,
    ``previous[g, i]`` of any substance; -1 if there is none.
    """

    length: Any
    day: Any
    total: Any
    covered: Any
    reach: Any
    substance: Any
    before: Any
    previous: Any


@compiled
def _lists(groups: int, longest: int, slot: Any) -> _Lists:
    """Room for the longest history; none for what is not asked."""
    ddds = longest if slot[DDD] >= 0 else 0
    supplies = longest if slot[DAYS_COVERED] >= 0 else 0
    substances = longest if slot[SUBSTANCES] >= 0 or slot[SWITCHES] >= 0 else 0
    return _Lists(
        np.zeros(groups, dtype=np.int64),
        np.empty((groups, longest), dtype=np.int32),
        np.zeros((groups, ddds + 1), dtype=np.float64),
        np.zeros((groups, supplies + 1), dtype=np.int64),
        np.full((groups, supplies + 1), -(2**40), dtype=np.int64),
        np.empty((groups, substances), dtype=np.int32),
        np.empty((groups, substances), dtype=np.int64),
        np.empty((groups, substances), dtype=np.int64),
    )


@compiled
def _supply(days_supply: int, ddd: float, default: int) -> int:
    """Days that a dispensing lasts: as recorded, else one per DDD rounded half up, else the plan's default."""
    if days_supply > 0:
        return days_supply
    if np.isnan(ddd):
        return default
    return int(min(max(np.floor(ddd + 0.5), 1.0), float(LONGEST_SUPPLY_DAYS)))


@compiled
def _insert(substances: Any, day: Any, n: int, substance: int) -> None:
    """Put a substance at place `n`, before those of the same day that come later in the order of codes."""
    place = n
    while place > 0 and day[place - 1] == day[n] and substances[place - 1] > substance:
        substances[place] = substances[place - 1]
        place -= 1
    substances[place] = substance


@compiled
def _link(lists: _Lists, g: int) -> None:
    """Point every dispensing of a substance to the one before it, of the same and of any substance."""
    substance = lists.substance[g]
    last = -1
    for i in range(lists.length[g]):
        lists.before[g, i] = lists.previous[g, i] = -1
        if substance[i] >= 0:
            lists.previous[g, i] = last
            earlier = last
            while earlier >= 0 and substance[earlier] != substance[i]:
                earlier = lists.previous[g, earlier]
            lists.before[g, i] = earlier
            last = i


@compiled
def _gather(history: History, shape: Shape, person: int, before: int, lists: _Lists) -> None:
    """Sort the person's dispensings before a day into their groups."""
    with_ddd, with_supply = shape.slot[DDD] >= 0, shape.slot[DAYS_COVERED] >= 0
    with_substance = lists.substance.shape[1] > 0
    length, days, total = lists.length, lists.day, lists.total
    codes, group_start, groups, ddd = history.code, history.group_start, history.groups, history.ddd
    length[:] = 0
    for row in range(history.start[person], history.start[person + 1]):
        today = history.day[row]
        if today >= before:
            break
        code = codes[row]
        for k in range(group_start[code], group_start[code + 1]):
            g = groups[k]
            n = length[g]
            days[g, n] = today
            if with_ddd:
                amount = ddd[row]
                total[g, n + 1] = total[g, n] + (0.0 if np.isnan(amount) else amount)
            if with_supply:
                end = today + _supply(history.days_supply[row], history.ddd[row], shape.default_days_supply)
                reach = lists.reach[g, n]
                lists.covered[g, n + 1] = lists.covered[g, n] + max(0, end - max(today, reach))
                lists.reach[g, n + 1] = max(reach, end)
            if with_substance:
                _insert(lists.substance[g], lists.day[g], n, history.substance[code])
            length[g] = n + 1
    if with_substance:
        for g in range(shape.groups):
            _link(lists, g)


@compiled
def _observe(index_day: int, first: int, last: int, shape: Shape, observed: Any) -> bool:
    """Find the windows observed enough before an index day; whether they are others than before."""
    changed = False
    for w in range(shape.near.shape[0]):
        newest = min(index_day - shape.marks[shape.near[w]], last)
        oldest = max(index_day - shape.marks[shape.far[w]] + 1, first)
        enough = newest - oldest + 1 >= shape.needed_days[w]
        changed |= enough != observed[w]
        observed[w] = enough
    return changed


@compiled
def _blank(line: Any, shape: Shape, observed: Any) -> None:
    """Group columns of a person without dispensings: 0 in observed windows and for ever, missing elsewhere."""
    line[:] = np.nan
    for g in range(shape.groups):
        base = g * shape.columns_per_group
        if shape.slot[EVER_RECURRENT] >= 0:
            line[base + shape.slot[EVER_RECURRENT]] = 0.0
        for m in range(_IN_WINDOWS):
            if shape.slot[m] >= 0:
                for w in range(shape.near.shape[0]):
                    if observed[w]:
                        line[base + shape.slot[m] + w] = 0.0


@compiled
def _covered(lists: _Lists, g: int, n: int, day: int) -> int:
    """Days up to and with `day` that are covered by the first `n` dispensings, all of which lie at or before it."""
    return int(lists.covered[g, n] - max(0, lists.reach[g, n] - (day + 1)))


@compiled
def _variety(line: Any, at: int, w: int, slot: Any, lists: _Lists, g: int, older: int, newer: int) -> None:
    """Write the substances and switches among dispensings ``older:newer``."""
    different = switches = 0
    for i in range(older, newer):
        if lists.substance[g, i] >= 0:
            different += lists.before[g, i] < older
            switches += lists.previous[g, i] >= older and lists.before[g, i] != lists.previous[g, i]
    if slot[SUBSTANCES] >= 0:
        line[at + slot[SUBSTANCES] + w] = different
    if slot[SWITCHES] >= 0:
        line[at + slot[SWITCHES] + w] = switches


@compiled
def _advance(reached: Any, g: int, days: Any, length: int, marks: Any, index_day: int) -> int:
    """Move each mark's pointer over the dispensings that it has come to, the furthest mark first."""
    n = 0
    for k in range(marks.shape[0] - 1, -1, -1):
        n = max(n, reached[g, k])
        limit = index_day - marks[k]
        while n < length and days[g, n] <= limit:
            n += 1
        reached[g, k] = n
    return int(n)


@compiled
def _tally(
    line: Any, base: int, observed: Any, reached: Any, near: Any, far: Any, total: Any, slot: Any, g: int
) -> None:
    """Write one group's counts and sums."""
    count, recurrent, ddd = slot[COUNT], slot[RECURRENT], slot[DDD]
    for w in range(near.shape[0]):
        if observed[w]:
            newer, older = reached[g, near[w]], reached[g, far[w]]
            if count >= 0:
                line[base + count + w] = newer - older
            if recurrent >= 0:
                line[base + recurrent + w] = 1.0 if newer - older >= 2 else 0.0
            if ddd >= 0:
                line[base + ddd + w] = total[g, newer] - total[g, older]


@compiled
def _extend(
    line: Any, base: int, shape: Shape, observed: Any, reached: Any, lists: _Lists, g: int, index_day: int, washed: bool
) -> None:
    """Write one group's slower measures; ``reached[g, k]`` dispensings lie at or before ``index_day - marks[k]``."""
    slot = shape.slot
    for w in range(shape.near.shape[0]):
        if observed[w]:
            newer, older = reached[g, shape.near[w]], reached[g, shape.far[w]]
            if slot[DAYS_COVERED] >= 0:
                line[base + slot[DAYS_COVERED] + w] = _covered(
                    lists, g, newer, index_day - shape.marks[shape.near[w]]
                ) - _covered(lists, g, older, index_day - shape.marks[shape.far[w]])
            if slot[INITIATED] >= 0:
                line[base + slot[INITIATED] + w] = 1.0 if washed and older == 0 and newer > 0 else 0.0
            if lists.substance.shape[1] > 0:
                _variety(line, base, w, slot, lists, g, older, newer)


class _Stretches(NamedTuple):
    """What one person's dispensings amount to by group and stretch: ``[g, k]`` lies between ``marks[k]`` and the next.

    ``passed[d]`` marks lie at most ``d`` days before the index date. Everything else is zero between two persons.
    """

    passed: Any
    rows: Any
    ddds: Any
    latest: Any
    earliest: Any


@compiled
def _room(groups: int, marks: Any) -> _Stretches:
    passed = np.zeros(marks[-1] + 1, dtype=np.int32)
    for mark in marks:
        passed[mark:] += 1
    return _Stretches(
        passed,
        np.zeros((groups, marks.shape[0]), dtype=np.int64),
        np.zeros((groups, marks.shape[0]), dtype=np.float64),
        np.zeros(groups, dtype=np.int64),
        np.zeros(groups, dtype=np.int64),
    )


@compiled
def _drop(history: History, person: int, today: int, with_ddd: bool, stretches: _Stretches) -> None:
    """Drop each dispensing before the index date into its stretch."""
    passed, rows, ddds, latest, earliest = stretches
    day, codes, ddd, group_start, groups = history.day, history.code, history.ddd, history.group_start, history.groups
    furthest = passed.shape[0] - 1
    for row in range(history.start[person], history.start[person + 1]):
        before = today - day[row]
        if before <= 0:
            break
        k = passed[min(before, furthest)] - 1
        code = codes[row]
        for member in range(group_start[code], group_start[code + 1]):
            g = groups[member]
            rows[g, k] += 1
            if with_ddd:
                amount = ddd[row]
                ddds[g, k] += 0.0 if np.isnan(amount) else amount
            latest[g] = before
            earliest[g] = max(earliest[g], before)


@compiled
def _add_up(line: Any, base: int, shape: Shape, observed: Any, rows: Any, ddds: Any) -> None:
    """Write one group's windows from its stretches, which become sums of all further back."""
    slot, near, far = shape.slot, shape.near, shape.far
    for k in range(rows.shape[0] - 2, -1, -1):
        rows[k] += rows[k + 1]
        ddds[k] += ddds[k + 1]
    for w in range(near.shape[0]):
        if observed[w]:
            inside = rows[near[w]] - rows[far[w]]
            if slot[COUNT] >= 0:
                line[base + slot[COUNT] + w] = inside
            if slot[RECURRENT] >= 0:
                line[base + slot[RECURRENT] + w] = 1.0 if inside >= 2 else 0.0
            if slot[DDD] >= 0:
                line[base + slot[DDD] + w] = ddds[near[w]] - ddds[far[w]]


@compiled
def _since(line: Any, base: int, slot: Any, n: int, latest: int, earliest: int) -> None:
    """Write what looks at all `n` dispensings before the index date, the last and the first of them days ago."""
    if slot[SINCE_LAST] >= 0:
        line[base + slot[SINCE_LAST]] = latest
    if slot[SINCE_FIRST] >= 0:
        line[base + slot[SINCE_FIRST]] = earliest
    if slot[EVER_RECURRENT] >= 0 and n >= 2:
        line[base + slot[EVER_RECURRENT]] = 1.0


@compiled
def _empty(line: Any, shape: Shape, observed: Any, stretches: _Stretches) -> None:
    """Write what lies in the stretches, and leave them empty."""
    for g in range(shape.groups):
        if stretches.latest[g] > 0:
            base = g * shape.columns_per_group
            _add_up(line, base, shape, observed, stretches.rows[g], stretches.ddds[g])
            _since(line, base, shape.slot, stretches.rows[g, 0], stretches.latest[g], stretches.earliest[g])
            stretches.rows[g] = 0
            stretches.ddds[g] = 0.0
            stretches.latest[g] = stretches.earliest[g] = 0


@compiled
def _last_day(person: Any, index_day: Any, row: int) -> int:
    """The last index day of the person at a row."""
    end = row + 1
    while end < person.shape[0] and person[end] == person[row]:
        end += 1
    return int(index_day[end - 1])


@compiled
def fill(
    out: Any, person: Any, index_day: Any, observed_from: Any, observed_to: Any, history: History, shape: Shape
) -> None:
    """Fill the group columns of `out`, whose rows are sorted by person and index day.

    Parameters
    ----------
    out : float32 array, shape (n_rows, n_features)
        Columns before ``shape.first_column`` are left alone.
    person : int64 array, shape (n_rows,)
        Person of each row, as a position in ``history.start``.
    index_day, observed_from, observed_to : int32 array, shape (n_rows,)
        Days since 1970-01-01.
    history : History
    shape : Shape
    """
    lists = _lists(shape.groups, history.longest, shape.slot)
    length, days, slot, marks = lists.length, lists.day, shape.slot, shape.marks
    slower = slot[DAYS_COVERED] >= 0 or slot[INITIATED] >= 0 or slot[SUBSTANCES] >= 0 or slot[SWITCHES] >= 0
    reached = np.zeros((shape.groups, marks.shape[0]), dtype=np.int64)
    observed = np.zeros(shape.near.shape[0], dtype=np.bool_)
    blank = np.empty(out.shape[1] - shape.first_column, dtype=np.float32)
    _blank(blank, shape, observed)
    stretches, rows = _room(shape.groups, marks), person.shape[0]
    for r in range(rows):
        begins, ends = r == 0 or person[r] != person[r - 1], r + 1 == rows or person[r] != person[r + 1]
        today, line = index_day[r], out[r, shape.first_column :]
        if _observe(today, observed_from[r], observed_to[r], shape, observed):
            _blank(blank, shape, observed)
        line[:] = blank
        if begins and ends and not slower:
            _drop(history, person[r], today, slot[DDD] >= 0, stretches)
            _empty(line, shape, observed, stretches)
            continue
        if begins:
            _gather(history, shape, person[r], _last_day(person, index_day, r), lists)
            reached[:] = 0
        for g in range(shape.groups):
            if length[g] > 0:
                base = g * shape.columns_per_group
                n = _advance(reached, g, days, length[g], marks, today)
                _tally(line, base, observed, reached, shape.near, shape.far, lists.total, slot, g)
                if n > 0:
                    _since(line, base, slot, n, today - days[g, n - 1], today - days[g, 0])
                if slower:
                    seen_days = min(np.int64(days[g, 0]), observed_to[r] + 1) - observed_from[r]
                    _extend(line, base, shape, observed, reached, lists, g, today, seen_days >= shape.washout_days)
