"""Drawing controls from the people at risk, by sex and birth year."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from prodromal.design.facts import Facts

__all__ = ["Sampler"]

_TRIES = 40


class Sampler:
    """People grouped by sex and birth year.

    Parameters
    ----------
    facts : Facts
        About all people.
    chosen : ndarray of bool, shape (n_persons,)
        Who may be drawn.
    """

    def __init__(self, facts: Facts, chosen: npt.NDArray[np.bool_]) -> None:
        self._facts = facts
        rows = np.flatnonzero(chosen)
        people = facts.persons
        cell = people.birth_year[rows].astype(np.int64) * 4 + people.sex[rows]
        order = np.argsort(cell, kind="stable")
        self._rows = rows[order]
        self._cells, self._start = np.unique(cell[order], return_index=True)
        self._end = np.append(self._start[1:], len(rows))

    def draw(
        self, case: int, index: int, wanted: int, max_caliper: int, random: np.random.Generator
    ) -> tuple[npt.NDArray[np.int64], int]:
        """Up to `wanted` controls and the caliper in years that it took."""
        found: npt.NDArray[np.int64] = np.empty(0, dtype=np.int64)
        for caliper in range(max_caliper + 1):
            found = self._within(case, index, wanted, caliper, random)
            if len(found) == wanted:
                return found, caliper
        return found, max_caliper

    def _within(
        self, case: int, index: int, wanted: int, caliper: int, random: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        pool = self._pool(case, caliper)
        if len(pool) > _TRIES * wanted * 10:
            sample = self._by_trial(case, index, pool, wanted, random)
            if len(sample) == wanted:
                return sample
        fit = pool[self._at_risk(case, index, pool)]
        weight = self._facts.persons.weight[fit]
        if len(fit) <= wanted:
            return fit
        return np.asarray(random.choice(fit, wanted, replace=False, p=weight / weight.sum()))

    def _by_trial(
        self, case: int, index: int, pool: npt.NDArray[np.int64], wanted: int, random: np.random.Generator
    ) -> npt.NDArray[np.int64]:
        """Draws with replacement, keeping the first of each person: the law of ``choice`` without scanning the pool."""
        tried = pool[random.integers(0, len(pool), size=_TRIES * wanted)]
        weight = self._facts.persons.weight
        accepted = random.random(len(tried)) * float(np.max(weight[pool])) < weight[tried]
        tried = tried[accepted & self._at_risk(case, index, tried)]
        _, first = np.unique(tried, return_index=True)
        return np.asarray(tried[np.sort(first)][:wanted])

    def _at_risk(self, case: int, index: int, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
        return np.asarray(self._facts.followed(rows, index, int(self._facts.diagnosed[case])) & (rows != case))

    def _pool(self, case: int, caliper: int) -> npt.NDArray[np.int64]:
        people = self._facts.persons
        parts = []
        for year in range(int(people.birth_year[case]) - caliper, int(people.birth_year[case]) + caliper + 1):
            cell = year * 4 + int(people.sex[case])
            at = int(np.searchsorted(self._cells, cell))
            if at < len(self._cells) and self._cells[at] == cell:
                parts.append(self._rows[self._start[at] : self._end[at]])
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)
