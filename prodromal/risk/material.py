"""What a model is trained on: rows in canonical order, their likelihood, and folds by family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError, NotEstimable
from prodromal.risk.exposures import exposure_columns
from prodromal.risk.sets import MatchedSets
from prodromal.risk.weighted import WeightedRows

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.design import Cohort
    from prodromal.features import FeatureMatrix
    from prodromal.risk.boosting import Likelihood
    from prodromal.risk.population import Population

__all__ = ["Material", "prepare"]

_FEWEST_CASES = 20
# Measured with scripts/bench/quality: the start lowers regret with 1,000 sets and raises it a little with 20,000.
_MANY_CASES = 5_000
_Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Material:
    """The training rows in canonical order.

    Parameters
    ----------
    X : ndarray of float32, shape (n_rows, n_features)
    likelihood : Likelihood
        Of matched sets or of a cohort.
    fold : ndarray of int64, shape (n_rows,)
        Of each person's family.
    at_risk : ndarray of bool, shape (n_rows,)
        People who represent the person-time at risk.
    weight, age, sex : ndarray, shape (n_rows,)
        How many people each stands for, whole years, 0 = M or 1 = F.
    exposures : ndarray of int64
        Columns that the first trees look at; empty where the plan has none, or cases are many.
    """

    X: npt.NDArray[np.float32]
    likelihood: Likelihood
    fold: _Rows
    at_risk: npt.NDArray[np.bool_]
    weight: npt.NDArray[np.float64]
    age: _Rows
    sex: _Rows
    exposures: _Rows


def prepare(matrix: FeatureMatrix, cohort: Cohort, population: Population, *, folds: int, seed: int) -> Material:
    """Check matrix and cohort, and bring their rows into an order that does not depend on theirs.

    Raises
    ------
    DataError
        If they do not belong together, or the data contradict the design.
    NotEstimable
        If there is too little to learn from.
    """
    _check_keys(matrix, cohort.frame)
    if cohort.is_matched:
        sets = MatchedSets.of(cohort.frame)
        return _of_sets(matrix, cohort.frame.iloc[sets.order], sets, folds, seed)
    rows, order = WeightedRows.of(cohort, population)
    return _of_cohort(matrix, cohort.frame.iloc[order], rows, order, folds, seed)


def _of_sets(matrix: FeatureMatrix, ordered: pd.DataFrame, sets: MatchedSets, folds: int, seed: int) -> Material:
    _check_cases(len(sets), "matched sets")
    X = matrix.values[sets.order]  # noqa: PD011  ours, not pandas'
    _check_varies(matrix, X, sets.start, "people of the same matched set")
    fold = _folds(ordered["family"].to_numpy(), sets.is_case, folds, seed)
    return Material(
        X, sets, fold, ~sets.is_case, np.ones(len(X)), *_age_and_sex(ordered), _exposures(matrix, sets.cases)
    )


def _of_cohort(
    matrix: FeatureMatrix, ordered: pd.DataFrame, rows: WeightedRows, order: _Rows, folds: int, seed: int
) -> Material:
    _check_cases(rows.cases, "diagnoses")
    X = matrix.values[order]  # noqa: PD011  ours, not pandas'
    _check_varies(matrix, X, np.zeros(1, dtype=np.int64), "people of the cohort")
    fold = _folds(ordered["family"].to_numpy(), rows.is_case, folds, seed)
    everyone = np.ones(len(X), dtype=bool)
    return Material(X, rows, fold, everyone, rows.weight, *_age_and_sex(ordered), _exposures(matrix, rows.cases))


def _exposures(matrix: FeatureMatrix, cases: int) -> _Rows:
    """Where trees start; from nothing where there are cases enough to find their own way."""
    columns = exposure_columns(matrix.plan)
    return columns if cases < _MANY_CASES else columns[:0]


def _check_keys(matrix: FeatureMatrix, frame: pd.DataFrame) -> None:
    same = len(matrix) == len(frame) and bool(
        (matrix.person_row == frame["person_row"].to_numpy()).all()
        and (matrix.index_date.astype("datetime64[s]") == frame["index_date"].to_numpy()).all()
    )
    if not same:
        raise DataError("the matrix was not built for this cohort's index dates, or not in their order")


def _check_cases(found: int, what: str) -> None:
    if found < _FEWEST_CASES:
        raise NotEstimable(
            f"not estimable: {found} {what} are too few to train and check a model; it takes {_FEWEST_CASES}"
        )


def _check_varies(matrix: FeatureMatrix, X: npt.NDArray[np.float32], start: _Rows, among: str) -> None:
    """Some look-back was observed, and something differs within the groups of rows that begin at `start`."""
    windowed = [number for number, feature in enumerate(matrix.plan.features) if feature.window is not None]
    if windowed and np.isnan(X[:, windowed]).all():
        raise NotEstimable(
            "not estimable: the look-back of every window is unobserved for everybody; use shorter windows or later "
            "index dates"
        )
    filled = np.nan_to_num(X, nan=-1.0)
    if not (np.maximum.reduceat(filled, start, axis=0) != np.minimum.reduceat(filled, start, axis=0)).any():
        raise NotEstimable(f"not estimable: no feature differs between {among}")


def _age_and_sex(frame: pd.DataFrame) -> tuple[_Rows, _Rows]:
    return frame["age_years"].to_numpy(dtype=np.int64), (frame["sex"] == "F").to_numpy().astype(np.int64)


def _folds(family: npt.NDArray[Any], is_case: npt.NDArray[np.bool_], folds: int, seed: int) -> _Rows:
    """Fold of each row: whole families, those with a case spread evenly."""
    families, code = np.unique(family, return_inverse=True)
    with_case = np.zeros(len(families), dtype=bool)
    with_case[code[is_case]] = True
    if with_case.sum() < folds:
        raise NotEstimable(f"not estimable: the cases are of {with_case.sum()} families, too few for {folds} folds")
    shuffled = np.random.default_rng(seed).permutation(len(families))
    dealt = shuffled[np.argsort(~with_case[shuffled], kind="stable")]
    fold = np.empty(len(families), dtype=np.int64)
    fold[dealt] = np.arange(len(families)) % folds
    return fold[code]
