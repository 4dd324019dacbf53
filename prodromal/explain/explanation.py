"""Contributions to the score of each person: exact, additive, grouped, and readable as factors on the rate."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError, DefinitionError
from prodromal.explain.reasons import top_reasons
from prodromal.explain.treeshap import Contributions, Method, TreeShap

if TYPE_CHECKING:
    import pandas as pd
    import shap

    from prodromal.features import Feature, FeatureMatrix, FeaturePlan
    from prodromal.register import Persons
    from prodromal.risk import RiskModel
    from prodromal.trees import CodedRows

__all__ = ["By", "Explainer", "Explanation", "columns_of", "explain"]

_TOLERANCE = 1e-4
_ANY_TIME = "any time"
_PERSON_FAMILY = "Age and sex"
_Floats = npt.NDArray[np.float64]


class By(Enum):
    """What contributions are summed by."""

    FEATURE = "feature"
    CLASS = "class"
    WINDOW = "window"
    CLASS_WINDOW = "class x window"

    def label(self, feature: Feature) -> str:
        """The column that a feature's contribution goes to."""
        window = feature.window.label if feature.window else _ANY_TIME
        match self:
            case By.FEATURE:
                return feature.name
            case By.CLASS:
                return feature.family
            case By.WINDOW:
                return _PERSON_FAMILY if feature.group is None else window
            case By.CLASS_WINDOW:
                return feature.family if feature.group is None else f"{feature.family}, {window}"


@dataclass(frozen=True)
class Explanation:
    """Contributions that add up to the score.

    Parameters
    ----------
    values : ndarray of float64, shape (n_rows, n_columns)
        What each column adds to the log rate ratio; ``exp`` of it is a factor on the rate.
    base : float
        The score of an average training person; ``values.sum(axis=1) + base`` is the score.
    labels : tuple of str
        Columns.
    score : ndarray of float64, shape (n_rows,)
        The score.
    matrix : FeatureMatrix
        What was explained.
    by : By
        What the columns are.
    """

    values: _Floats
    base: float
    labels: tuple[str, ...]
    score: _Floats
    matrix: FeatureMatrix
    by: By

    def __post_init__(self) -> None:
        _check_sums(self.values, self.base, self.score)

    @property
    def factors(self) -> _Floats:
        """What each column multiplies the rate by, shape (n_rows, n_columns)."""
        return np.exp(self.values)

    def reasons(self, k: int) -> pd.DataFrame:
        """The `k` columns with the largest absolute contributions of each row.

        Returns
        -------
        DataFrame
            ``reason_1 .. reason_k``, such as ``Antidepressants x 1.12``; empty text where fewer than `k` contribute.
        """
        import pandas as pd

        found = top_reasons(self.values, self.labels, k)
        return pd.DataFrame({f"reason_{i}": texts[places] for i, (texts, places) in enumerate(found, start=1)})

    def grouped(self, by: By) -> Explanation:
        """Sum contributions by feature into classes or windows.

        Raises
        ------
        DefinitionError
            If this explanation is not by feature.
        """
        if self.by is not By.FEATURE:
            raise DefinitionError(f"only an explanation by feature can be summed, this one is by {self.by.value}")
        labels, columns = columns_of(self.matrix.plan, by)
        values = np.zeros((len(self.values), len(labels)))
        for feature, column in enumerate(columns):
            values[:, column] += self.values[:, feature]
        return Explanation(values, self.base, labels, self.score, self.matrix, by)

    def to_frame(self) -> pd.DataFrame:
        """One row per explained row: ``person_id, index_date, score, base`` and one column per label."""
        import pandas as pd

        keys = {"person_id": self.matrix.person_id, "index_date": self.matrix.index_date.astype("datetime64[s]")}
        numbers = pd.DataFrame(self.values, columns=list(self.labels))
        return pd.DataFrame({**keys, "score": self.score, "base": self.base}).join(numbers)

    def to_shap(self) -> shap.Explanation:
        """The same as a ``shap.Explanation`` for ``shap.plots``; feature values only where columns are features."""
        import shap

        data = self.matrix.values if self.by is By.FEATURE else None
        return shap.Explanation(
            values=self.values,
            base_values=np.full(len(self.score), self.base),
            data=data,
            feature_names=list(self.labels),
        )


class Explainer:
    """A model made ready to explain any number of rows.

    Parameters
    ----------
    model : RiskModel
        Whose scores.
    by : By
        What to sum contributions by.
    """

    def __init__(self, model: RiskModel, *, by: By) -> None:
        self._model, self._by = model, by
        self.labels, columns = columns_of(model.plan, by)
        self._shap = TreeShap.of(model.trees, groups=columns)

    def explain(
        self,
        matrix: FeatureMatrix,
        persons: Persons,
        *,
        margin: npt.NDArray[np.float32] | None = None,
        threads: int = 1,
    ) -> Explanation:
        """Explain the rows of a matrix.

        Parameters
        ----------
        matrix : FeatureMatrix
            Built by the model's plan.
        persons : Persons
            Those that ``matrix.person_row`` counts, for age and sex.
        margin : ndarray of float32, shape (n_rows,), optional
            What the model's ``margin`` gave, where it is at hand.
        threads : int
            Threads; the values do not depend on it.

        Returns
        -------
        Explanation

        Raises
        ------
        BundleError
            If another plan built the matrix.
        DataError
            If contributions do not add up to the scores to 1e-4.

        Notes
        -----
        Path-dependent TreeSHAP on the trees' margin, times the model's slope. What the normalisation by age and sex
        takes off the score is part of "Age and sex": it compares the person with others of the same age and sex.
        """
        margin = self._model.margin(matrix) if margin is None else margin
        found = self._shap.contributions(matrix.values, threads=threads, margins=margin, equal_rows_once=True)
        rows = matrix.person_row
        offset = self._model.offset(persons.age_years(rows, matrix.days), persons.sex[rows])
        slope = self._model.slope
        score = slope * margin.astype(np.float64) + offset
        return Explanation(self._values(found, offset), slope * found.bias, self.labels, score, matrix, self._by)

    @property
    def takes_codes(self) -> bool:
        """Whether ``of_coded`` can explain this model."""
        return self._shap.method is Method.TABLES

    def of_coded(self, rows: CodedRows, margin: npt.NDArray[np.float32], offset: _Floats) -> _Floats:
        """The ``values`` of an explanation, of rows that were coded by the model's own cut points.

        Parameters
        ----------
        rows : CodedRows
            By the book of the model's predictor.
        margin, offset : ndarray, shape (n_rows,)
            The trees' output for them, and the model's ``offset``.

        Raises
        ------
        DataError
            If contributions do not add up to the scores to 1e-4.
        """
        found = self._shap.of_coded(rows, margins=margin)
        values, slope = self._values(found, offset), self._model.slope
        _check_sums(values, slope * found.bias, slope * margin.astype(np.float64) + offset)
        return values

    def _values(self, found: Contributions, offset: _Floats) -> _Floats:
        values: _Floats = self._model.slope * found.values.astype(np.float64)
        values[:, self._age_column] += offset
        return values

    @property
    def _age_column(self) -> int:
        wanted = "age_years" if self._by is By.FEATURE else _PERSON_FAMILY
        return self.labels.index(wanted)


def explain(
    model: RiskModel, matrix: FeatureMatrix, persons: Persons, *, by: str | By = By.CLASS, threads: int = 1
) -> Explanation:
    """Explain scores exactly.

    Parameters
    ----------
    model : RiskModel
        Whose scores.
    matrix : FeatureMatrix
        People at index dates, built by the model's plan.
    persons : Persons
        The register's.
    by : {"class", "feature", "window", "class x window"}
        What to sum contributions by.
    threads : int
        Threads; the values do not depend on it.

    Returns
    -------
    Explanation

    Raises
    ------
    DefinitionError
        If `by` is not one of the four.
    """
    try:
        chosen = By(by)
    except ValueError as error:
        raise DefinitionError(f"explanations by '{by}': it is one of {', '.join(b.value for b in By)}") from error
    return Explainer(model, by=chosen).explain(matrix, persons, threads=threads)


def _check_sums(values: _Floats, base: float, score: _Floats) -> None:
    error = np.abs(values.sum(axis=1) + base - score)
    wrong = ~(error <= _TOLERANCE)
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum())} of {len(error)} explanations do not add up to the score "
            f"(largest difference {error.max():.2g}, allowed {_TOLERANCE:g}); none is given"
        )


def columns_of(plan: FeaturePlan, by: By) -> tuple[tuple[str, ...], npt.NDArray[Any]]:
    """Distinct labels in the plan's order, age and sex among them, and the label of each feature."""
    names = [by.label(feature) for feature in plan.features]
    extra = [] if by is By.FEATURE else [_PERSON_FAMILY]
    labels = tuple(dict.fromkeys([*names, *extra]))
    return labels, np.asarray([labels.index(name) for name in names], dtype=np.int64)
