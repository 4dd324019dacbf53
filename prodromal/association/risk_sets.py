"""Risk sets of right-censored, left-truncated, stratified times, and sums over them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError, NotEstimable

if TYPE_CHECKING:
    from prodromal.association.newton import Floats

__all__ = ["RiskSets", "check_times"]

_Ints = npt.NDArray[np.int64]


def check_times(time: Any, event: Any, entry: Any = None, *, what: str) -> tuple[Floats, npt.NDArray[np.bool_], Floats]:
    """Times, events and entries as arrays, or one sentence about what is wrong with them.

    Raises
    ------
    DataError
        If lengths differ, a time is missing, or someone leaves before or on the day of entering.
    """
    stop, happened = np.asarray(time, dtype=np.float64), np.asarray(event)
    start = np.zeros_like(stop) if entry is None else np.asarray(entry, dtype=np.float64)
    if stop.ndim != 1 or stop.shape != happened.shape or stop.shape != start.shape:
        raise DataError(f"{what}: times, events and entries differ in length; give one of each a person")
    if missing := int((~np.isfinite(stop) | ~np.isfinite(start)).sum()):
        raise DataError(f"{what}: {missing} of {len(stop)} times are missing or infinite; leave these people out")
    if negative := int((stop < 0).sum()):
        raise DataError(f"{what}: {negative} of {len(stop)} times are negative; check the dates of start and end")
    if empty := int((stop <= start).sum()):
        raise DataError(
            f"{what}: {empty} of {len(stop)} people have no time at risk (time zero, or an end not after the entry); "
            "leave them out and say how many"
        )
    return stop, happened.astype(bool), start


@dataclass(frozen=True, eq=False)
class RiskSets:
    """Distinct event times of each stratum, who dies at them and who is at risk.

    Parameters
    ----------
    by_stop, by_start : ndarray of int64, shape (n_rows,)
        Rows by stratum and descending end, or entry.
    under_stop, under_start : ndarray of int64, shape (n_times,)
        How many of these rows, from the first of the stratum on, end at or after the event time, or enter at or after
        it; with ``first``, where the stratum begins.
    dead : ndarray of int64, shape (n_events,)
        Rows with an event, by event time.
    time_of : ndarray of int64, shape (n_events,)
        Event time of each of them.
    deaths : ndarray of int64, shape (n_times,)
    at : ndarray of float64, shape (n_times,)
        The event times; strata one after the other.
    truncated : bool
        Whether anybody enters after time zero.
    """

    by_stop: _Ints
    by_start: _Ints
    under_stop: _Ints
    under_start: _Ints
    first: _Ints
    dead: _Ints
    time_of: _Ints
    deaths: _Ints
    at: Floats
    stratum: _Ints
    truncated: bool

    @classmethod
    def of(cls, stop: Floats, event: npt.NDArray[np.bool_], start: Floats, stratum: _Ints) -> RiskSets:
        """Sort rows.

        Raises
        ------
        NotEstimable
            If nobody has an event.
        """
        if not event.any():
            raise NotEstimable(f"none of {len(stop)} people has an event")
        by_stop, by_start = np.lexsort((-stop, stratum)), np.lexsort((-start, stratum))
        rows = np.flatnonzero(event)
        dead = rows[np.lexsort((stop[rows], stratum[rows]))]
        new = np.r_[True, (np.diff(stop[dead]) != 0) | (np.diff(stratum[dead]) != 0)]
        time_of = np.cumsum(new) - 1
        at, group = stop[dead[new]], stratum[dead[new]]
        first = np.searchsorted(stratum[by_stop], group)
        under = [
            first + _at_least(at, group, values[order], stratum[order], first)
            for values, order in ((stop, by_stop), (start, by_start))
        ]
        deaths = np.bincount(time_of)
        return cls(
            by_stop, by_start, under[0], under[1], first, dead, time_of, deaths, at, group, bool((start > 0).any())
        )

    def sums(self, values: Floats) -> Floats:
        """Sums of `values` (n_rows, ...) over those at risk at each event time."""
        total = self._down(values[self.by_stop], self.under_stop)
        return total - self._down(values[self.by_start], self.under_start) if self.truncated else total

    def _down(self, ordered: Floats, under: _Ints) -> Floats:
        whole = np.concatenate([np.zeros((1, *ordered.shape[1:])), np.cumsum(ordered, axis=0)])
        return np.asarray(whole[under] - whole[self.first])

    def over_deaths(self, values: Floats) -> Floats:
        """Sums of `values` (n_rows, ...) over those who die at each event time."""
        out = np.zeros((len(self.at), *values.shape[1:]))
        np.add.at(out, self.time_of, values[self.dead])
        return out


def _at_least(at: Floats, group: _Ints, ordered: Floats, strata: _Ints, first: _Ints) -> _Ints:
    """How many values of the group, in descending order, are at least as large as each time."""
    count = np.zeros(len(at), dtype=np.int64)
    for label in np.unique(group):
        mine = group == label
        end = int(np.searchsorted(strata, label, "right"))
        values = ordered[int(first[mine][0]) : end]
        count[mine] = np.searchsorted(-values, -at[mine], "right")
    return count
