"""What the model saw of a person, and what it could not see, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from prodromal.features import FeatureMatrix

__all__ = ["AGE_AND_SEX", "SEXES", "flag_words", "percentile", "unobserved_windows"]

# In the order of the register's codes.
SEXES = ("man", "woman", "unknown")
AGE_AND_SEX = (
    "'Age and sex' is no risk of age or sex, which peers share: the other factors compare with an average person of "
    "the training data, and it turns their product into the rate against people of the same age and sex."
)
_FLAGS = {
    "age_outside_training": "age outside training",
    "sex_unknown": "sex unknown",
    "short_history": "short look-back",
    "not_observed_at_index": "not observed on the date",
}


def flag_words(flags: str) -> list[str]:
    """The flags of a score, separated by semicolons, as readers read them."""
    return [_FLAGS.get(flag, flag.replace("_", " ")) for flag in flags.split(";") if flag]


def percentile(value: float) -> str:
    """Write a percentile, finer near the ends, where nobody is at 0 or 100.

    Examples
    --------
    >>> percentile(50.4), percentile(99.31), percentile(99.98), percentile(0.02)
    ('50', '99.3', '>99.9', '<0.1')
    """
    if value > 99.9:
        return ">99.9"
    if value < 0.1:
        return "<0.1"
    return f"{value:.0f}" if 1 <= value <= 99 else f"{value:.1f}"


def unobserved_windows(matrix: FeatureMatrix, position: int) -> list[str]:
    """Windows of the plan that were not observed enough for a row, so that their measures are missing, not zero."""
    missing = np.isnan(matrix.values[position])
    return [
        window.label
        for window in matrix.plan.windows
        if any(feature.window == window and missing[i] for i, feature in enumerate(matrix.plan.features))
    ]
