"""The lead-time ladder: how discrimination falls as the lag before diagnosis grows, one evaluation a rung."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.errors import DefinitionError
from prodromal.evaluate.data import MatchedSets
from prodromal.evaluate.matched import compute_matched_concordance
from prodromal.evaluate.tables import compute_discrimination

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodromal.evaluate.data import EvaluationData

__all__ = ["compute_lead_time"]


def compute_lead_time(rungs: Mapping[int, EvaluationData | MatchedSets], *, replicates: int, seed: int) -> pd.DataFrame:
    """Discrimination at each lag, in order of the lag.

    Parameters
    ----------
    rungs : mapping of int to EvaluationData or MatchedSets
        Lag in days between index date and diagnosis, and the people evaluated at it. Matched sets (also those inside
        an `EvaluationData`) give the concordance within sets, others the AUROC.
    replicates : int
    seed : int

    Returns
    -------
    DataFrame
        ``lag_days, model, measure, value, ci_low, ci_high, n, events, note``.
    """
    if not rungs:
        raise DefinitionError("lead time: give at least one lag")
    parts = [_rung(data, replicates, seed).assign(lag_days=int(lag)) for lag, data in sorted(rungs.items())]
    whole = pd.concat(parts, ignore_index=True)
    return whole[["lag_days", *(c for c in whole.columns if c != "lag_days")]]


def _rung(data: EvaluationData | MatchedSets, replicates: int, seed: int) -> pd.DataFrame:
    sets = data if isinstance(data, MatchedSets) else data.matched
    if sets is not None:
        return compute_matched_concordance(sets, replicates=replicates, seed=seed)
    assert not isinstance(data, MatchedSets)
    found = compute_discrimination(data, replicates=replicates, seed=seed)
    return found[np.asarray(found["measure"] == "auroc")]
