"""The study's exposures: two dispensings or more of each psychiatric class, ever before the index date."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from prodromal.features import FeaturePlan

__all__ = ["STUDY_CLASSES", "exposure_columns"]

STUDY_CLASSES = ("N05B", "N05C", "N06A")


def exposure_columns(plan: FeaturePlan) -> npt.NDArray[np.int64]:
    """Columns of a plan that say whether someone was exposed; empty where the plan does not ask."""
    asked = [
        number
        for number, feature in enumerate(plan.features)
        if feature.measure == "ever_recurrent" and feature.group and feature.group.name in STUDY_CLASSES
    ]
    return np.asarray(asked, dtype=np.int64)
