"""Boosted trees on the conditional likelihood: one model, or folds in step with each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import xgboost

    from prodromal.risk.sets import MatchedSets

__all__ = ["Settings", "boost", "out_of_fold"]

# The Hessian of a set of one case and five controls at equal scores: what "one case" weighs in a leaf.
_HESSIAN_PER_CASE = 5 / 6
_PATIENCE = 30
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Settings:
    """Hyperparameters of one model.

    Parameters
    ----------
    max_depth : int
        Depth of the trees.
    min_cases_per_leaf : float
        Least weight of a leaf, in cases.
    l2 : float
        Penalty on leaf values.
    features_per_tree : float
        Share of features that each tree may use.
    learning_rate : float
        Shrinkage of each tree.
    """

    max_depth: int = 3
    min_cases_per_leaf: float = 20.0
    l2: float = 10.0
    features_per_tree: float = 0.4
    learning_rate: float = 0.05

    def to_xgboost(self, *, seed: int, device: str) -> dict[str, Any]:
        """XGBoost's parameters. One thread: the same bytes on any machine with the same versions."""
        return {
            "max_depth": self.max_depth,
            "min_child_weight": self.min_cases_per_leaf * _HESSIAN_PER_CASE,
            "lambda": self.l2,
            "colsample_bytree": self.features_per_tree,
            "eta": self.learning_rate,
            "tree_method": "hist",
            "max_bin": 256,
            "base_score": 0.0,
            "disable_default_eval_metric": 1,
            "seed": seed,
            "nthread": 1,
            "device": device,
            "verbosity": 0,
        }


def matched_objective(sets: MatchedSets) -> Callable[[Any, Any], tuple[_Floats, _Floats]]:
    """Gradient and Hessian of the conditional (softmax) likelihood within sets, for XGBoost."""
    is_case = sets.is_case

    def objective(margin: Any, _: Any) -> tuple[_Floats, _Floats]:
        p = sets.probabilities(margin)
        return p - is_case, np.maximum(p * (1 - p), 1e-6)

    return objective


def boost(
    X: npt.NDArray[np.float32], sets: MatchedSets, settings: Settings, rounds: int, *, seed: int, device: str = "cpu"
) -> xgboost.Booster:
    """Fit one model of `rounds` trees; rows of `X` are in the order of `sets`."""
    import xgboost

    data = xgboost.DMatrix(X, nthread=1)
    objective = matched_objective(sets)
    booster = xgboost.Booster(settings.to_xgboost(seed=seed, device=device), cache=[data])
    for number in range(rounds):
        booster.update(data, number, fobj=objective)
    return booster


@dataclass(frozen=True)
class OutOfFold:
    """Scores of each row by the model that did not see its fold, at the best number of rounds.

    Parameters
    ----------
    settings : Settings
        Of all folds.
    rounds : int
        Best number of trees, possibly 0.
    log_likelihood : float
        Mean per set, out of fold, at `rounds`; for comparison, equal scores give minus the mean log set size.
    score : ndarray of float64, shape (n_rows,)
    """

    settings: Settings
    rounds: int
    log_likelihood: float
    score: _Floats


def out_of_fold(
    X: npt.NDArray[np.float32],
    sets: MatchedSets,
    fold_of_set: npt.NDArray[np.int64],
    settings: Settings,
    *,
    max_rounds: int,
    seed: int,
    device: str = "cpu",
) -> OutOfFold:
    """Grow all folds in step and stop when their joint out-of-fold likelihood no longer grows."""
    folds = [_Fold(X, sets, fold_of_set == k, settings, seed, device) for k in np.unique(fold_of_set)]
    score = np.zeros(len(sets.order))
    best = OutOfFold(settings, 0, sets.log_likelihood(score) / len(sets), score)
    for number in range(max_rounds):
        score = score.copy()
        for fold in folds:
            score[fold.rows] = fold.grow(number)
        value = sets.log_likelihood(score) / len(sets)
        if value > best.log_likelihood:
            best = OutOfFold(settings, number + 1, value, score)
        elif number + 1 - best.rounds >= _PATIENCE:
            break
    return best


class _Fold:
    def __init__(
        self,
        X: npt.NDArray[np.float32],
        sets: MatchedSets,
        held: npt.NDArray[np.bool_],
        settings: Settings,
        seed: int,
        device: str,
    ) -> None:
        import xgboost

        seen, rows = sets.subset(~held)
        _, self.rows = sets.subset(held)
        self._train, self._held = (xgboost.DMatrix(X[r], nthread=1) for r in (rows, self.rows))
        self._objective = matched_objective(seen)
        self._booster = xgboost.Booster(settings.to_xgboost(seed=seed, device=device), cache=[self._train, self._held])

    def grow(self, number: int) -> _Floats:
        """Add a tree and score the held rows."""
        self._booster.update(self._train, number, fobj=self._objective)
        return np.asarray(self._booster.predict(self._held, output_margin=True), dtype=np.float64)


def describe(settings: Settings) -> Mapping[str, float]:
    """Settings as plain values."""
    return {name: getattr(settings, name) for name in settings.__dataclass_fields__}
