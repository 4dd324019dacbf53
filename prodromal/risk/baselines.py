"""Simpler models, always fitted beside the trees: what the trees must beat to be worth their complexity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import NotEstimable
from prodromal.risk.conditional import fit_conditional

if TYPE_CHECKING:
    from prodromal.features import FeaturePlan
    from prodromal.risk.sets import MatchedSets

__all__ = ["ever_use", "out_of_fold_baselines", "ridge_design"]

_CLASSES = ("N05B", "N05C", "N06A")
_PENALTIES = (100.0, 1000.0)
_Floats = npt.NDArray[np.float64]


def ever_use(X: npt.NDArray[np.float32], plan: FeaturePlan) -> _Floats:
    """Whether anything of each psychiatric class was dispensed at least twice, over all windows.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_classes)
        0 or 1; no column for a class that the plan does not count.
    """
    columns = []
    for name in _CLASSES:
        chosen = [i for i, f in enumerate(plan.features) if f.measure == "count" and f.group and f.group.name == name]
        if chosen:
            columns.append(np.nansum(X[:, chosen], axis=1) >= 2)
    return np.asarray(columns, dtype=np.float64).reshape(len(columns), len(X)).T


def ridge_design(X: npt.NDArray[np.float32], plan: FeaturePlan) -> _Floats:
    """All window measures as ``log(1 + x)``, missing as 0, each scaled to unit variance.

    Returns
    -------
    ndarray of float64, shape (n_rows, n_varying_features)
    """
    chosen = [i for i, feature in enumerate(plan.features) if feature.window is not None]
    values = np.log1p(np.nan_to_num(X[:, chosen].astype(np.float64), nan=0.0).clip(min=0.0))
    spread = values.std(axis=0)
    return np.asarray((values / np.where(spread > 0, spread, 1.0))[:, spread > 0])


def out_of_fold_baselines(
    X: npt.NDArray[np.float32],
    sets: MatchedSets,
    fold_of_set: npt.NDArray[np.int64],
    plan: FeaturePlan,
) -> dict[str, _Floats | str]:
    """Out-of-fold scores of each baseline, or why it could not be fitted."""
    flags, windows = ever_use(X, plan), ridge_design(X, plan)
    results: dict[str, _Floats | str] = {}
    for name, design, penalties in (
        ("ever use, logistic", flags, (0.0,)),
        ("all windows, ridge logistic", windows, _PENALTIES),
    ):
        try:
            results[name] = _best(design, sets, fold_of_set, penalties)
        except NotEstimable as reason:
            results[name] = f"not computed: {reason}"
    return results


def _best(
    design: _Floats, sets: MatchedSets, fold_of_set: npt.NDArray[np.int64], penalties: tuple[float, ...]
) -> _Floats:
    if not design.shape[1]:
        raise NotEstimable("the plan has no such feature, or none varies")
    scores = [_out_of_fold(design, sets, fold_of_set, ridge) for ridge in penalties]
    return max(scores, key=sets.log_likelihood)


def _out_of_fold(design: _Floats, sets: MatchedSets, fold_of_set: npt.NDArray[np.int64], ridge: float) -> _Floats:
    score = np.zeros(len(sets.order))
    for fold in np.unique(fold_of_set):
        seen, rows = sets.subset(fold_of_set != fold)
        _, held = sets.subset(fold_of_set == fold)
        score[held] = design[held] @ fit_conditional(design[rows], seen, ridge=ridge).coefficients
    return score
