"""Concordance within matched sets: what the score adds to everything that the matching already holds equal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.evaluate.resample import draw_families, limits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from prodromal.evaluate.data import MatchedSets

__all__ = ["compute_matched_concordance", "pairs_within_sets"]


def compute_matched_concordance(matched: MatchedSets, *, replicates: int, seed: int) -> pd.DataFrame:
    """C within matched sets for the model, for age and sex alone, and the difference, with intervals.

    Parameters
    ----------
    matched : MatchedSets
    replicates : int
        Bootstrap draws over families of sets; 0 for none.
    seed : int

    Returns
    -------
    DataFrame
        ``model, measure, value, ci_low, ci_high, n, events, note``; `n` counts sets with a case and a control, `events`
        their cases.

    Notes
    -----
    Share of case-control pairs of the same set in which the case scores higher, ties counted half, over all such pairs.
    """
    columns = {"model": _per_set(matched, matched.score)}
    if matched.baseline is not None:
        columns["age and sex"] = _per_set(matched, matched.baseline)
    wins = np.column_stack([w for w, _ in columns.values()])
    pairs = next(iter(columns.values()))[1]
    value = _contrasts(wins.sum(axis=0) / pairs.sum())
    draws = np.array([_one_draw(wins, pairs, matched.unit, seed, b) for b in range(replicates)])
    low, high, _ = limits(draws.reshape(replicates, len(value)))
    names = [*columns, "difference"][: len(value)]
    usable = pairs > 0
    frame = pd.DataFrame({"model": names, "measure": "c_within_sets", "value": value, "ci_low": low, "ci_high": high})
    cases = np.bincount(matched.set_code[matched.case], minlength=matched.n_sets)
    return frame.assign(n=int(usable.sum()), events=int(cases[usable].sum()), note="")


def pairs_within_sets(matched: MatchedSets) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of every case and every control of the same set, as two arrays of equal length."""
    order = np.argsort(matched.set_code, kind="stable")
    controls = order[~matched.case[order]]
    cases = order[matched.case[order]]
    size = np.bincount(matched.set_code[controls], minlength=matched.n_sets)
    start = np.concatenate([[0], np.cumsum(size)[:-1]])
    repeats = size[matched.set_code[cases]]
    case_rows = np.repeat(cases, repeats)
    within = np.arange(len(case_rows)) - np.repeat(np.cumsum(repeats) - repeats, repeats)
    return case_rows, controls[np.repeat(start[matched.set_code[cases]], repeats) + within]


def _per_set(matched: MatchedSets, score: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    case_rows, control_rows = pairs_within_sets(matched)
    a, b = score[case_rows], score[control_rows]
    code = matched.set_code[case_rows]
    wins = np.bincount(code, weights=(a > b) + 0.5 * (a == b), minlength=matched.n_sets)
    return wins, np.bincount(code, minlength=matched.n_sets).astype(np.float64)


def _one_draw(
    wins: NDArray[np.float64], pairs: NDArray[np.float64], unit: NDArray[np.int64], seed: int, replicate: int
) -> NDArray[np.float64]:
    times = _times(unit, seed, replicate)
    total = times @ pairs
    return _contrasts(times @ wins / total) if total > 0 else np.full(_contrasts(wins[0]).shape, np.nan)


def _times(unit: NDArray[np.int64], seed: int, replicate: int) -> NDArray[np.float64]:
    names, code = np.unique(unit, return_inverse=True)
    return draw_families(len(names), seed, replicate)[code].astype(np.float64)


def _contrasts(c: NDArray[np.float64]) -> NDArray[np.float64]:
    return c if len(c) == 1 else np.append(c, c[0] - c[1])
