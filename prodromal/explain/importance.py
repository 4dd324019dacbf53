"""Which classes move scores most, over everyone explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.explain.resample import means

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from prodromal.explain.explanation import Explanation

__all__ = ["importance"]


def importance(
    explanation: Explanation,
    *,
    replicates: int,
    seed: int,
    groups: npt.ArrayLike | None = None,
    weights: npt.NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Compute the mean absolute contribution of each column, with a 95 % interval.

    Parameters
    ----------
    explanation : Explanation
        By whatever; by class as a rule.
    replicates : int
        Bootstrap draws; 0 gives no interval.
    seed : int
        Of the draws.
    groups : array_like, shape (n_rows,), optional
        Families (or people, where they occur several times), drawn whole.
    weights : ndarray of float64, shape (n_rows,), optional
        People whom each row stands for.

    Returns
    -------
    DataFrame
        Largest first: ``label, mean_abs_contribution, ci_low, ci_high`` (log rate ratio) and ``factor``, its
        exponential: by how much the column moves a rate up or down, on average.

    Notes
    -----
    The interval is about who was explained, not about the model: the model is held fixed. It says how the model uses
    its inputs, not what matters to the disease.
    """
    import pandas as pd

    found = means(np.abs(explanation.values), replicates=replicates, seed=seed, groups=groups, weights=weights)
    frame = pd.DataFrame(
        {
            "label": explanation.labels,
            "mean_abs_contribution": found.value,
            "ci_low": found.low,
            "ci_high": found.high,
            "factor": np.exp(found.value),
        }
    )
    return frame.sort_values("mean_abs_contribution", ascending=False, kind="stable", ignore_index=True)
