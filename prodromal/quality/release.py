"""Small counts are suppressed, and with them what would give them away by subtraction."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.disclosure import PROFILES, suppress

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pandas as pd

    from prodromal.quality.compute import Quality

__all__ = ["PROFILE", "SMALLEST", "release"]

PROFILE = PROFILES["acro"]
SMALLEST = PROFILE.smallest


def release(quality: Quality, smallest: int = SMALLEST) -> Quality:
    """The tables as they may be shown: counts below `smallest`, and others that give them away, become missing.

    What partitions a shown total (classes of a year, reasons of a table, ages and sexes, classes of the plan) is
    protected together with it; what is computed from a missing count is missing as well.

    Parameters
    ----------
    quality : Quality
        Exact tables.
    smallest : int
        Smallest count above 0 that may be shown.
    """
    tables = dict(quality.tables)
    tables["classes"] = _by_group(tables["classes"], "year", "dispensings", ["per_1000_person_years"], smallest)
    tables["coverage"] = _partition(tables["coverage"], "dispensings", ["share"], smallest)
    tables["ages"] = _partition(tables["ages"], "people", [], smallest)
    tables["reasons"] = _by_group(tables["reasons"], ["table", "what"], "rows", [], smallest)
    tables["uncovered"] = _rows(tables["uncovered"], ["people", "dispensings"], ["share"], smallest)
    tables["years"] = _rows(tables["years"], ["people", "dispensings"], ["person_years", "per_person_year"], smallest)
    tables["months"] = _rows(tables["months"], ["people", "dispensings"], ["expected"], smallest)
    tables["values"] = _rows(tables["values"], ["given"], ["p1", "p50", "p99"], smallest)
    tables["values"] = _rows(tables["values"], ["zero"], [], smallest)
    tables["account"] = _account(tables["account"], smallest)
    return replace(quality, tables=tables, facts={**quality.facts, **_sizes(quality.facts, smallest)})


def _sizes(facts: Mapping[str, Any], smallest: int) -> dict[str, int | None]:
    """Sizes of the register, None where they are small; few people without a dispensing would be told by those with."""
    names = ("people", "people_with_dispensings", "dispensings")
    shown = {name: None if 0 < facts[name] < smallest else facts[name] for name in names}
    if 0 < facts["people"] - facts["people_with_dispensings"] < smallest:
        shown["people_with_dispensings"] = None
    return shown


def _hidden(counts: npt.NDArray[np.int64], smallest: int) -> npt.NDArray[np.bool_]:
    """Which parts of a shown sum must not be shown."""
    members = np.vstack([np.eye(len(counts), dtype=bool), np.ones(len(counts), dtype=bool)])
    sums, known = np.append(counts, counts.sum()), np.zeros(len(counts) + 1, dtype=bool)
    known[-1] = True
    hidden: npt.NDArray[np.bool_] = suppress(members, sums, smallest, known=known)[:-1]
    return hidden


def _partition(frame: pd.DataFrame, count: str, derived: list[str], smallest: int) -> pd.DataFrame:
    if frame.empty:
        return frame
    hidden = _hidden(frame[count].to_numpy(dtype=np.int64), smallest)
    return _masked(frame, hidden, [count, *derived])


def _by_group(frame: pd.DataFrame, key: str | list[str], count: str, derived: list[str], smallest: int) -> pd.DataFrame:
    hidden = np.zeros(len(frame), dtype=bool)
    for places in frame.groupby(key, sort=False).indices.values():
        hidden[places] = _hidden(frame[count].to_numpy(dtype=np.int64)[places], smallest)
    return _masked(frame, hidden, [count, *derived])


def _rows(frame: pd.DataFrame, counts: list[str], derived: list[str], smallest: int) -> pd.DataFrame:
    small = ((frame[counts] > 0) & (frame[counts] < smallest)).any(axis=1).to_numpy(dtype=bool)
    return _masked(frame, small, [*counts, *derived])


def _account(frame: pd.DataFrame, smallest: int) -> pd.DataFrame:
    """What became of the rows read, each kind protected within its table.

    What a table kept is the size of the register, which is shown in other places, and reasons are counted elsewhere:
    the rows read are given up first.
    """
    kinds = ["kept", "duplicate", "rejected", "left_out"]
    columns = [*kinds, "read"]
    shown = frame.astype(dict.fromkeys(columns, "float64"))
    members = np.vstack([np.eye(len(kinds), dtype=bool), np.ones(len(kinds), dtype=bool)])
    keep = np.array([column != "read" for column in columns])
    for place, row in frame.iterrows():
        counts = row[kinds].to_numpy(dtype=np.int64)
        size = np.array([kind == "kept" and row["kept"] >= smallest for kind in columns])
        hidden = suppress(members, np.append(counts, counts.sum()), smallest, keep, known=size)
        shown.loc[place, [column for column, hide in zip(columns, hidden, strict=True) if hide]] = np.nan
    return shown


def _masked(frame: pd.DataFrame, hidden: npt.NDArray[np.bool_], columns: list[str]) -> pd.DataFrame:
    shown = frame.astype(dict.fromkeys(columns, "float64"))
    shown.loc[hidden, columns] = np.nan
    return shown
