"""A site's own level and spread: one intercept and one slope, and the ranking stays."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DataError, NotEstimable
from prodromal.risk.normaliser import Normaliser
from prodromal.risk.poisson import fit_poisson

if TYPE_CHECKING:
    from prodromal.design import Cohort
    from prodromal.features import FeatureMatrix
    from prodromal.register import Persons
    from prodromal.risk.model import RiskModel

__all__ = ["Recalibration", "recalibrate"]

_FEWEST_EVENTS = 20


@dataclass(frozen=True)
class Recalibration:
    """What was refitted.

    Parameters
    ----------
    model : RiskModel
        With the site's level and spread.
    intercept, slope : float
        Log of the factor on the incidence table, and factor on the score.
    intercept_se, slope_se : float
        Their standard errors; weights are taken as sampling weights (sandwich form).
    events : int
        Diagnoses that it rests on.
    """

    model: RiskModel
    intercept: float
    slope: float
    intercept_se: float
    slope_se: float
    events: int


def recalibrate(model: RiskModel, matrix: FeatureMatrix, cohort: Cohort, persons: Persons) -> Recalibration:
    """Refit the level and the spread of a model on a site's own landmark cohort.

    Parameters
    ----------
    model : RiskModel
        To recalibrate.
    matrix : FeatureMatrix
        Features of the cohort, in its order, built by the model's plan.
    cohort : Cohort
        Landmark cohort with follow-up and weights.
    persons : Persons
        The register's.

    Returns
    -------
    Recalibration

    Raises
    ------
    DataError
        If the cohort consists of matched sets, or is about another outcome.
    NotEstimable
        If there are fewer than 20 diagnoses, or the slope is not positive: then the score has nothing to say here.

    Notes
    -----
    The number of diagnoses of a person between lag and end of follow-up is Poisson with mean ``H exp(a + b score)``,
    ``H`` the cumulative table hazard over that time; the weighted likelihood is maximised over ``a`` and ``b``. The new
    incidence is ``exp(a)`` times the old, the new score ``b`` times the old, so people of the same age and sex keep
    their order.
    """
    if cohort.is_matched:
        raise DataError("recalibration takes a landmark cohort; these are matched sets, whose cases are too many")
    frame, asked = cohort.frame, model.outcome
    if cohort.outcome.name != asked.name:
        raise DataError(f"the cohort is about {cohort.outcome.name}, the model about {asked.name}")
    score = model.score(matrix, persons)["score"].to_numpy()
    sex = np.where(frame["sex"] == "F", 1, 0)
    hazard = model.population.hazard(
        age_years=frame["age_years"].to_numpy(),
        sex=sex,
        lag_days=asked.lag_days,
        until_days=np.minimum(frame["time_days"].to_numpy(), asked.horizon_days),
    )
    in_window = frame["time_days"].between(asked.lag_days, asked.horizon_days, inclusive="right")
    counted = ((frame["event"] == 1) & in_window).to_numpy()
    events = int(counted.sum())
    if events < _FEWEST_EVENTS:
        raise NotEstimable(f"{events} diagnoses are too few to recalibrate; it takes {_FEWEST_EVENTS}")
    weight = frame["weight"].to_numpy(dtype=np.float64)
    b, covariance = fit_poisson(np.column_stack([np.ones(len(score)), score]), counted, hazard, weight)
    if b[1] <= 0:
        raise NotEstimable(f"the recalibration slope is {b[1]:.2f}: the score does not rank people of this cohort")
    errors = np.sqrt(np.diag(covariance))
    changed = replace(
        model,
        slope=model.slope * float(b[1]),
        normaliser=Normaliser(model.normaliser.log_mean * float(b[1])),
        reference=model.reference * float(b[1]),
        population=model.population.scaled(float(np.exp(b[0]))),
        training={**model.training, "recalibrated": {"intercept": float(b[0]), "slope": float(b[1]), "events": events}},
    )
    return Recalibration(changed, float(b[0]), float(b[1]), float(errors[0]), float(errors[1]), events)
