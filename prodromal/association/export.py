"""The files of a study: one JSON, one CSV a table, one page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prodromal.association.disclosure import COUNTS
from prodromal.association.exposure import ALL_CLASSES
from prodromal.association.wording import SIMULATED
from prodromal.disclosure import significant
from prodromal.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["write_json", "write_tables"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def write_json(
    path: Path, tables: Mapping[str, pd.DataFrame], *, provenance: Mapping[str, str], rule: str, simulated: bool
) -> None:
    """Write released tables as JSON; numbers that do not exist are null."""
    content: dict[str, Any] = {"warning": SIMULATED} if simulated else {}
    content |= {"provenance": dict(provenance), "disclosure": rule}
    content["classes"] = {group.name: group.atc for group in ALL_CLASSES}
    content["tables"] = {name: _records(_rounded(frame)) for name, frame in tables.items()}
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write one CSV a table, with cells that a spreadsheet would run prefixed."""
    for name, frame in tables.items():
        safe = _rounded(frame).map(_safe) if len(frame) else frame
        write_text(folder / f"{name}.csv", safe.to_csv(index=False, lineterminator="\n"))


def _safe(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _rounded(frame: pd.DataFrame) -> pd.DataFrame:
    """Estimates with few digits: more would tell the counts behind them."""
    out = frame.copy()
    for name in set(COUNTS) & set(out):
        out[name] = out[name].astype("Int64")
    for column in [column for column in out if out[column].dtype == np.float64]:
        out[column] = significant(out[column].to_numpy(dtype=float))
    return out


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return [{str(k): _plain(v) for k, v in row.items()} for row in frame.to_dict("records")]


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    lost = value is pd.NA or (isinstance(value, float) and not np.isfinite(value))
    return None if lost else value
