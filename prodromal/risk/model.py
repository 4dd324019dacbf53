"""A model is plan + booster + population statement, and refuses a matrix that another plan built."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import BundleError
from prodromal.risk.population import AGES
from prodromal.risk.scored import FLAG_TEXTS, Scored

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    import xgboost

    from prodromal.design import Outcome
    from prodromal.features import FeatureMatrix, FeaturePlan
    from prodromal.register import Persons
    from prodromal.risk.normaliser import Normaliser
    from prodromal.risk.population import Population
    from prodromal.trees import Predictor, StoredTrees

__all__ = ["RiskModel"]

_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class RiskModel:
    """A trained model.

    Parameters
    ----------
    plan : FeaturePlan
        What it measures.
    trees : StoredTrees
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
    trees: StoredTrees
    slope: float
    normaliser: Normaliser
    population: Population
    outcome: Outcome
    reference: _Floats
    training: Mapping[str, Any]

    @property
    def booster(self) -> xgboost.Booster:
        """The trees as the library knows them."""
        return self.trees.booster

    @property
    def warning(self) -> str:
        """What every output of the model has to say first; empty for a model of real people."""
        return str(self.training.get("warning", ""))

    @cached_property
    def fingerprint(self) -> str:
        """16 hexadecimal digits that change with anything that scores depend on."""
        digest = hashlib.sha256(self.trees.ubj)
        digest.update(repr((self.slope, self.plan.fingerprint, asdict(self.outcome), dict(self.training))).encode())
        for numbers in (self.normaliser.log_mean, self.reference, self.population.incidence, self.population.mortality):
            digest.update(np.ascontiguousarray(numbers).tobytes())
        return digest.hexdigest()[:16]

    def check_matrix(self, matrix: FeatureMatrix) -> None:
        """Raise BundleError unless `matrix` was built by this model's plan."""
        if matrix.plan.fingerprint != self.plan.fingerprint:
            raise BundleError(
                f"the matrix was built by plan '{matrix.plan.name}' ({matrix.plan.fingerprint}), the model was trained "
                f"with plan '{self.plan.name}' ({self.plan.fingerprint}); build it with the model's plan"
            )

    @cached_property
    def predictor(self) -> Predictor | None:
        """The trees made ready for coded rows; None where they are too large for it."""
        from prodromal.trees import Predictor

        return Predictor.of(self.trees.forest)

    def margin(self, matrix: FeatureMatrix) -> npt.NDArray[np.float32]:
        """The trees' output, shape (n_rows,), before slope and normalisation; the bits are the library's own.

        Parameters
        ----------
        matrix : FeatureMatrix
            Built by this model's plan.
        """
        self.check_matrix(matrix)
        if self.predictor is None:
            return np.asarray(self.booster.inplace_predict(matrix.values, predict_type="margin"), dtype=np.float32)
        coded = self.predictor.code([matrix.values], len(matrix))  # noqa: PD011  ours, not pandas'
        return self.predictor.margins(coded)

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

        found = self.scored(self.margin(matrix), persons, matrix.person_row, matrix.days)
        keys = {"person_id": matrix.person_id, "index_date": matrix.index_date.astype("datetime64[s]")}
        flags = np.asarray(FLAG_TEXTS, dtype=object)[found.marks]
        return pd.DataFrame({**keys, **found.numbers, "flags": flags})

    def scored(
        self,
        margin: npt.NDArray[np.float32],
        persons: Persons,
        rows: npt.NDArray[np.int64],
        days: npt.NDArray[np.int32],
    ) -> Scored:
        """Score people, as columns.

        Parameters
        ----------
        margin : ndarray of float32, shape (n_rows,)
            The trees' output for each.
        persons : Persons
            Of whom they are some.
        rows : ndarray of int64, shape (n_rows,)
            Which of `persons` they are.
        days : ndarray of int32, shape (n_rows,)
            Index dates as days since 1970-01-01.
        """
        age, sex = persons.age_years(rows, days), persons.sex[rows].astype(np.int64)
        score = self.slope * margin.astype(np.float64) + self.offset(age, sex)
        percentile = np.searchsorted(self.reference, score, side="right") / len(self.reference) * 100
        return Scored(
            score,
            self.population.risk(score, age_years=age, sex=sex, **self._time),
            self._average_risk[sex, np.clip(age, 0, AGES - 1)],
            percentile,
            self._marks(persons, rows, days, age),
        )

    @property
    def _time(self) -> dict[str, int]:
        return {"lag_days": self.outcome.lag_days, "horizon_days": self.outcome.horizon_days}

    @cached_property
    def _average_risk(self) -> _Floats:
        """Risk of the average person by sex (M, F, unknown) and age, shape (3, 120)."""
        age, sex = np.meshgrid(np.arange(AGES), np.arange(3))
        return self.population.risk(np.zeros(age.shape), age_years=age, sex=sex, **self._time)

    def _marks(
        self, persons: Persons, rows: npt.NDArray[np.int64], days: npt.NDArray[np.int32], age: npt.NDArray[np.int32]
    ) -> npt.NDArray[np.uint8]:
        low, high = self.training.get("age_range", [0, 200])
        history = days - persons.observed_from[rows]
        marks = np.zeros(len(rows), dtype=np.uint8)
        for bit, mask in enumerate(
            (
                (age < low) | (age > high),
                persons.sex[rows] == 2,
                history < self.outcome.min_history_days,
                days > persons.observed_to[rows] + 1,
            )
        ):
            marks |= mask.astype(np.uint8) << bit
        return marks
