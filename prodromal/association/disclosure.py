"""Which numbers of a study may leave: small counts are suppressed, and what would give them away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.association.exposure import HEADLINE, Definition
from prodromal.association.shown_counts import hidden_places
from prodromal.disclosure import round_to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt
    import pandas as pd

    from prodromal.association.margins import Place
    from prodromal.disclosure import Profile

__all__ = ["COUNTS", "release"]

COUNTS = (
    "at_risk",
    "cases",
    "events",
    "exposed",
    "exposed_cases",
    "exposed_events",
    "exposed_others",
    "n",
    "others",
    "people",
    "sets",
    "visits",
)
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
_EXPOSED = ("exposed_cases", "exposed_others")
# Counts that an estimate beside them would tell.
_TOLD = {*_EXPOSED, "exposed", "exposed_events", "n"}
_PARTS = (
    ("exposed_cases", "cases"),
    ("exposed_others", "others"),
    ("exposed", "people"),
    ("exposed_events", "exposed"),
    ("exposed_events", "events"),
    ("n", "people"),
)
_TOTALS = {"cases", "others", "sets", "at_risk"}


def release(tables: Mapping[str, pd.DataFrame], profile: Profile) -> dict[str, pd.DataFrame]:
    """Give the tables as they may leave.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Of a `Study`.
    profile : Profile

    Returns
    -------
    dict of str to DataFrame
        Suppressed numbers are missing, with the reason in ``note``. What may be shown is asked of all tables together:
        no suppressed count can be computed back from the others. An estimate goes with the counts of its exposed. The
        ladder of lags shows no counts, and curves no point that only a few events part from the one before.
    """
    hidden = hidden_places(tables, profile)
    steps: dict[str, Callable[[pd.DataFrame], pd.DataFrame]] = {
        "lag_ladder": lambda frame: _ladder(frame, tables["odds_ratios"], hidden, profile),
        "survival": lambda frame: _curves(frame, hidden, profile),
        "causes": lambda frame: _causes(frame, hidden, profile),
        "trajectories": lambda frame: frame[frame["people"] >= profile.smallest].drop(columns="people"),
    }
    out = {}
    for name, frame in tables.items():
        step = steps.get(name, lambda frame, name=name: _hide(name, frame, hidden, profile))
        out[name] = step(frame).reset_index(drop=True) if len(frame) else frame.copy()
    return out


def _hide(name: str, frame: pd.DataFrame, places: set[Place], profile: Profile) -> pd.DataFrame:
    """Take out hidden counts, and the estimates that would tell them or rest on few."""
    out = frame.copy()
    hidden, few, told = np.zeros((3, len(out)), dtype=bool)
    for column in [column for column in COUNTS if column in out]:
        shown = _shown(name, out[column], places, profile)
        hidden |= ~shown
        few |= _small(frame[column], profile) & (column not in _TOTALS)
        told |= ~shown & (column in _TOLD)
        out[column] = round_to(out[column].where(shown).to_numpy(dtype=np.float64), profile.base)
    for part, total in _PARTS:
        if part in frame and total in frame:
            few |= _small(frame[total] - frame[part], profile)
    if name in ("flow", "table_one"):
        out["note"] = ""
    return _without(out, hidden if name in ("flow", "table_one") else few | told, profile)


def _shown(name: str, counts: pd.Series, places: set[Place], profile: Profile) -> npt.NDArray[np.bool_]:
    open_ = np.array([(name, label, counts.name) not in places for label in counts.index])
    return np.asarray(open_ & ~_small(counts, profile))


def _small(counts: pd.Series, profile: Profile) -> npt.NDArray[np.bool_]:
    return ((counts > 0) & (counts < profile.smallest)).to_numpy()


def _without(frame: pd.DataFrame, gone: npt.NDArray[np.bool_], profile: Profile) -> pd.DataFrame:
    """Take estimates out, and say why."""
    out = frame.copy()
    for column in [column for column in _ESTIMATES if column in out]:
        out[column] = out[column].astype(float).where(~gone)
    if "note" in out:
        out["note"] = np.where(gone, profile.reason, out["note"].astype(str))
    return out


def _ladder(frame: pd.DataFrame, odds: pd.DataFrame, places: set[Place], profile: Profile) -> pd.DataFrame:
    """Each rung leaves out a few more people: counts side by side would tell how many."""
    unexposed = (frame["cases"] - frame["exposed_cases"], frame["others"] - frame["exposed_others"])
    counts = [*unexposed, *(frame[name] for name in _EXPOSED)]
    gone = np.column_stack([_small(c, profile) for c in counts]).any(axis=1)
    same = (odds["comparator"] == "population") & (odds["window"] == HEADLINE)
    headline = odds[same & (odds["definition"] == Definition.RECURRENT.value)]
    open_ = np.column_stack([_shown("odds_ratios", headline[c], places, profile) for c in _EXPOSED]).all(axis=1)
    gone |= ((frame["lag_years"] == 1.0) & frame["class"].isin(headline["class"][~open_])).to_numpy()
    return _without(frame, gone, profile).drop(columns=[*_EXPOSED, "cases", "others", "sets"])


def _curves(frame: pd.DataFrame, places: set[Place], profile: Profile) -> pd.DataFrame:
    """Points that enough events part and at which enough are at risk; numbers at risk at whole years."""
    parted = _parted(frame.groupby(["class", "group"], sort=False)["events"], profile)
    out = _without(frame, ~(parted & (frame["at_risk"] >= profile.smallest)).to_numpy(), profile)
    whole = np.isclose(out["time_years"] % 1.0, 0.0) & _shown("survival", frame["at_risk"], places, profile)
    out["at_risk"] = round_to(out["at_risk"].where(whole).to_numpy(dtype=np.float64), profile.base)
    return out.drop(columns="events").dropna(subset=["at_risk", "survival"], how="all")


def _causes(frame: pd.DataFrame, places: set[Place], profile: Profile) -> pd.DataFrame:
    parted = _parted(frame.groupby("cause", sort=False)["events"], profile)
    counted = _hide("causes", frame.drop(columns="events").assign(note=""), places, profile)
    return _without(counted, ~parted.to_numpy(), profile)


def _parted(curves: Any, profile: Profile) -> pd.Series:
    """Where no event or enough of them lie between a point and the last one shown; given the events up to then."""

    def along(events: pd.Series) -> list[bool]:
        last, shown = 0, []
        for now in events:
            shown.append(now == last or now - last >= profile.smallest)
            last = now if shown[-1] else last
        return shown

    found: pd.Series = curves.transform(along)
    return found.astype(bool)
