"""A scikit-learn classifier of boosted trees, strict about the plan when it is given a feature matrix."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from prodromal.errors import BundleError, DefinitionError
from prodromal.features import FeatureMatrix
from prodromal.risk.boosting import Settings

__all__ = ["BoostedRiskClassifier"]


class BoostedRiskClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Few, shallow, regularised boosted trees for two classes, by (weighted) logistic likelihood.

    For cross-validation, pipelines and comparisons inside scikit-learn. Its probabilities are those of the sample it
    was fitted to: under case-control sampling they are no risks. For risks use ``train``.

    Parameters
    ----------
    rounds : int
        Trees.
    max_depth : int
        Depth of the trees.
    min_cases_per_leaf : float
        Least weight of a leaf, in units of the Hessian ``p (1 - p)``.
    l2 : float
        Penalty on leaf values.
    learning_rate : float
        Shrinkage of each tree.
    random_state : int
        Seed of the trees.

    Attributes
    ----------
    classes_ : ndarray, shape (2,)
        Labels, sorted; the second is the case.
    booster_ : xgboost.Booster
        Trees whose margin is the log odds.
    plan_ : FeaturePlan or None
        Plan of the matrix it was fitted to.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.repeat([[0.0], [1.0]], 50, axis=0)
    >>> model = BoostedRiskClassifier(min_cases_per_leaf=1.0).fit(X, X[:, 0] > 0)
    >>> model.predict([[0.0], [1.0]]).tolist()
    [False, True]
    """

    def __init__(
        self,
        *,
        rounds: int = 100,
        max_depth: int = 2,
        min_cases_per_leaf: float = 1.0,
        l2: float = 1.0,
        learning_rate: float = 0.1,
        random_state: int = 0,
    ) -> None:
        self.rounds = rounds
        self.max_depth = max_depth
        self.min_cases_per_leaf = min_cases_per_leaf
        self.l2 = l2
        self.learning_rate = learning_rate
        self.random_state = random_state

    def __sklearn_tags__(self) -> Any:
        """Two classes; missing values are allowed."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = False
        tags.input_tags.allow_nan = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the trees.

        Parameters
        ----------
        X : FeatureMatrix or array_like of float, shape (n_rows, n_features)
            NaN where missing.
        y : array_like, shape (n_rows,)
            Two different labels.
        sample_weight : array_like of float, shape (n_rows,), optional
            Sampling weights; a weight of 0 is as good as no row.

        Raises
        ------
        ValueError
            If `y` has not exactly two classes, or the shapes do not fit.
        """
        import xgboost

        self.plan_ = X.plan if isinstance(X, FeatureMatrix) else None
        values, labels = validate_data(self, _frame_of(X), y, dtype=np.float32, ensure_all_finite="allow-nan")
        check_classification_targets(labels)
        weight = _check_sample_weight(sample_weight, values, dtype=np.float64)
        chosen = weight > 0
        self.classes_ = np.unique(labels[chosen])
        if len(self.classes_) != 2:
            count = "one class" if len(self.classes_) == 1 else f"{len(self.classes_)} classes"
            hint = " Only binary classification is supported." if len(self.classes_) > 2 else ""
            raise DefinitionError(f"not estimable: y holds {count}, it takes exactly two.{hint}")
        rows, case, mass = _merged(values[chosen], labels[chosen] == self.classes_[1], weight[chosen])
        data = xgboost.DMatrix(rows, label=case, weight=mass, nthread=1)
        settings = Settings(
            self.max_depth, self.min_cases_per_leaf, self.l2, features_per_tree=1.0, learning_rate=self.learning_rate
        ).to_xgboost(seed=self.random_state, device="cpu")
        share = float(np.average(case, weights=mass))
        settings |= {"objective": "binary:logistic", "base_score": share, "min_child_weight": self.min_cases_per_leaf}
        self.booster_ = xgboost.train(settings, data, num_boost_round=self.rounds)
        return self

    def decision_function(self, X: Any) -> npt.NDArray[np.float64]:
        """Log odds of the second class, shape (n_rows,)."""
        check_is_fitted(self, "booster_")
        self._check_plan(X)
        values = validate_data(self, _frame_of(X), dtype=np.float32, ensure_all_finite="allow-nan", reset=False)
        return np.asarray(self.booster_.inplace_predict(values, predict_type="margin"), dtype=np.float64)

    def predict_proba(self, X: Any) -> npt.NDArray[np.float64]:
        """Probability of each class in a sample like the one fitted to, shape (n_rows, 2)."""
        case = 1 / (1 + np.exp(-self.decision_function(X)))
        return np.column_stack([1 - case, case])

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """The more probable class, shape (n_rows,)."""
        margin = self.decision_function(X)
        return np.asarray(self.classes_[(margin > 0).astype(np.int64)])

    def _check_plan(self, X: Any) -> None:
        if not isinstance(X, FeatureMatrix):
            return
        if self.plan_ is None or X.plan.fingerprint != self.plan_.fingerprint:
            fitted = "a plain array" if self.plan_ is None else f"plan '{self.plan_.name}'"
            raise BundleError(f"the matrix was built by plan '{X.plan.name}', the classifier was fitted to {fitted}")


def _merged(
    values: npt.NDArray[np.float32], case: npt.NDArray[np.bool_], weight: npt.NDArray[np.float64]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float64]]:
    """Equal rows as one with the sum of their weights, sorted: neither order nor repetition can change a tree."""
    # Adding 0 makes -0 and 0 the same bytes.
    full = np.ascontiguousarray(np.column_stack([values, case.astype(np.float32)]) + np.float32(0))
    keys = full.view(np.dtype((np.void, full.dtype.itemsize * full.shape[1]))).ravel()
    _, first, group = np.unique(keys, return_index=True, return_inverse=True)
    return full[first, :-1], full[first, -1], np.bincount(group, weights=weight)


def _frame_of(X: Any) -> Any:
    """A frame with the plan's names, so that scikit-learn checks names and order; anything else as it is."""
    if not isinstance(X, FeatureMatrix):
        return X
    import pandas as pd

    return pd.DataFrame(X.values, columns=list(X.plan.names))
