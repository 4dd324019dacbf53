"""The matrix: values with their keys and the plan that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.features.plan import FeaturePlan

__all__ = ["FeatureMatrix"]


@dataclass(frozen=True)
class FeatureMatrix:
    """Features of people at index dates.

    Parameters
    ----------
    values : ndarray of float32, shape (n_rows, n_features)
        NaN where a feature is missing.
    person_id : ndarray, shape (n_rows,)
        int64 or str.
    index_date : ndarray of datetime64[D], shape (n_rows,)
        The first day that cannot matter.
    plan : FeaturePlan
        Names, units and meaning of the columns.
    person_row : ndarray of int64, shape (n_rows,)
        Rows of the register's persons table.
    """

    values: npt.NDArray[np.float32]
    person_id: npt.NDArray[Any]
    index_date: npt.NDArray[np.datetime64]
    plan: FeaturePlan
    person_row: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.person_id), len(self.plan.features)):
            raise DataError(
                f"a matrix of shape {self.values.shape} does not fit {len(self.person_id)} index dates and "
                f"{len(self.plan.features)} features"
            )

    def __len__(self) -> int:
        return len(self.person_id)

    @property
    def days(self) -> npt.NDArray[np.int32]:
        """Index dates as days since 1970-01-01."""
        return self.index_date.astype(np.int64).astype(np.int32)

    def get_feature_names_out(self, input_features: object = None) -> npt.NDArray[np.object_]:
        """Names of the columns, as scikit-learn's transformers give them; `input_features` is ignored."""
        return np.asarray(self.plan.names, dtype=object)

    def take(self, rows: npt.NDArray[Any]) -> FeatureMatrix:
        """The matrix of some rows, by position or mask."""
        return FeatureMatrix(
            self.values[rows], self.person_id[rows], self.index_date[rows], self.plan, self.person_row[rows]
        )

    def to_frame(self) -> pd.DataFrame:
        """A pandas frame: person_id, index_date and one column per feature."""
        import pandas as pd

        keys = pd.DataFrame({"person_id": self.person_id, "index_date": self.index_date})
        return pd.concat([keys, pd.DataFrame(self.values, columns=list(self.plan.names))], axis=1)

    def describe(self) -> list[dict[str, str]]:
        """For each feature its name, unit, class and a sentence, as written to ``features.json``."""
        return [{"name": f.name, "unit": f.unit, "class": f.family, "sentence": f.sentence} for f in self.plan.features]
