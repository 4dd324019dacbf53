"""Association and prognosis: odds ratios, hazard ratios, functional decline; the whole study on one register.

Names are imported from their files when first asked for, so that importing the room costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from prodromal.association.clogit import fit_conditional_logistic
    from prodromal.association.cox import CoxFit, fit_cox
    from prodromal.association.curves import aalen_johansen, kaplan_meier
    from prodromal.association.disclosure import release
    from prodromal.association.exposure import Definition, DrugClass, Histories, LookBack
    from prodromal.association.joint import JointFit, fit_joint
    from prodromal.association.mixed import MixedFit, fit_mixed
    from prodromal.association.proportionality import compute_proportionality
    from prodromal.association.ratio_fit import ChiSquared, RatioFit
    from prodromal.association.study import Study, StudyDesign, run_study
    from prodromal.association.study_page import report

_WHERE = {
    "ChiSquared": "ratio_fit",
    "CoxFit": "cox",
    "Definition": "exposure",
    "DrugClass": "exposure",
    "Histories": "exposure",
    "JointFit": "joint",
    "LookBack": "exposure",
    "MixedFit": "mixed",
    "RatioFit": "ratio_fit",
    "Study": "study",
    "StudyDesign": "study",
    "aalen_johansen": "curves",
    "compute_proportionality": "proportionality",
    "fit_conditional_logistic": "clogit",
    "fit_cox": "cox",
    "fit_joint": "joint",
    "fit_mixed": "mixed",
    "kaplan_meier": "curves",
    "release": "disclosure",
    "report": "study_page",
    "run_study": "study",
}

__all__ = [
    "ChiSquared",
    "CoxFit",
    "Definition",
    "DrugClass",
    "Histories",
    "JointFit",
    "LookBack",
    "MixedFit",
    "RatioFit",
    "Study",
    "StudyDesign",
    "aalen_johansen",
    "compute_proportionality",
    "fit_conditional_logistic",
    "fit_cox",
    "fit_joint",
    "fit_mixed",
    "kaplan_meier",
    "release",
    "report",
    "run_study",
]


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
