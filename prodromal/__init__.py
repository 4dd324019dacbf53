"""From prescription histories to a calibrated, explained risk of a future ALS diagnosis.

The public nouns and verbs; each is loaded when it is first asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prodromal.design import Cohort, Outcome, draw_landmark_cohort, draw_landmark_sets
    from prodromal.evaluate import EvaluationData
    from prodromal.explain import Explanation
    from prodromal.features import FeatureMatrix, FeaturePlan, build
    from prodromal.register import Register
    from prodromal.risk import Population, RiskModel, train
    from prodromal.simulate import SimulationConfig
    from prodromal.windows import Window

__version__ = "0.1.0"

_HOME = {
    "Cohort": "design",
    "EvaluationData": "evaluate",
    "Explanation": "explain",
    "FeatureMatrix": "features",
    "FeaturePlan": "features",
    "Outcome": "design",
    "Population": "risk",
    "Register": "register",
    "RiskModel": "risk",
    "SimulationConfig": "simulate",
    "Window": "windows",
    "build": "features",
    "draw_landmark_cohort": "design",
    "draw_landmark_sets": "design",
    "train": "risk",
}

__all__ = [
    "Cohort",
    "EvaluationData",
    "Explanation",
    "FeatureMatrix",
    "FeaturePlan",
    "Outcome",
    "Population",
    "Register",
    "RiskModel",
    "SimulationConfig",
    "Window",
    "__version__",
    "build",
    "draw_landmark_cohort",
    "draw_landmark_sets",
    "train",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'prodromal' has no attribute '{name}'")
    return getattr(import_module(f"prodromal.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
