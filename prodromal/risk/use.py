"""How many use each group of medicines, by age and sex: noted at training, to be found again at scoring."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.risk.pooling import parts, pool

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

    from prodromal.features import FeatureMatrix, FeaturePlan

__all__ = ["AGE_ENDS", "CELLS", "SMALLEST", "Use", "count_use", "expected_users", "use_columns"]

# The default of prodromal.disclosure, to which no arrow leads from here.
SMALLEST = 10
AGE_ENDS = (0, 40, 50, 60, 70, 80, 120)
CELLS = 2 * (len(AGE_ENDS) - 1)
_EVER = "days_since_last"


@dataclass(frozen=True)
class Use:
    """People, and users of each group ever before the index date, by sex and age.

    Parameters
    ----------
    people : ndarray of float64, shape (12,)
        Men, then women, of the six bands between ``AGE_ENDS``; people of unknown sex are left out.
    users : ndarray of float64, shape (12, n_groups)
    rows : Use, optional
        The same counted by rows, where a row stands for several people or for less than one.
    """

    people: npt.NDArray[np.float64]
    users: npt.NDArray[np.float64]
    rows: Use | None = None

    def __add__(self, other: Use) -> Use:
        return Use(self.people + other.people, self.users + other.users)

    @classmethod
    def none(cls, groups: int) -> Use:
        """Nobody."""
        return cls(np.zeros(CELLS), np.zeros((CELLS, groups)))

    def to_dict(self, names: tuple[str, ...], smallest: int = SMALLEST) -> dict[str, Any]:
        """Shares of users as they may leave with a model.

        Parameters
        ----------
        names : tuple of str
            Of the groups.
        smallest : int
            Fewest people, users and others whose share is told.

        Returns
        -------
        dict
            ``age_ends``, and ``share``: by group 12 shares of users, to four digits. Cells of few are told together
            with their neighbours: ages of one sex, else of both. So the users whom the shares give for the people
            counted are, in all, the users counted. A group that nobody uses has shares of 0, and one that all use of
            1; one with few users or few others in all has none.
        """
        shares = {name: self._shares(group, smallest) for group, name in enumerate(names)}
        told = {name: share.round(4).tolist() for name, share in shares.items() if share is not None}
        return {"age_ends": list(AGE_ENDS), "share": told}

    def _shares(self, group: int, smallest: int) -> npt.NDArray[np.float64] | None:
        counted = self.rows or self
        by_sex = (2, len(AGE_ENDS) - 1, -1)
        starts = pool(counted.people.reshape(by_sex), smallest, np.ones(by_sex[:2], dtype=np.bool_))
        if starts is None:
            return None
        users = counted.users[:, group]
        kinds = np.column_stack([kind for kind in (users, counted.people - users) if kind.any()])
        told = pool(kinds.reshape(by_sex), smallest, starts)
        if told is None:
            return None
        part = parts(told, 2)
        share = np.bincount(part, self.users[:, group]) / np.bincount(part, self.people)
        return np.asarray(share[part], dtype=np.float64)


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
    band = np.searchsorted(AGE_ENDS[1:-1], np.asarray(age), side="right")
    cell = np.where(np.asarray(sex) < 2, np.asarray(sex, dtype=np.int64) * (len(AGE_ENDS) - 1) + band, CELLS)
    used = [np.flatnonzero(~np.isnan(values[:, column])) for column in columns]
    rows = _counted(cell, used, None)
    return rows if weight is None else replace(_counted(cell, used, np.asarray(weight, dtype=np.float64)), rows=rows)


def _counted(
    cell: npt.NDArray[np.int64], used: list[npt.NDArray[np.int64]], weight: npt.NDArray[np.float64] | None
) -> Use:
    every = np.bincount(cell, weight, CELLS + 1)
    users = [np.bincount(cell[group], None if weight is None else weight[group], CELLS + 1) for group in used]
    by_group = np.array(users, dtype=np.float64).reshape(len(used), CELLS + 1)
    return Use(every[:CELLS].astype(np.float64), by_group[:, :CELLS].T)


def expected_users(reference: Mapping[str, Any], people: npt.NDArray[np.float64], name: str) -> float | None:
    """Users among `people`, did they use a group as those of the same age and sex in training; None if unknown."""
    share = reference["share"].get(name)
    if share is None or list(reference["age_ends"]) != list(AGE_ENDS):
        return None
    return float(np.dot(people, share))
