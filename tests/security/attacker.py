"""How closely those who see released numbers can place another: by linear programmes."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linprog

__all__ = ["reach"]


def reach(target, members, least, most):
    """Interval that sums between `least` and `most` leave for a target, parts being 0 or more."""
    ends = []
    for sign in (1.0, -1.0):
        bounds = np.concatenate([most, -np.asarray(least)]).astype(float)
        rows = np.concatenate([members, ~members * 0.0 - members]).astype(float)
        found = linprog(sign * target.astype(float), A_ub=rows, b_ub=bounds, method="highs") if len(rows) else None
        assert found is None or found.status in (0, 3), "what is shown contradicts itself"
        ends.append(sign * found.fun if found is not None and found.status == 0 else (0.0 if sign > 0 else np.inf))
    return ends
