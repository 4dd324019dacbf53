"""A model is plan + booster + population statement, and refuses a matrix that another plan built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import BundleError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import xgboost

    from prodromal.design import Outcome
    from prodromal.features import FeatureMatrix, FeaturePlan
    from prodromal.register import Persons
    from prodromal.risk.normaliser import Normaliser
    from prodromal.risk.population import Population

__all__ = ["RiskModel"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RiskModel:
    """A trained model.

    Parameters
    ----------
    plan : FeaturePlan
        What it measures.
    booster : xgboost.Booster
        Trees whose margin, times `slope`, is the raw log rate ratio.
    slope : float
        Shrinkage, from sets that the trees had not seen.
    normaliser : Normaliser
        Mean rate ratio by age and sex, taken off the raw score.
    population : Population
        Incidence and mortality.
    outcome : Outcome
        The question: lag and horizon.
    reference : ndarray of float64, shape (1001,)
        Quantiles of the score among controls, for percentiles.
    training : mapping
        How it was trained.
    """

    plan: FeaturePlan
    booster: xgboost.Booster
    slope: float
    normaliser: Normaliser
    population: Population
    outcome: Outcome
    reference: _Floats
    training: Mapping[str, Any]

    @property
    def warning(self) -> str:
        """What every output of the model has to say first; empty for a model of real people."""
        return str(self.training.get("warning", ""))

    def check_matrix(self, matrix: FeatureMatrix) -> None:
        """Raise BundleError unless `matrix` was built by this model's plan."""
        if matrix.plan.fingerprint != self.plan.fingerprint:
            raise BundleError(
                f"the matrix was built by plan '{matrix.plan.name}' ({matrix.plan.fingerprint}), the model was trained "
                f"with plan '{self.plan.name}' ({self.plan.fingerprint}); build it with the model's plan"
            )

    def margin(self, matrix: FeatureMatrix) -> npt.NDArray[np.float32]:
        """The trees' output, shape (n_rows,), before slope and normalisation."""
        self.check_matrix(matrix)
        return np.asarray(self.booster.inplace_predict(matrix.values, predict_type="margin"), dtype=np.float32)

    def offset(self, age_years: npt.ArrayLike, sex: npt.ArrayLike) -> _Floats:
        """What normalisation adds to a score: minus c(a, s), shape (n_rows,)."""
        return -self.normaliser.at(age_years, sex)

    def score(self, matrix: FeatureMatrix, persons: Persons) -> pd.DataFrame:
        """Score people.

        Parameters
        ----------
        matrix : FeatureMatrix
            Built by this model's plan.
        persons : Persons
            The register's, for age and sex.

        Returns
        -------
        DataFrame
            One row per row of the matrix, in its order: ``person_id, index_date, score`` (log rate ratio against
            people of the same age and sex), ``relative_risk`` (exp score), ``risk`` (probability of a diagnosis within
            the horizon, after the lag, death competing), ``risk_per_100k, expected_per_100k`` (the same for the average
            person of this age and sex), ``percentile`` (0-100, of the score among controls), ``flags``.
        """
        import pandas as pd

        rows = matrix.person_row
        age, sex = persons.age_years(rows, matrix.days), persons.sex[rows].astype(np.int64)
        score = self.slope * self.margin(matrix).astype(np.float64) + self.offset(age, sex)
        time = {"lag_days": self.outcome.lag_days, "horizon_days": self.outcome.horizon_days}
        risk = self.population.risk(score, age_years=age, sex=sex, **time)
        expected = self.population.risk(np.zeros_like(score), age_years=age, sex=sex, **time)
        return pd.DataFrame(
            {
                "person_id": matrix.person_id,
                "index_date": matrix.index_date.astype("datetime64[s]"),
                "score": score,
                "relative_risk": np.exp(score),
                "risk": risk,
                "risk_per_100k": risk * 1e5,
                "expected_per_100k": expected * 1e5,
                "percentile": np.searchsorted(self.reference, score, side="right") / len(self.reference) * 100,
                "flags": self._flags(matrix, persons, age),
            }
        )

    def _flags(self, matrix: FeatureMatrix, persons: Persons, age: npt.NDArray[np.int32]) -> npt.NDArray[Any]:
        low, high = self.training.get("age_range", [0, 200])
        rows = matrix.person_row
        history = matrix.days - persons.observed_from[rows]
        marks = (
            ("age_outside_training", (age < low) | (age > high)),
            ("sex_unknown", persons.sex[rows] == 2),
            ("short_history", history < self.outcome.min_history_days),
            ("not_observed_at_index", matrix.days > persons.observed_to[rows] + 1),
        )
        flags = np.full(len(rows), "", dtype=object)
        for name, mask in marks:
            flags[mask] = [f"{old};{name}" if old else name for old in flags[mask]]
        return flags
