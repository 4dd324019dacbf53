"""How a class's contribution depends on its main feature."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from prodromal.errors import DefinitionError
from prodromal.explain.explanation import By
from prodromal.explain.resample import means

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

    from prodromal.explain.explanation import Explanation
    from prodromal.features import Feature
    from prodromal.trees import Floats

__all__ = ["SMALLEST_CELL", "dependence"]

SMALLEST_CELL = 10
_BINS = 5
# Sums of doses in float32 differ in what does not matter.
_DECIMALS = 2
_YES_NO = "0 or 1"
_FEW = f"fewer than {SMALLEST_CELL} people, or needed to hide such a cell"


@dataclass(frozen=True)
class _Bins:
    """Words for values of a feature, and the bin of each row."""

    words: tuple[str, ...]
    of_row: npt.NDArray[np.int64]


def dependence(
    explanation: Explanation,
    label: str,
    *,
    replicates: int,
    seed: int,
    groups: npt.ArrayLike | None = None,
    weights: npt.NDArray[np.float64] | None = None,
) -> pd.DataFrame:
    """Compute the mean contribution of a class by the value of its main feature.

    Parameters
    ----------
    explanation : Explanation
        By feature.
    label : str
        A class of the plan, or "Age and sex".
    replicates, seed, groups, weights
        As for `importance`.

    Returns
    -------
    DataFrame
        One row for each bin of the feature whose mean absolute contribution is largest within the class: ``label,
        feature, sentence, value`` (the bin in words), ``people, mean_contribution, ci_low, ci_high, factor, note``.
        Bins of fewer than 10 rows are empty, and say so in ``note``.

    Raises
    ------
    DefinitionError
        If the explanation is not by feature, or there is no such class.

    Notes
    -----
    The contribution is that of the whole class, so that correlated features of one class, which share their
    contribution among them arbitrarily, do not blur the picture. Other features of the class vary within a bin.
    """
    import pandas as pd

    columns = _columns_of(explanation, label)
    total = explanation.values[:, columns].sum(axis=1)
    main = columns[int(np.argmax(np.abs(explanation.values[:, columns]).mean(axis=0)))]
    feature = explanation.matrix.plan.features[main]
    bins = _bins(explanation.matrix.values[:, main].astype(np.float64), feature)
    inside = bins.of_row[:, None] == np.arange(len(bins.words))
    people = inside.sum(axis=0)
    shown = _shown(people)
    share = inside * (np.ones(len(total)) if weights is None else weights)[:, None]
    found = means(
        np.repeat(total[:, None], len(bins.words), axis=1),
        replicates=replicates,
        seed=seed,
        groups=groups,
        weights=share * shown,
    )
    return pd.DataFrame(
        {
            "label": label,
            "feature": feature.name,
            "sentence": feature.sentence,
            "value": bins.words,
            "people": np.where(shown, people, np.nan),
            "mean_contribution": found.value,
            "ci_low": found.low,
            "ci_high": found.high,
            "factor": np.exp(found.value),
            "note": np.where(shown, "", _FEW),
        }
    )


def _columns_of(explanation: Explanation, label: str) -> npt.NDArray[np.int64]:
    if explanation.by is not By.FEATURE:
        raise DefinitionError(f"dependence needs an explanation by feature, this one is by {explanation.by.value}")
    columns = np.flatnonzero([feature.family == label for feature in explanation.matrix.plan.features])
    if not len(columns):
        raise DefinitionError(f"the plan has no class '{label}'")
    return columns.astype(np.int64)


def _bins(values: Floats, feature: Feature) -> _Bins:
    """Missing, zero, and ranges of about equally many of the other rows."""
    if feature.measure == "sex":
        return _used(("men", "women", "unknown"), np.where(np.isnan(values), 2, values).astype(np.int64))
    if feature.unit == _YES_NO:
        return _used(("no", "yes", _missing_words(feature)), np.where(np.isnan(values), 2, values).astype(np.int64))
    values = np.round(values, _DECIMALS)
    missing, zero = np.isnan(values), values == 0
    positive = values[~missing & ~zero]
    edges = np.unique(np.quantile(positive, np.arange(1, _BINS) / _BINS, method="lower")) if len(positive) else positive
    edges = edges[edges < positive.max()] if len(positive) else edges
    ranges = _ranges(edges, whole=bool((positive == np.round(positive)).all())) if len(positive) else ()
    of_row = np.where(missing, 0, np.where(zero, 1, 2 + np.searchsorted(edges, values, side="left")))
    words = (_missing_words(feature), "0", *ranges)
    return _used(words, of_row)


def _used(words: tuple[str, ...], of_row: npt.NDArray[np.int64]) -> _Bins:
    used = np.unique(of_row)
    return _Bins(tuple(words[i] for i in used), np.searchsorted(used, of_row))


def _missing_words(feature: Feature) -> str:
    return "none seen" if feature.group is not None and feature.window is None else "not fully observed"


def _ranges(edges: Floats, *, whole: bool) -> tuple[str, ...]:
    if not len(edges):
        return ("any",)
    first = [f"up to {edges[0]:,g}"]
    step = 1 if whole else 0
    between = [
        f"{high:,g}" if low + step == high else f"{low + step:,g} to {high:,g}"
        for low, high in pairwise(edges.tolist())
    ]
    return (*first, *between, f"over {edges[-1]:,g}")


def _shown(people: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Hide small cells, and the next smallest where what is hidden could be told from the total."""
    shown = people >= SMALLEST_CELL
    while not shown.all() and people[~shown].sum() < SMALLEST_CELL and shown.any():
        shown[np.flatnonzero(shown)[np.argmin(people[shown])]] = False
    return shown
