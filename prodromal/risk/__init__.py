"""From a matrix to a score, from a score to a risk."""

from prodromal.risk.bundle import load, save
from prodromal.risk.model import RiskModel
from prodromal.risk.population import Population
from prodromal.risk.recalibrate import Recalibration, recalibrate
from prodromal.risk.training import SearchSpace, train

__all__ = [
    "Population",
    "Recalibration",
    "RiskModel",
    "SearchSpace",
    "load",
    "recalibrate",
    "save",
    "train",
]
