"""How often 95 % intervals of the AUROC, of O/E and of the calibration slope hold the truth."""

from __future__ import annotations

import numpy as np
from scipy.stats import binom

from tests.recovery.test_evaluate_coverage import drawn, measured

__all__ = ["intervals_cover"]

_PEOPLE, _REPLICATES = 6_000, 100
_LEAST, _MOST, _CHANCE = 0.93, 0.97, 0.005


def intervals_cover(trials: int, seed: int) -> tuple[int, int]:
    """A data set a trial; the failures are measures whose coverage is outside 93-97 % by more than chance can do."""
    area = measured(drawn(1_000_000, np.random.default_rng(99)), 0, 1).loc["auroc", "value"]
    truth = {"auroc": area, "observed_over_expected": 1.0, "slope": 1.0}
    held = dict.fromkeys(truth, 0)
    for trial in range(trials):
        found = measured(drawn(_PEOPLE, np.random.default_rng([seed, trial])), _REPLICATES, trial)
        for name, value in truth.items():
            held[name] += bool(found.loc[name, "ci_low"] <= value <= found.loc[name, "ci_high"])
    low, high = binom.ppf(_CHANCE, trials, _LEAST), binom.ppf(1 - _CHANCE, trials, _MOST)
    return trials, sum(not low <= count <= high for count in held.values())
