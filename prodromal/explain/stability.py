"""How far contributions depend on who was trained on: the same settings, fitted to matched sets drawn again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.errors import DefinitionError
from prodromal.explain.explanation import By, explain

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy.typing as npt
    import pandas as pd

    from prodromal.features import FeatureMatrix
    from prodromal.register import Persons
    from prodromal.risk import RiskModel
    from prodromal.trees import Floats, Ints

__all__ = ["FEWEST_REFITS", "Stability", "refits", "stability"]

FEWEST_REFITS = 10
_LEVEL = (0.025, 0.975)


@dataclass(frozen=True)
class Stability:
    """Limits of contributions over refits.

    Parameters
    ----------
    labels : tuple of str
        Columns.
    low, high : ndarray of float64, shape (n_rows, n_columns)
        2.5 % and 97.5 % quantiles (log rate ratio).
    refits : int
        How many models they are from.
    """

    labels: tuple[str, ...]
    low: Floats
    high: Floats
    refits: int


def stability(models: Sequence[RiskModel], matrix: FeatureMatrix, persons: Persons, *, by: By = By.CLASS) -> Stability:
    """Compute limits of contributions over models.

    Parameters
    ----------
    models : sequence of RiskModel
        Of one plan, such as `refits` yields.
    matrix : FeatureMatrix
        Who is explained.
    persons : Persons
        The register's.
    by : By
        What to sum contributions by.

    Raises
    ------
    DefinitionError
        If there are fewer than 10 models.

    Notes
    -----
    The limits hold the question and the settings fixed and vary the people trained on. They say how firmly the data
    tie this reason down, not whether it is true of the disease.
    """
    if len(models) < FEWEST_REFITS:
        raise DefinitionError(f"stability needs at least {FEWEST_REFITS} refits, {len(models)} given")
    found = [explain(model, matrix, persons, by=by) for model in models]
    low, high = np.quantile([each.values for each in found], _LEVEL, axis=0)
    return Stability(found[0].labels, low, high, len(models))


def refits(model: RiskModel, matrix: FeatureMatrix, sets: Any, *, replicates: int, seed: int) -> Iterator[RiskModel]:
    """Train a model's settings again, on its matched sets drawn with replacement.

    Parameters
    ----------
    model : RiskModel
        Whose settings and largest number of trees.
    matrix : FeatureMatrix
        Of the sets' index dates, in their order.
    sets : Cohort
        The matched sets that the model was trained on.
    replicates : int
        How many to train.
    seed : int
        Of the draws and the training.

    Yields
    ------
    RiskModel

    Raises
    ------
    DefinitionError
        If the cohort does not come in matched sets.

    Notes
    -----
    All sets of a family are drawn together, by the family of their case. The copies of a set stay in one fold, so that
    no refit is judged by what it was trained on.
    """
    from prodromal.risk import SearchSpace, train

    if not sets.is_matched:
        raise DefinitionError("refits need the matched sets that the model was trained on; this is a landmark cohort")
    settings = model.training["settings"]
    space = SearchSpace(
        max_depth=(int(settings["max_depth"]),),
        min_cases_per_leaf=(float(settings["min_cases_per_leaf"]),),
        features_per_tree=(float(settings["features_per_tree"]),),
        trials=1,
        max_rounds=max(1, int(model.training["rounds"])),
        learning_rate=float(settings["learning_rate"]),
    )
    rng = np.random.default_rng(seed)
    for _ in range(replicates):
        rows, names = _draw(sets.frame, rng)
        drawn = replace(sets, frame=sets.frame.iloc[rows].assign(set_id=names).reset_index(drop=True))
        yield train(matrix.take(rows), drawn, population=model.population, seed=seed, search=space)


def _draw(frame: pd.DataFrame, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Rows of the sets of families drawn with replacement, and new names that keep copies of a set apart."""
    case = frame["case"].to_numpy(dtype=bool)
    names, of_row = _numbered(frame["set_id"].to_numpy())
    families, of_case = _numbered(frame["family"].to_numpy()[case])
    family = np.empty(names, dtype=np.int64)
    family[of_row[case]] = of_case
    times = np.bincount(rng.integers(0, families, families), minlength=families)[family[of_row]]
    rows = np.repeat(np.arange(len(frame)), times)
    copy = np.arange(len(rows)) - np.repeat(np.cumsum(times) - times, times)
    return rows, copy * names + of_row[rows]


def _numbered(values: npt.NDArray[Any]) -> tuple[int, Ints]:
    distinct, number = np.unique(values, return_inverse=True)
    return len(distinct), np.asarray(number, dtype=np.int64)
