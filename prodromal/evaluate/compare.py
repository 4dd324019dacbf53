"""Two sets of predictions for the same people: every measure of each, and the difference on the same draws."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DataError
from prodromal.evaluate.calibration import calibration_statistic, oe_statistic
from prodromal.evaluate.ranking import ranking_statistic
from prodromal.evaluate.resample import Population, Statistic, combine, estimate
from prodromal.evaluate.tables import paired
from prodromal.evaluate.tally import Ordering

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import ArrayLike, NDArray

    from prodromal.evaluate.data import EvaluationData

__all__ = ["compare", "with_risk"]


def compare(
    data: EvaluationData,
    other_risk: ArrayLike,
    *,
    replicates: int,
    seed: int,
    names: tuple[str, str] = ("first", "second"),
    other_score: ArrayLike | None = None,
    workers: int = 1,
) -> pd.DataFrame:
    """Compare the predictions in `data` with others for the same rows, by a paired bootstrap.

    Parameters
    ----------
    data : EvaluationData
    other_risk : array of shape (n_rows,)
        In [0, 1], in the order of the rows of `data`.
    replicates, seed, workers : int
    names : pair of str
        What the two are called.
    other_score : array of shape (n_rows,), optional
        What is ranked for the second; its risk by default.

    Returns
    -------
    DataFrame
        ``model, measure, value, ci_low, ci_high, n, events, note``, where `model` is either name or ``difference``
        (first less second).

    Notes
    -----
    Before and after a recalibration is the same comparison. A recalibration that leaves the score alone leaves every
    measure of ranking alone, exactly.
    """
    risk = _checked(other_risk, data, 0.0, 1.0)
    score = risk if other_score is None else _checked(other_score, data, -np.inf, np.inf)
    population = Population.of(data)
    first = _all(population, population.data.risk, population.score, names[0])
    second = _all(population, risk[population.order], Ordering.of(score[population.order]), names[1])
    return estimate(population, paired(first, second), replicates=replicates, seed=seed, workers=workers)


def with_risk(data: EvaluationData, risk: ArrayLike) -> EvaluationData:
    """Give the same people with other risks and the same ranking: what recalibration does."""
    return replace(data, risk=_checked(risk, data, 0.0, 1.0))


def _all(population: Population, risk: NDArray[np.float64], score: Ordering, name: str) -> Statistic:
    return combine(
        ranking_statistic(population, score, risk, name),
        oe_statistic(population, risk, name),
        calibration_statistic(population, Ordering.of(risk), name),
    )


def _checked(values: ArrayLike, data: EvaluationData, low: float, high: float) -> NDArray[np.float64]:
    found = np.asarray(values, dtype=np.float64)
    if found.shape != (data.n,):
        raise DataError(f"comparison: expected one number for each of {data.n} rows, got shape {found.shape}")
    wrong = int((~np.isfinite(found) | (found < low) | (found > high)).sum())
    if wrong:
        raise DataError(f"comparison: {wrong} of {data.n} predictions are missing or outside their range")
    return found
