"""How people came into the study, as a flow: who remained after each step and who left at it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from prodromal.evaluate.disclosure import suppress
from prodromal.evaluate.words import capital
from prodromal.page import count, join

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from prodromal.evaluate.disclosure import Profile

__all__ = ["attrition_flow", "released_attrition"]


def released_attrition(attrition: pd.DataFrame, profile: Profile) -> pd.DataFrame:
    """Suppress what an attrition table would give away.

    Parameters
    ----------
    attrition : DataFrame
        First column the step, every other column how many remain after it; rows that tell of a part are left out.
    profile : Profile

    Returns
    -------
    DataFrame
        For every count column also ``<name> left``, how many left at the step; NaN where a number must not be shown.

    Notes
    -----
    Those who remain after a step are those who leave at a later one and those who stay to the end. Whether a number can
    be shown is asked of all of them together, since each difference of two shown numbers is shown, too.
    """
    counts = attrition[attrition.columns[1:]]
    # A row "of these" is no step on the way: more people come after it.
    nested = (counts >= counts[::-1].cummax()[::-1]).all(axis=1)
    attrition = attrition[nested].reset_index(drop=True)
    out = attrition.copy()
    for name in attrition.columns[1:]:
        remain = attrition[name].to_numpy(dtype=np.int64)
        left = -np.diff(remain, prepend=remain[0]) if len(remain) else remain
        members = _members(len(remain))
        # Those who stay to the end are the people of every other table: their number is given up last.
        keep = np.arange(len(members)) == len(remain) - 1
        hidden = suppress(members, np.concatenate([remain, left[1:]]), profile.smallest, keep)
        out[name] = _shown(remain, hidden[: len(remain)], profile)
        out[f"{name} left"] = _shown(left, np.concatenate([[False], hidden[len(remain) :]])[: len(left)], profile)
    return out


def _members(steps: int) -> NDArray[np.bool_]:
    """Which atoms each number adds up: those who leave at step 2, 3, ... and those who stay to the end."""
    remaining = np.array([[atom >= step for atom in range(steps)] for step in range(steps)], dtype=np.bool_)
    leaving = np.eye(steps, dtype=np.bool_)[: max(steps - 1, 0)]
    return np.concatenate([remaining.reshape(steps, steps), leaving])


def _shown(values: NDArray[np.int64], hidden: NDArray[np.bool_], profile: Profile) -> NDArray[np.float64]:
    rounded = np.round(values / profile.base) * profile.base
    return np.where(hidden, np.nan, rounded)


def attrition_flow(attrition: pd.DataFrame, profile: Profile) -> Markup:
    """Draw an attrition table as a flow, after disclosure control."""
    released = released_attrition(attrition, profile)
    step, names = released.columns[0], attrition.columns[1:]
    boxes = []
    for row in released.to_dict("records"):
        gone = [f"{_written(row[f'{name} left'])} {name}" for name in names if row[f"{name} left"] != 0]
        out = Markup('<p class="out">{} left</p>').format(capital(" and ".join(gone))) if gone else Markup()
        stay = capital(" · ".join(f"{_written(row[name])} {name}" for name in names))
        boxes.append(Markup('<li>{}<p class="stay">{}</p><p>{}</p></li>').format(out, stay, row[step]))
    return Markup('<ol class="flow">{}</ol>').format(join(boxes))


def _written(number: float) -> str:
    return "a suppressed number of" if math.isnan(number) else count(number)
