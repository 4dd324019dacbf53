"""One pass over a person's dispensings, one sweep over the person's index dates."""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np
import numpy.typing as npt

__all__ = ["History", "Shape", "fill", "row_starts"]

_Ints = npt.NDArray[np.int32]
_Longs = npt.NDArray[np.int64]


class Shape(NamedTuple):
    """A plan as arrays.

    ``marks`` are the distinct ends of windows in days before the index date, ascending, the first is 1; window ``w``
    lies between ``marks[near[w]]`` and ``marks[far[w]]``. Group ``g`` writes its window measure ``m`` to column
    ``first_column + g * columns_per_group + slot[m] + w``, and its days since to ``... + slot[m]``; a slot of -1 is
    not asked for. The slots are: count, recurrent, ddd, days_since_last, days_since_first.
    """

    marks: _Ints
    near: _Ints
    far: _Ints
    needed_days: _Ints
    slot: _Ints
    first_column: int
    columns_per_group: int
    groups: int


class History(NamedTuple):
    """Dispensings sorted by person and day; those of person ``p`` are rows ``start[p]:start[p + 1]``.

    Code ``c`` belongs to the groups ``groups[group_start[c]:group_start[c + 1]]``.
    """

    start: _Longs
    day: _Ints
    code: _Ints
    ddd: npt.NDArray[np.float32]
    group_start: _Ints
    groups: _Ints


@numba.njit(cache=True, nogil=True)
def row_starts(ids: Any, persons: Any, start: Any) -> int:
    """First row of each person, by a merge of sorted `ids` with sorted `persons`; returns the rows of nobody."""
    row = 0
    strays = 0
    for p in range(persons.shape[0]):
        while row < ids.shape[0] and ids[row] < persons[p]:
            row += 1
            strays += 1
        start[p] = row
        while row < ids.shape[0] and ids[row] == persons[p]:
            row += 1
    start[persons.shape[0]] = row
    return int(strays + ids.shape[0] - row)


@numba.njit(cache=True, nogil=True)
def _gather(history: Any, person: int, before: int, day: Any, total: Any, length: Any) -> None:
    """Sort the person's dispensings before a day into their groups: days, and running sums of DDDs."""
    length[:] = 0
    for row in range(history.start[person], history.start[person + 1]):
        if history.day[row] >= before:
            break
        code = history.code[row]
        for k in range(history.group_start[code], history.group_start[code + 1]):
            g = history.groups[k]
            n = length[g]
            amount = history.ddd[row]
            day[g, n] = history.day[row]
            total[g, n + 1] = total[g, n] + (amount if amount == amount else 0.0)  # noqa: PLR0124  NaN is not itself
            length[g] = n + 1


@numba.njit(cache=True, nogil=True)
def _observe(index_day: int, first: int, last: int, shape: Any, observed: Any) -> None:
    """Which windows were observed enough before an index day."""
    for w in range(shape.near.shape[0]):
        newest = min(index_day - shape.marks[shape.near[w]], last)
        oldest = max(index_day - shape.marks[shape.far[w]] + 1, first)
        observed[w] = newest - oldest + 1 >= shape.needed_days[w]


@numba.njit(cache=True, nogil=True)
def _blank(line: Any, shape: Any, observed: Any) -> None:
    """A person without dispensings: 0 in observed windows, missing elsewhere."""
    line[shape.first_column :] = np.nan
    for g in range(shape.groups):
        base = shape.first_column + g * shape.columns_per_group
        for m in range(3):
            if shape.slot[m] >= 0:
                for w in range(shape.near.shape[0]):
                    if observed[w]:
                        line[base + shape.slot[m] + w] = 0.0


@numba.njit(cache=True, nogil=True)
def _measure(
    line: Any, base: int, shape: Any, observed: Any, reached: Any, day: Any, total: Any, index_day: int
) -> None:
    """Write one group's measures; ``reached[k]`` dispensings lie at or before ``index_day - marks[k]``."""
    slot = shape.slot
    for w in range(shape.near.shape[0]):
        if observed[w]:
            newer, older = reached[shape.near[w]], reached[shape.far[w]]
            if slot[0] >= 0:
                line[base + slot[0] + w] = newer - older
            if slot[1] >= 0:
                line[base + slot[1] + w] = 1.0 if newer - older >= 2 else 0.0
            if slot[2] >= 0:
                line[base + slot[2] + w] = total[newer] - total[older]
    if reached[0] > 0:
        if slot[3] >= 0:
            line[base + slot[3]] = index_day - day[reached[0] - 1]
        if slot[4] >= 0:
            line[base + slot[4]] = index_day - day[0]


@numba.njit(cache=True, nogil=True)
def fill(out: Any, person: Any, index_day: Any, observed_from: Any, observed_to: Any, history: Any, shape: Any) -> None:
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
    longest = 0
    for p in range(history.start.shape[0] - 1):
        longest = max(longest, history.start[p + 1] - history.start[p])
    day = np.empty((shape.groups, longest), dtype=np.int32)
    total = np.zeros((shape.groups, longest + 1), dtype=np.float64)
    length = np.zeros(shape.groups, dtype=np.int64)
    reached = np.zeros((shape.groups, shape.marks.shape[0]), dtype=np.int64)
    observed = np.zeros(shape.near.shape[0], dtype=np.bool_)
    row = 0
    while row < person.shape[0]:
        end = row
        while end < person.shape[0] and person[end] == person[row]:
            end += 1
        _gather(history, person[row], index_day[end - 1], day, total, length)
        reached[:] = 0
        for r in range(row, end):
            line = out[r, :]
            _observe(index_day[r], observed_from[r], observed_to[r], shape, observed)
            _blank(line, shape, observed)
            for g in range(shape.groups):
                if length[g] > 0:
                    for k in range(shape.marks.shape[0]):
                        n = reached[g, k]
                        limit = index_day[r] - shape.marks[k]
                        while n < length[g] and day[g, n] <= limit:
                            n += 1
                        reached[g, k] = n
                    base = shape.first_column + g * shape.columns_per_group
                    _measure(line, base, shape, observed, reached[g], day[g], total[g], index_day[r])
        row = end
