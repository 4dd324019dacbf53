"""How many use each group of medicines, by age and sex: noted at training, to be found again at scoring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from prodromal.features import FeatureMatrix, FeaturePlan

__all__ = ["AGE_ENDS", "Use", "count_use", "expected_users", "use_columns"]

AGE_ENDS = (0, 40, 50, 60, 70, 80, 120)
_CELLS = 2 * (len(AGE_ENDS) - 1)
_EVER = "days_since_last"


@dataclass(frozen=True)
class Use:
    """People, and users of each group ever before the index date, by sex and age.

    Parameters
    ----------
    people : ndarray of float64, shape (12,)
        Men, then women, of the six bands between ``AGE_ENDS``; people of unknown sex are left out.
    users : ndarray of float64, shape (12, n_groups)
    """

    people: npt.NDArray[np.float64]
    users: npt.NDArray[np.float64]

    def __add__(self, other: Use) -> Use:
        return Use(self.people + other.people, self.users + other.users)

    @classmethod
    def none(cls, groups: int) -> Use:
        """Nobody."""
        return cls(np.zeros(_CELLS), np.zeros((_CELLS, groups)))

    def to_dict(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Plain values: shares, so that no small count is told."""
        share = np.divide(
            self.users, self.people[:, None], out=np.zeros_like(self.users), where=self.people[:, None] > 0
        )
        return {
            "age_ends": list(AGE_ENDS),
            "people": self.people.round(-1).tolist(),
            "share": {name: share[:, g].round(4).tolist() for g, name in enumerate(names)},
        }


def use_columns(plan: FeaturePlan) -> tuple[tuple[str, ...], npt.NDArray[np.int64]]:
    """Names of the plan's groups, and the columns that tell whether they were ever dispensed, if the plan has such."""
    chosen = [(f.group.name, i) for i, f in enumerate(plan.features) if f.group is not None and f.measure == _EVER]
    return tuple(name for name, _ in chosen), np.array([column for _, column in chosen], dtype=np.int64)


def count_use(
    matrix: FeatureMatrix | npt.NDArray[np.float32],
    columns: npt.NDArray[np.int64],
    age: npt.NDArray[Any],
    sex: npt.NDArray[Any],
    weight: npt.NDArray[np.float64] | None = None,
) -> Use:
    """Count people and users.

    Parameters
    ----------
    matrix : FeatureMatrix or ndarray, shape (n_rows, n_features)
    columns : ndarray of int64, shape (n_groups,)
        From ``use_columns``.
    age, sex : ndarray, shape (n_rows,)
        Whole years; 0 = M, 1 = F, others are left out.
    weight : ndarray, optional
        How many people each row stands for.
    """
    values = matrix if isinstance(matrix, np.ndarray) else matrix.values
    known = np.flatnonzero(np.asarray(sex) < 2)
    band = np.searchsorted(AGE_ENDS[1:-1], np.asarray(age)[known], side="right")
    cell = np.asarray(sex)[known].astype(np.int64) * (len(AGE_ENDS) - 1) + band
    counted = np.ones(len(known)) if weight is None else np.asarray(weight, dtype=np.float64)[known]
    users = [np.bincount(cell, counted * ~np.isnan(values[known, c]), _CELLS) for c in columns]
    return Use(np.bincount(cell, counted, _CELLS), np.array(users, dtype=np.float64).reshape(len(columns), _CELLS).T)


def expected_users(reference: Mapping[str, Any], people: npt.NDArray[np.float64], name: str) -> float | None:
    """Users among `people`, did they use a group as those of the same age and sex in training; None if unknown."""
    share = reference["share"].get(name)
    if share is None or list(reference["age_ends"]) != list(AGE_ENDS):
        return None
    return float(np.dot(people, share))
