"""Are hazards proportional? The score test for a coefficient that changes with time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

from prodromal.association.ratio_fit import ChiSquared
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.association.cox import CoxFit, PartialLikelihood
    from prodromal.association.newton import Floats

__all__ = ["compute_proportionality"]

Transform = Literal["km", "rank", "identity"]


def compute_proportionality(fitted: CoxFit, transform: Transform = "km") -> pd.DataFrame:
    """Test each coefficient, and all, for a trend over time.

    Parameters
    ----------
    fitted : CoxFit
    transform : {"km", "rank", "identity"}
        Scale of time: one minus the survival curve, the rank, or time itself.

    Returns
    -------
    DataFrame
        ``term, chi_squared, df, p``; the last row, ``GLOBAL``, is for all terms.

    Notes
    -----
    Grambsch and Therneau's test as an exact score test: the model gains ``g(t) x`` for each term, and the gradient and
    information at zero of these are taken without the approximation of a constant variance.
    """
    import pandas as pd

    likelihood, fit = fitted.likelihood, fitted.fit
    g = _scale(likelihood, transform)
    g = g - g.mean()
    _, mean, variance = likelihood.moments(fit.coefficients)
    trend = (g[:, None] * (likelihood.X[likelihood.sets.dead] - mean)).sum(axis=0)
    blocks = [np.einsum("e,ekl->kl", g**power, variance) for power in range(3)]
    information = np.block([[blocks[0], blocks[1]], [blocks[1], blocks[2]]])
    k = len(fit.terms)
    tests = [*([i] for i in range(k)), list(range(k))]
    rows = []
    for name, chosen in zip([*fit.terms, "GLOBAL"], tests, strict=True):
        at = [*range(k), *(k + i for i in chosen)]
        u = np.concatenate([np.zeros(k), trend[chosen]])
        found = ChiSquared(float(u @ np.linalg.solve(information[np.ix_(at, at)], u)), len(chosen))
        rows.append((name, found.statistic, found.df, found.p))
    return pd.DataFrame(rows, columns=["term", "chi_squared", "df", "p"])


def _scale(likelihood: PartialLikelihood, transform: str) -> Floats:
    """Value of the scale for each death."""
    from scipy.stats import rankdata

    time = likelihood.stop[likelihood.sets.dead]
    if transform == "identity":
        return time
    if transform == "rank":
        return np.asarray(rankdata(likelihood.stop)[likelihood.sets.dead], dtype=np.float64)
    if transform != "km":
        raise DefinitionError(f"transform '{transform}': it is one of km, rank, identity")
    from prodromal.association.curves import kaplan_meier

    curve = kaplan_meier(likelihood.stop, likelihood.event, entry=likelihood.start)
    survival = np.concatenate([[1.0], curve["survival"].to_numpy()])
    return np.asarray(1 - survival[np.searchsorted(curve["time"].to_numpy(), time, "left")])
