"""The weighted likelihood of a landmark cohort: logistic, with the table's hazard of each person as offset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.errors import DataError, NotEstimable
from prodromal.risk.conditional import Fit
from prodromal.risk.poisson import fit_poisson

if TYPE_CHECKING:
    from prodromal.design import Cohort
    from prodromal.risk.population import Population

__all__ = ["WeightedRows"]

_AGE_BAND_YEARS = 5
_SMALLEST_HESSIAN = 1e-6
_Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WeightedRows:
    """People of a landmark cohort at risk after the lag.

    Parameters
    ----------
    is_case : ndarray of bool, shape (n_rows,)
        Diagnosed between lag and horizon.
    weight : ndarray of float64, shape (n_rows,)
        How many people each stands for.
    hazard : ndarray of float64, shape (n_rows,)
        Cumulative incidence rate of the average person of this age and sex, over the time at risk.
    stratum : ndarray of int64, shape (n_rows,)
        Sex and band of five years of age, within which people are ranked.
    """

    is_case: npt.NDArray[np.bool_]
    weight: _Floats
    hazard: _Floats
    stratum: npt.NDArray[np.int64]

    @classmethod
    def of(cls, cohort: Cohort, population: Population) -> tuple[WeightedRows, npt.NDArray[np.int64]]:
        """Read a landmark cohort.

        Parameters
        ----------
        cohort : Cohort
            With follow-up and weights.
        population : Population
            For the hazard of each person's age and sex.

        Returns
        -------
        WeightedRows, ndarray of int64
            The likelihood, and the rows of the cohort's frame that it holds: those still at risk after the lag, sorted
            by person and index date.

        Raises
        ------
        DataError
            If a sampling weight is not above 0.
        """
        frame, asked = cohort.frame, cohort.outcome
        if wrong := int((~(frame["weight"] > 0)).sum()):
            raise DataError(f"cohort, column weight: {wrong} of {len(frame)} are not above 0")
        ids = np.unique(frame["person_id"].to_numpy(), return_inverse=True)[1]
        order = np.lexsort((frame["index_date"].to_numpy(), ids))
        order = order[frame["time_days"].to_numpy()[order] > asked.lag_days]
        kept = frame.iloc[order]
        time, age = kept["time_days"].to_numpy(), kept["age_years"].to_numpy(dtype=np.int64)
        sex = (kept["sex"] == "F").to_numpy().astype(np.int64)
        until = np.minimum(time, asked.horizon_days)
        hazard = population.hazard(age_years=age, sex=sex, lag_days=asked.lag_days, until_days=until)
        case = ((kept["event"] == 1) & (time <= asked.horizon_days)).to_numpy()
        # No incidence, no likelihood: such people carry no weight in a fit, but a case among them is a contradiction.
        if wrong := int((case & (hazard <= 0)).sum()):
            raise DataError(
                f"{wrong} of {int(case.sum())} cases have an age and sex at which the table has no incidence"
            )
        at_risk = hazard > 0
        if not case.any():
            raise NotEstimable("not estimable: the cohort has no diagnosis between lag and horizon")
        weight = kept["weight"].to_numpy(np.float64)
        # The unit of weight is one case, so that settings mean the same whatever the extract.
        rows = cls(case, weight / weight[case].mean(), hazard, 2 * (age // _AGE_BAND_YEARS) + sex)
        return rows.subset(at_risk)[0], order[at_risk].astype(np.int64)

    def __len__(self) -> int:
        return len(self.is_case)

    @property
    def cases(self) -> int:
        """Diagnoses that the likelihood rests on."""
        return int(self.is_case.sum())

    def level(self, score: Any) -> float:
        """Log of the factor on the hazard at which as many diagnoses are expected as observed."""
        expected = float(self.weight @ (self.hazard * np.exp(np.asarray(score, dtype=np.float64))))
        return float(np.log(self.weight @ self.is_case / expected))

    def probabilities(self, score: Any) -> _Floats:
        """Probability of a diagnosis in the time at risk, at the level that fits `score` best."""
        odds = np.log(self.hazard) + self.level(score) + np.asarray(score, dtype=np.float64)
        return np.asarray(1 / (1 + np.exp(-odds)))

    def gradient(self, score: Any) -> tuple[_Floats, _Floats]:
        """Gradient and Hessian of minus the log-likelihood, shape (n_rows,) each."""
        p = self.probabilities(score)
        return self.weight * (p - self.is_case), np.maximum(self.weight * p * (1 - p), _SMALLEST_HESSIAN)

    def log_likelihood(self, score: Any) -> float:
        """Weighted, at the level that fits `score` best given the diagnoses."""
        p = self.probabilities(score)
        return float(self.weight @ np.where(self.is_case, np.log(p), np.log1p(-p)))

    def concordance(self, score: Any) -> float:
        """Weighted share of pairs of a case and another of the same sex and age band that rank rightly; ties half."""
        values = np.asarray(score, dtype=np.float64)
        right = pairs = 0.0
        for stratum in np.unique(self.stratum[self.is_case]):
            inside = np.flatnonzero(self.stratum == stratum)
            case, other = inside[self.is_case[inside]], inside[~self.is_case[inside]]
            other = other[np.argsort(values[other], kind="stable")]
            below = np.concatenate([[0.0], np.cumsum(self.weight[other])])
            low, high = (below[np.searchsorted(values[other], values[case], side)] for side in ("left", "right"))
            right += float(self.weight[case] @ (low + high)) / 2
            pairs += float(self.weight[case].sum() * below[-1])
        return right / pairs if pairs else 0.5

    def linear(self, X: _Floats, *, ridge: float = 0.0) -> Fit:
        """Fit a linear score: log rate ratios with standard errors in sandwich form; see ``fit_poisson``."""
        if not X.shape[1] or (X.min(axis=0) == X.max(axis=0)).any():
            raise NotEstimable("a feature does not vary within the cohort")
        design = np.column_stack([np.ones(len(self)), X])
        b, covariance = fit_poisson(design, self.is_case, self.hazard, self.weight, ridge=ridge)
        return Fit(b[1:], np.sqrt(np.diag(covariance))[1:], self.log_likelihood(X @ b[1:]))

    def subset(self, keep: npt.NDArray[np.bool_]) -> tuple[WeightedRows, npt.NDArray[np.int64]]:
        """Some of the people, and their rows in this object."""
        rows = np.flatnonzero(keep)
        return WeightedRows(self.is_case[rows], self.weight[rows], self.hazard[rows], self.stratum[rows]), rows
