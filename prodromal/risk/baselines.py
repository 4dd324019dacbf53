"""Simpler models, always fitted beside the trees: what the trees must beat to be worth their complexity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import NotEstimable
from prodromal.risk.exposures import STUDY_CLASSES, exposure_columns

if TYPE_CHECKING:
    from collections.abc import Callable

    from prodromal.features import FeaturePlan
    from prodromal.risk.boosting import Likelihood

__all__ = ["EVER_USE", "RIDGE", "Baseline", "ever_use", "fit_baselines", "out_of_fold_baselines", "ridge_design"]

EVER_USE = "ever use, logistic"
RIDGE = "all windows, ridge logistic"
_PENALTIES = (1000.0, 10000.0)
_Floats = npt.NDArray[np.float64]
_Values = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Baseline:
    """A fitted linear score.

    Parameters
    ----------
    design : callable
        Makes columns from feature values.
    coefficients : ndarray of float64, shape (n_columns,)
        Log rate ratios.
    ridge : float
        Penalty, 0 for none.
    """

    design: Callable[[_Values], _Floats]
    coefficients: _Floats
    ridge: float

    def score(self, X: _Values) -> _Floats:
        """Log rate ratio up to a constant, shape (n_rows,)."""
        return np.asarray(self.design(X) @ self.coefficients)


def ever_use(X: _Values, plan: FeaturePlan) -> _Floats:
    """Whether anything of each psychiatric class was dispensed at least twice: ever, or over the plan's windows.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_classes)
        0 or 1; no column for a class that the plan does not count.
    """
    asked = exposure_columns(plan)
    if len(asked):
        return X[:, asked].astype(np.float64)
    columns = []
    for name in STUDY_CLASSES:
        chosen = [i for i, f in enumerate(plan.features) if f.measure == "count" and f.group and f.group.name == name]
        if chosen:
            columns.append(np.nansum(X[:, chosen], axis=1) >= 2)
    return np.asarray(columns, dtype=np.float64).reshape(len(columns), len(X)).T


def ridge_design(X: _Values, plan: FeaturePlan) -> Callable[[_Values], _Floats]:
    """All window measures as ``log(1 + x)``, missing as 0, each scaled to unit variance in `X`.

    Returns
    -------
    callable
        Makes an array of float64, shape (n_rows, n_varying_features), from feature values.
    """
    windowed = np.asarray([i for i, feature in enumerate(plan.features) if feature.window is not None], dtype=np.int64)

    def logs(values: _Values, columns: npt.NDArray[np.int64]) -> _Floats:
        return np.log1p(np.nan_to_num(values[:, columns].astype(np.float64), nan=0.0).clip(min=0.0))

    spread = logs(X, windowed).std(axis=0)
    varying, scale = windowed[spread > 0], spread[spread > 0]
    return lambda values: np.asarray(logs(values, varying) / scale)


def fit_baselines(
    X: _Values, likelihood: Likelihood, fold: npt.NDArray[np.int64], plan: FeaturePlan
) -> dict[str, Baseline | str]:
    """Each baseline fitted to all rows, or why it could not be; penalties are chosen out of fold.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_features)
        In the order of `likelihood`.
    likelihood : Likelihood
        Of matched sets or of a cohort.
    fold : ndarray of int64, shape (n_rows,)
        For the choice of the penalty.
    plan : FeaturePlan
        What the columns mean.

    Returns
    -------
    dict of str to Baseline or str
    """
    fitted: dict[str, Baseline | str] = {}
    for name, design, penalties in _kinds(X, plan):
        try:
            ridge, _ = _best(design(X), likelihood, fold, penalties)
            fitted[name] = Baseline(design, likelihood.linear(design(X), ridge=ridge).coefficients, ridge)
        except NotEstimable as reason:
            fitted[name] = f"not computed: {reason}"
    return fitted


def out_of_fold_baselines(
    X: _Values, likelihood: Likelihood, fold: npt.NDArray[np.int64], plan: FeaturePlan
) -> dict[str, _Floats | str]:
    """Out-of-fold scores of each baseline, or why it could not be fitted."""
    scores: dict[str, _Floats | str] = {}
    for name, design, penalties in _kinds(X, plan):
        try:
            _, scores[name] = _best(design(X), likelihood, fold, penalties)
        except NotEstimable as reason:
            scores[name] = f"not computed: {reason}"
    return scores


def _kinds(X: _Values, plan: FeaturePlan) -> tuple[tuple[str, Callable[[_Values], _Floats], tuple[float, ...]], ...]:
    return (
        (EVER_USE, lambda values: ever_use(values, plan), (0.0,)),
        (RIDGE, ridge_design(X, plan), _PENALTIES),
    )


def _best(
    design: _Floats, likelihood: Likelihood, fold: npt.NDArray[np.int64], penalties: tuple[float, ...]
) -> tuple[float, _Floats]:
    if not design.shape[1]:
        raise NotEstimable("the plan has no such feature, or none varies")
    tried = [(ridge, _out_of_fold(design, likelihood, fold, ridge)) for ridge in penalties]
    return max(tried, key=lambda pair: likelihood.log_likelihood(pair[1]))


def _out_of_fold(design: _Floats, likelihood: Likelihood, fold: npt.NDArray[np.int64], ridge: float) -> _Floats:
    score = np.zeros(len(design))
    for number in np.unique(fold):
        held = fold == number
        seen, rows = likelihood.subset(~held)
        score[held] = design[held] @ seen.linear(design[rows], ridge=ridge).coefficients
    return score
