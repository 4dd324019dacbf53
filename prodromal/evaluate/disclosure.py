"""The tables of an evaluation as they may leave."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.disclosure import PROFILES, Profile, round_to, significant, suppress

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from numpy.typing import NDArray

__all__ = ["PROFILES", "Profile", "control", "control_groups", "suppress"]

_COUNTS = ("n", "events")
_NUMBERS = ("value", "ci_low", "ci_high")


def control(
    tables: Mapping[str, pd.DataFrame], profile: Profile, *, ranked_by_risk: bool = True
) -> dict[str, pd.DataFrame]:
    """Give the tables as they may leave.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Tables of an `Evaluation`.
    profile : Profile
    ranked_by_risk : bool
        Whether flags at capacities and tenths of risk order people in the same way: they are then protected together.

    Returns
    -------
    dict of str to DataFrame
        Suppressed numbers are NaN with the reason in ``note``; suppressed counts are missing.
    """
    from prodromal.evaluate.margins import crowded, crowded_rungs, systems

    hidden: dict[str, dict[str, NDArray[np.bool_]]] = {
        name: {count: np.zeros(len(frame), dtype=np.bool_) for count in _COUNTS} for name, frame in tables.items()
    }
    told = dict(tables)
    if "decision_curve" in tables and "overview" in tables:
        apart = crowded(tables, profile.smallest)
        hidden["decision_curve"] = {count: apart.copy() for count in _COUNTS}
        told["decision_curve"] = tables["decision_curve"][~apart]
    for count in _COUNTS:
        for small in systems(told, count, ranked_by_risk=ranked_by_risk):
            system = small.with_few(profile.smallest)
            known = system.known & (system.counts >= profile.smallest)
            chosen = suppress(system.members, system.counts, profile.smallest, system.keep, known)
            for name, rows in system.rows_of(chosen):
                hidden[name][count][rows] = True
    released = {name: _shown(frame, hidden[name], profile) for name, frame in tables.items()}
    if "lead_time" in tables:
        counts = [count for count in _COUNTS if count in tables["lead_time"]]
        # The share of pairs ranked rightly tells nobody how many pairs there were.
        released["lead_time"].loc[crowded_rungs(tables, profile.smallest), counts] = np.nan
    return released


def control_groups(frame: pd.DataFrame, profile: Profile, *, size: str = "people") -> pd.DataFrame:
    """Give a table of disjoint groups that make up a known total, without the rows of small groups.

    Parameters
    ----------
    frame : DataFrame
        One row a group; `size` is its number of people.
    profile : Profile
    size : str
        Column of whole numbers. Where it is absent, the table is given back as it is.

    Returns
    -------
    DataFrame
        Numbers of suppressed groups are NaN; where one group alone would be hidden, the next smallest is, too. So is
        a percent (a column whose name ends so) that would tell of few people.
    """
    if size not in frame:
        return frame
    values = frame[size].to_numpy(dtype=np.int64)
    members = np.concatenate([np.eye(len(values), dtype=np.bool_), np.ones((1, len(values)), dtype=np.bool_)])
    counts = np.append(values, values.sum())
    hidden = suppress(members, counts, profile.smallest, keep=np.append(np.zeros(len(values), bool), True))[:-1]
    out = frame.copy()
    out[size] = round_to(values.astype(np.float64), profile.base)
    numbers = out.select_dtypes("number").columns
    out = out.astype(dict.fromkeys(numbers, np.float64))
    out.loc[hidden, numbers] = np.nan
    for name in numbers:
        if str(name).endswith("percent"):
            out.loc[_told_by_share(frame[name].to_numpy(dtype=np.float64), values, profile), name] = np.nan
    return out


def _told_by_share(percent: NDArray[np.float64], sizes: NDArray[np.int64], profile: Profile) -> NDArray[np.bool_]:
    """Groups whose percent would tell of few people with or few without; how many there are in all is known."""
    n, of_these = len(sizes), np.rint(np.nan_to_num(percent) / 100 * sizes).astype(np.int64)
    one, whole = np.eye(n, dtype=np.bool_), np.ones((1, n), dtype=np.bool_)
    none, nobody = np.zeros_like(one), np.zeros_like(whole)
    members = np.block([[one, none], [none, one], [one, one], [whole, nobody], [nobody, whole]])
    counts = members @ np.concatenate([of_these, sizes - of_these])
    known = np.arange(len(members)) >= 2 * n
    hidden = suppress(members, counts, profile.smallest, known=known)
    return np.asarray(hidden[:n] | hidden[n : 2 * n])


def _shown(frame: pd.DataFrame, hidden: dict[str, NDArray[np.bool_]], profile: Profile) -> pd.DataFrame:
    out = frame.copy()
    gone = np.zeros(len(out), dtype=np.bool_)
    for count in _COUNTS:
        if count not in out:
            continue
        values = out[count].to_numpy(dtype=np.float64)
        cover = hidden[count] | ((values > 0) & (values < profile.smallest))
        out[count] = round_to(np.where(cover, np.nan, values), profile.base)
        gone |= cover & _revealing(out, count)
    for name in (*_NUMBERS, "population"):
        if name in out:
            values = out[name].to_numpy(dtype=np.float64)
            out[name] = np.where(gone, np.nan, significant(values))
    out["note"] = np.where(gone, profile.reason, out["note"].astype(str))
    return out


def _revealing(frame: pd.DataFrame, count: str) -> NDArray[np.bool_]:
    """Rows whose numbers would tell the count: all but the mean predicted risk, and the share flagged."""
    if count == "n" or "measure" not in frame:
        return np.ones(len(frame), dtype=np.bool_)
    return ~frame["measure"].isin(["expected_risk", "share_flagged"]).to_numpy()
