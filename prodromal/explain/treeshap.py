"""Exact TreeSHAP by look-up: what each feature adds to a row's score."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.errors import DataError, DefinitionError
from prodromal.explain.tables import Tables, tabulate
from prodromal.trees import CodedRows, StoredTrees, code_rows

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt
    import xgboost

    from prodromal.trees import Floats, Ints

__all__ = ["Contributions", "Method", "TreeShap", "contributions"]

ROWS_PER_BLOCK = 2048
ROWS_CODED_AT_ONCE = 1 << 16
TOLERANCE = 1e-4


class Method(Enum):
    """How contributions were computed: from tables, or by the library where the trees are too deep for tables."""

    TABLES = "tables"
    LIBRARY = "library"


@dataclass(frozen=True)
class Contributions:
    """Exact contributions on the margin scale; unpacks to ``values, bias``.

    Attributes
    ----------
    values : ndarray of float32, shape (n_rows, n_features) or (n_rows, n_groups)
        What each feature, or group of features, adds to the margin of each row.
    bias : float
        The expected margin: every row's values and the bias add up to its margin.
    method : Method
        Where the numbers come from.
    """

    values: npt.NDArray[np.float32]
    bias: float
    method: Method

    def __iter__(self) -> Iterator[Any]:
        yield self.values
        yield self.bias


@dataclass(frozen=True)
class TreeShap:
    """A booster made ready to explain any number of rows: make it once, use it for every part of a register."""

    trees: StoredTrees
    n_features: int
    column_of: Ints
    tables: Tables | None

    @classmethod
    def of(
        cls,
        booster: xgboost.Booster | StoredTrees,
        *,
        groups: npt.ArrayLike | None = None,
        background: npt.ArrayLike | None = None,
    ) -> TreeShap:
        """Read and tabulate a booster.

        Parameters
        ----------
        booster : xgboost.Booster or StoredTrees
            ``gbtree``, one output, numeric splits.
        groups : array_like of int, shape (n_features,), optional
            The output column of each feature, from 0 without gaps: contributions are summed within columns, exactly and
            at less cost than one by one.
        background : array_like of float32, shape (n_background, n_features), optional
            Gives the interventional values: features outside a coalition come from these rows, each with equal weight.
            By default the values are path-dependent: such features follow the training covers of the trees.

        Raises
        ------
        BundleError
            The booster is of a kind that cannot be explained exactly.
        DefinitionError
            ``groups`` or ``background`` does not fit the booster, or there is a background and the trees are too deep.
        """
        trees = booster if isinstance(booster, StoredTrees) else StoredTrees.of(booster)
        forest = trees.forest
        column_of = _check_groups(groups, forest.n_features)
        rows = None if background is None else _check_matrix(background, forest.n_features, "background")
        if rows is not None and not len(rows):
            raise DefinitionError("background: 0 rows, at least 1 is needed")
        tables = tabulate(forest, column_of, rows)
        if tables is None and rows is not None:
            raise DefinitionError("background: the trees are too deep for the interventional form; leave it out")
        return cls(trees, forest.n_features, column_of, tables)

    @property
    def method(self) -> Method:
        """Where the numbers will come from."""
        return Method.LIBRARY if self.tables is None else Method.TABLES

    def of_coded(self, rows: CodedRows, *, margins: npt.ArrayLike) -> Contributions:
        """Explain rows that were coded by the model's cut points; `margins` are what the sums are checked against.

        Raises
        ------
        DataError
            A row's values and bias do not add up to its margin.
        DefinitionError
            The trees are too deep for tables.
        """
        if self.tables is None:
            raise DefinitionError("coded rows: the trees are too deep for tables; explain the matrix instead")
        values, sums = _explain(self.tables, rows, self._n_columns)
        _check_sums(values, sums + self.tables.bias, np.asarray(margins, np.float64))
        return Contributions(values, self.tables.bias, self.method)

    def contributions(
        self,
        matrix: npt.ArrayLike,
        *,
        threads: int = 1,
        margins: npt.ArrayLike | None = None,
        equal_rows_once: bool = False,
    ) -> Contributions:
        """Explain the rows of a matrix.

        Parameters
        ----------
        matrix : array_like of float32, shape (n_rows, n_features)
            NaN is missing. Column order is that of training.
        threads : int, default 1
            The values do not depend on it, to the bit.
        margins : array_like of float, shape (n_rows,), optional
            The rows' margins where they are at hand; by default the booster predicts them. Either way they are what
            the sums are checked against.
        equal_rows_once : bool, default False
            Compute rows that no split of the model can tell apart only once.

        Raises
        ------
        DataError
            The matrix has another number of columns, or a row's values and bias do not add up to its margin.
        DefinitionError
            ``threads`` is below 1.

        Notes
        -----
        For a leaf of value ``v`` whose path splits on ``k`` distinct features, the game is
        ``v * prod_{j in S} 1[x_j on path] * prod_{j not in S} w_j``, ``w_j`` the product of the cover ratios of the
        splits on ``j``. Its ``k`` Shapley values depend on the row only through which of the ``k`` features
        are on the path, so they are tabulated once; explaining a row is comparisons and look-ups.
        Sums are whole numbers of steps, a step at most 1e-9 of the largest possible contribution: they do not depend on
        their order.
        Tolerance of the check: 1e-4, or 1e-4 of the row's largest contribution where that exceeds 1.
        """
        if threads < 1:
            raise DefinitionError(f"threads: {threads} given, at least 1 is needed")
        rows = _check_matrix(matrix, self.n_features, "matrix")
        known = self._margins(rows) if margins is None else np.asarray(margins, np.float64)
        if known.shape != (len(rows),):
            raise DataError(f"margins: shape {known.shape}, the matrix has {len(rows)} rows")
        if self.tables is None:
            values, bias = self._from_library(rows, threads)
            sums = values.sum(axis=1, dtype=np.float64)
        else:
            values, sums = _from_tables(self.tables, rows, self._n_columns, threads, once=equal_rows_once)
            bias = self.tables.bias
        _check_sums(values, sums + bias, known)
        return Contributions(values, bias, self.method)

    @property
    def _n_columns(self) -> int:
        return max(self.column_of.tolist(), default=-1) + 1

    def _margins(self, rows: npt.NDArray[np.float32]) -> Floats:
        if not len(rows):
            return np.empty(0, np.float64)
        predicted = self.trees.booster.inplace_predict(rows, predict_type="margin", validate_features=False)
        return np.asarray(predicted, np.float64)

    def _from_library(self, rows: npt.NDArray[np.float32], threads: int) -> tuple[npt.NDArray[np.float32], float]:
        import xgboost

        asked = rows if len(rows) else np.full((1, self.n_features), np.nan, np.float32)
        data = xgboost.DMatrix(asked, nthread=threads)
        found = self.trees.booster.predict(data, pred_contribs=True, validate_features=False)
        values = np.zeros((len(rows), self._n_columns), np.float32)
        for feature, column in enumerate(self.column_of):
            values[:, column] += found[: len(rows), feature]
        return values, float(found[0, -1])


def contributions(
    booster: xgboost.Booster,
    matrix: npt.ArrayLike,
    *,
    threads: int = 1,
    groups: npt.ArrayLike | None = None,
    background: npt.ArrayLike | None = None,
) -> Contributions:
    """Explain the rows of a matrix with a booster; see `TreeShap` for the parameters and for use in parts.

    Returns
    -------
    Contributions
        Unpacks to ``values`` of shape (n_rows, n_features), float32, and ``bias``, on the margin scale.

    Raises
    ------
    BundleError, DataError, DefinitionError
        See `TreeShap.of` and `TreeShap.contributions`.
    """
    return TreeShap.of(booster, groups=groups, background=background).contributions(matrix, threads=threads)


def _from_tables(
    tables: Tables, rows: npt.NDArray[np.float32], n_columns: int, threads: int, *, once: bool
) -> tuple[npt.NDArray[np.float32], Floats]:
    from joblib import Parallel, delayed

    values, sums = np.empty((len(rows), n_columns), np.float32), np.empty(len(rows), np.float64)

    def explain(row_from: int, row_to: int) -> None:
        for low in range(row_from, row_to, ROWS_CODED_AT_ONCE):
            some = slice(low, min(low + ROWS_CODED_AT_ONCE, row_to))
            values[some], sums[some] = _explain(tables, code_rows(tables.book, rows[some], once=once), n_columns)

    ends = np.linspace(0, len(rows), threads + 1).astype(int).tolist()
    Parallel(n_jobs=threads, require="sharedmem")(
        delayed(explain)(row_from, row_to) for row_from, row_to in pairwise(ends)
    )
    return values, sums


def _explain(tables: Tables, rows: CodedRows, n_columns: int) -> tuple[npt.NDArray[np.float32], Floats]:
    from prodromal.explain import kernels

    values, sums = np.zeros((rows.distinct, n_columns), np.float32), np.zeros(rows.distinct, np.float64)
    kernels.explain_rows(
        rows.codes,
        ROWS_PER_BLOCK,
        tables.splits,
        tables.layout,
        tables.units,
        tables.table,
        tables.slot,
        tables.step,
        tables.columns,
        values,
        sums,
    )
    return rows.spread(values), rows.spread(sums)


def _check_matrix(given: npt.ArrayLike, n_features: int, name: str) -> npt.NDArray[np.float32]:
    with np.errstate(over="ignore"):
        matrix = np.asarray(given, np.float32)
    if matrix.ndim != 2 or matrix.shape[1] != n_features:
        raise DataError(f"{name}: shape {matrix.shape}, but the model takes {n_features} columns; build it by its plan")
    return matrix if matrix.flags.c_contiguous or matrix.flags.f_contiguous else np.ascontiguousarray(matrix)


def _check_groups(groups: npt.ArrayLike | None, n_features: int) -> Ints:
    if groups is None:
        return np.arange(n_features, dtype=np.int64)
    column_of = np.asarray(groups)
    if column_of.shape != (n_features,) or not np.issubdtype(column_of.dtype, np.integer):
        raise DefinitionError(f"groups: one whole number for each of the {n_features} features is needed")
    if len(column_of) and (column_of.min() < 0 or len(np.unique(column_of)) != column_of.max() + 1):
        raise DefinitionError("groups: the numbers must run from 0 without gaps")
    return column_of.astype(np.int64)


def _check_sums(values: npt.NDArray[np.float32], sums: Floats, margins: Floats) -> None:
    error = np.abs(sums - margins)
    wrong = np.flatnonzero(~(error <= TOLERANCE))
    largest = np.abs(values[wrong]).max(axis=1, initial=1.0)
    n_wrong = int((~(error[wrong] <= TOLERANCE * largest)).sum())
    if n_wrong:
        raise DataError(
            f"contributions: {n_wrong} of {len(values)} rows do not add up to their margin within {TOLERANCE:g}; "
            "nothing is explained; check that margins and matrix belong to this model"
        )
