"""What the model saw of a person, and what it could not see, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from prodromal.features import FeatureMatrix

__all__ = ["SEXES", "flag_words", "unobserved_windows"]

# In the order of the register's codes.
SEXES = ("man", "woman", "unknown")
_FLAGS = {
    "age_outside_training": "age outside training",
    "sex_unknown": "sex unknown",
    "short_history": "short look-back",
    "not_observed_at_index": "not observed on the date",
}


def flag_words(flags: str) -> list[str]:
    """The flags of a score, separated by semicolons, as readers read them."""
    return [_FLAGS.get(flag, flag.replace("_", " ")) for flag in flags.split(";") if flag]


def unobserved_windows(matrix: FeatureMatrix, position: int) -> list[str]:
    """Windows of the plan that were not observed enough for a row, so that their measures are missing, not zero."""
    missing = np.isnan(matrix.values[position])
    return [
        window.label
        for window in matrix.plan.windows
        if any(feature.window == window and missing[i] for i, feature in enumerate(matrix.plan.features))
    ]
