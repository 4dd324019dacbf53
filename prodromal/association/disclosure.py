"""Which numbers of a study may leave: small counts are suppressed, and what would give them away."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt

__all__ = ["Rule", "release"]

_ESTIMATES = (
    "estimate",
    "ci_low",
    "ci_high",
    "p",
    "p_interaction",
    "p_proportional",
    "value",
    "spread",
    "probability",
    "survival",
    "mean",
)


@dataclass(frozen=True)
class Rule:
    """Counts from 1 to ``smallest - 1`` may not be shown; the others are rounded to multiples of ``base``."""

    smallest: int = 10
    base: int = 1

    def __post_init__(self) -> None:
        if self.smallest < 1 or self.base < 1:
            raise DefinitionError("the smallest count shown and the rounding base must be at least 1")

    @property
    def sentence(self) -> str:
        """Say the rule."""
        rounding = f" Counts are rounded to multiples of {self.base}." if self.base > 1 else ""
        return (
            f"Estimates and counts that rest on fewer than {self.smallest} people, or that would reveal such a number "
            f"by subtraction, are suppressed.{rounding}"
        )

    @property
    def reason(self) -> str:
        """What stands in place of a suppressed number."""
        return f"suppressed: rests on fewer than {self.smallest}, or would reveal it"

    def small(self, *counts: pd.Series) -> npt.NDArray[np.bool_]:
        """Where any of the counts is small."""
        values = np.column_stack([np.asarray(c, dtype=float) for c in counts])
        return np.asarray(((values > 0) & (values < self.smallest)).any(axis=1))


def release(tables: Mapping[str, pd.DataFrame], rule: Rule) -> dict[str, pd.DataFrame]:
    """Give the tables as they may leave.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of a `Study`.
    rule : Rule

    Returns
    -------
    dict of str to DataFrame
        Suppressed numbers are missing, with the reason in ``note``. Of the parts of a whole (levels of age and sex,
        windows of one class) a second count is suppressed where one alone could be found by subtraction. The ladder of
        lags shows no counts, and curves end where fewer are at risk.
    """
    steps: dict[str, Callable[[pd.DataFrame, Rule], pd.DataFrame]] = {
        "odds_ratios": _odds,
        "mutual": _exposed,
        "modification": _levels,
        "lag_ladder": _ladder,
        "hazard_ratios": _hazards,
        "survival": _curves,
        "causes": _causes,
        "decline": _people,
        "joint": _people,
        "trajectories": _trajectories,
        "flow": _flow,
        "table_one": _table_one,
    }
    return {name: steps[name](frame, rule) if len(frame) else frame.copy() for name, frame in tables.items()}


def _hide(
    frame: pd.DataFrame,
    where: npt.NDArray[np.bool_],
    rule: Rule,
    counts: tuple[str, ...],
    totals: tuple[str, ...] = (),
    also: npt.NDArray[np.bool_] | None = None,
) -> pd.DataFrame:
    """Take out estimates and counts `where`, counts alone where `also`, and totals where they are small themselves."""
    out = frame.copy()
    for name in (*counts, *totals):
        values = out[name].astype(float)
        gone = (where if also is None else where | also) if name in counts else rule.small(values)
        shown = values.where(~gone)
        out[name] = (np.round(shown / rule.base) * rule.base) if rule.base > 1 else shown
    for name in _ESTIMATES:
        if name in out:
            out[name] = out[name].astype(float).where(~where)
    if "note" in out:
        out["note"] = np.where(where, rule.reason, out["note"].astype(str))
    return out


def _small_exposed(frame: pd.DataFrame, rule: Rule) -> npt.NDArray[np.bool_]:
    unexposed = (frame["cases"] - frame["exposed_cases"], frame["others"] - frame["exposed_others"])
    return rule.small(frame["exposed_cases"], frame["exposed_others"], *unexposed)


_EXPOSED, _TOTALS = ("exposed_cases", "exposed_others"), ("cases", "others", "sets")


def _exposed(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    return _hide(frame, _small_exposed(frame, rule), rule, _EXPOSED, _TOTALS)


def _odds(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Windows of one class add up to its users: one hidden window takes the counts of the next smallest with it."""
    hidden = pd.Series(_small_exposed(frame, rule), index=frame.index)
    beside = pd.Series(False, index=frame.index)
    windows = frame[frame["window"] != ">1"]
    for _, group in windows.groupby(["comparator", "class", "definition"], sort=False):
        if hidden[group.index].sum() == 1:
            shown = group[~hidden[group.index]]
            shown = shown[(shown["exposed_cases"] > 0) | (shown["exposed_others"] > 0)]
            if len(shown):
                beside |= beside.index == (shown["exposed_cases"] + shown["exposed_others"]).idxmin()
    return _hide(frame, hidden.to_numpy(), rule, _EXPOSED, _TOTALS, beside.to_numpy())


def _levels(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    hidden = pd.Series(_small_exposed(frame, rule), index=frame.index)
    whole = hidden.groupby([frame["class"], frame["modifier"]]).transform("any")
    beside = whole.to_numpy(dtype=bool) & ~hidden.to_numpy()
    return _hide(frame, hidden.to_numpy(), rule, _EXPOSED, _TOTALS, beside)


def _ladder(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """Each rung leaves out a few more people: counts side by side would tell how many."""
    return _hide(frame, _small_exposed(frame, rule), rule, ()).drop(columns=[*_EXPOSED, *_TOTALS])


def _hazards(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    users, events = frame["exposed"], frame["exposed_events"]
    others, other_events = frame["people"] - users, frame["events"] - events
    small = rule.small(users, events, users - events, others, other_events, others - other_events)
    return _hide(frame, small, rule, ("exposed", "exposed_events"), ("people", "events"))


def _curves(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    kept = frame[frame["at_risk"] >= rule.smallest].reset_index(drop=True)
    out = _hide(kept, np.zeros(len(kept), dtype=bool), rule, ("at_risk",))
    whole = np.isclose(out["time_years"] % 1.0, 0.0)
    return out.assign(at_risk=out["at_risk"].where(whole))


def _causes(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    out = _hide(frame.assign(note=""), rule.small(frame["events"]), rule, (), ("at_risk",))
    return out.drop(columns="events")


def _people(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    counts = tuple(name for name in ("people", "events", "visits") if name in frame)
    return _hide(frame, rule.small(*(frame[name] for name in counts)), rule, counts)


def _trajectories(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    kept = frame[frame["people"] >= rule.smallest].reset_index(drop=True)
    return kept.drop(columns="people")


def _flow(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    """A step that a few people do not pass is shown without its number."""
    out = frame.assign(note="")
    hidden = np.zeros(len(out), dtype=bool)
    for _, group in out.groupby("comparator", sort=False):
        for name in ("cases", "others"):
            before = float("nan")
            for at, value in zip(group.index, group[name].astype(float), strict=True):
                few = 0 < value < rule.smallest or 0 < before - value < rule.smallest
                hidden[at] |= few
                before = before if few else value
    return _hide(out, hidden, rule, ("cases", "others"))


def _table_one(frame: pd.DataFrame, rule: Rule) -> pd.DataFrame:
    small = rule.small(frame["n"], frame["people"] - frame["n"], frame["people"])
    return _hide(frame.assign(note=""), small, rule, ("n",), ("people",))
