"""Boosted trees on a likelihood of matched sets or of a cohort: one model, or folds in step with each other."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable

    import xgboost

    from prodromal.risk.conditional import Fit

__all__ = ["Likelihood", "Settings", "boost", "out_of_fold", "require_device"]

# The Hessian of a set of one case and five controls at equal scores: what "one case" weighs in a leaf.
_HESSIAN_PER_CASE = 5 / 6
_PATIENCE = 30
_FIRST_TREES = 20
_FIRST = {"max_depth": 1, "colsample_bytree": 1.0, "eta": 0.1}
_Floats = npt.NDArray[np.float64]
_Columns = npt.NDArray[np.int64]
_NONE = np.empty(0, dtype=np.int64)


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


def require_device(device: str) -> None:
    """Raise DefinitionError for an unknown device, and for a GPU that is not found: the library would go on without.

    Ask it before features are made, for that can take long.
    """
    if device not in {"cpu", "cuda"}:
        raise DefinitionError(f"device '{device}': it is cpu or cuda")
    if device == "cpu":
        return
    import xgboost

    rows = xgboost.DMatrix(np.zeros((2, 1)), label=np.array([0.0, 1.0]), nthread=1)
    try:
        with xgboost.config_context(verbosity=0):
            tried = xgboost.train({"device": device}, rows, num_boost_round=1)
        used = json.loads(tried.save_config())["learner"]["generic_param"]["device"]
    except xgboost.core.XGBoostError:
        used = "none"
    if not used.startswith(device):
        raise DefinitionError(f"device '{device}': no GPU is found that XGBoost can use; train on the cpu")


class Likelihood(Protocol):
    """What trees are grown on, over rows in canonical order."""

    @property
    def cases(self) -> int:
        """Diagnoses that it rests on."""

    @property
    def is_case(self) -> npt.NDArray[np.bool_]:
        """Whether each row is a case."""

    def gradient(self, score: Any) -> tuple[_Floats, _Floats]:
        """Gradient and diagonal of the Hessian of minus the log-likelihood, by row."""

    def log_likelihood(self, score: Any) -> float:
        """Sum over sets or people."""

    def concordance(self, score: Any) -> float:
        """How often a case outranks another person of the same age and sex."""

    def linear(self, X: _Floats, *, ridge: float = 0.0) -> Fit:
        """Fit a linear score."""

    def subset(self, keep: npt.NDArray[np.bool_]) -> tuple[Likelihood, npt.NDArray[np.int64]]:
        """What remains when some rows go, and its rows."""


def boost(
    X: npt.NDArray[np.float32],
    likelihood: Likelihood,
    settings: Settings,
    rounds: int,
    *,
    seed: int,
    exposures: _Columns = _NONE,
    device: str = "cpu",
) -> xgboost.Booster:
    """Fit one model of `rounds` trees; rows of `X` are in the order of `likelihood`."""
    grower = _Grower(X, likelihood, settings, exposures, seed, device)
    for number in range(rounds):
        grower.grow(number)
    return grower.booster


class _Grower:
    """Grows one booster tree by tree.

    The first trees are stumps on the study's exposures alone: few sets cannot tell which of hundreds of features
    matters, and what is known beforehand is a better place to start from than nothing.
    """

    def __init__(
        self,
        X: npt.NDArray[np.float32],
        likelihood: Likelihood,
        settings: Settings,
        exposures: _Columns,
        seed: int,
        device: str,
    ) -> None:
        import xgboost

        self.rows = xgboost.DMatrix(X, nthread=1)
        self.first_trees = _FIRST_TREES if len(exposures) else 0
        self._usual = settings.to_xgboost(seed=seed, device=device)
        self._objective: Callable[[Any, Any], tuple[_Floats, _Floats]] = lambda margin, _: likelihood.gradient(margin)
        self._first = xgboost.DMatrix(_only(X, exposures), nthread=1) if self.first_trees else self.rows
        self.booster = xgboost.Booster(self._usual, cache=[self.rows])

    def grow(self, number: int) -> None:
        """Add tree `number`."""
        first = number < self.first_trees
        if self.first_trees and number in {0, self.first_trees}:
            self.booster.set_param({**self._usual, **(_FIRST if first else {})})
        self.booster.update(self._first if first else self.rows, number, fobj=self._objective)


def _only(X: npt.NDArray[np.float32], columns: _Columns) -> npt.NDArray[np.float32]:
    """The matrix with every other column missing, on which no tree can split."""
    shown = np.full_like(X, np.nan)
    shown[:, columns] = X[:, columns]
    return shown


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
        Mean per case, out of fold, at `rounds`; in matched sets, equal scores give minus the mean log set size.
    score : ndarray of float64, shape (n_rows,)
    """

    settings: Settings
    rounds: int
    log_likelihood: float
    score: _Floats


def out_of_fold(
    X: npt.NDArray[np.float32],
    likelihood: Likelihood,
    fold: npt.NDArray[np.int64],
    settings: Settings,
    *,
    max_rounds: int,
    seed: int,
    exposures: _Columns = _NONE,
    device: str = "cpu",
) -> OutOfFold:
    """Grow all folds in step and stop when their joint out-of-fold likelihood no longer grows.

    Each row is scored by the model that has seen nobody of its fold. Folds are of families, not of sets: people who are
    drawn as controls again and again would tie nearly all sets together. The first trees, on the study's exposures, are
    always kept: whether they mean anything is for the slope to say.
    """
    folds = [_Fold(X, likelihood, fold == k, settings, exposures, seed, device) for k in np.unique(fold)]
    score = np.zeros(len(X))
    best = OutOfFold(settings, 0, likelihood.log_likelihood(score) / likelihood.cases, score)
    for number in range(max(max_rounds, folds[0].first_trees)):
        score = score.copy()
        for part in folds:
            score[part.held] = part.grow(number)
        value = likelihood.log_likelihood(score) / likelihood.cases
        if value > best.log_likelihood or number + 1 == folds[0].first_trees:
            best = OutOfFold(settings, number + 1, value, score)
        elif number + 1 - best.rounds >= _PATIENCE:
            break
    return best


class _Fold:
    def __init__(
        self,
        X: npt.NDArray[np.float32],
        likelihood: Likelihood,
        held: npt.NDArray[np.bool_],
        settings: Settings,
        exposures: _Columns,
        seed: int,
        device: str,
    ) -> None:
        import xgboost

        self.held = held
        seen, rows = likelihood.subset(~held)
        self._grower = _Grower(X[rows], seen, settings, exposures, seed, device)
        self._held = xgboost.DMatrix(X[held], nthread=1)
        self.first_trees = self._grower.first_trees

    def grow(self, number: int) -> _Floats:
        """Add a tree and score the held rows; the mean over those trained on is the zero that all folds share."""
        self._grower.grow(number)
        seen, held = (self._grower.booster.predict(d, output_margin=True) for d in (self._grower.rows, self._held))
        return np.asarray(held, dtype=np.float64) - float(np.mean(seen, dtype=np.float64))
