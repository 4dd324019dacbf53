"""People whose ids nobody could write by chance, and a search for them."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["KINDS", "deliver", "found_in"]

KINDS = ("number", "text")
# Nine digits at the head of every id; with thousands separators and as a float they look otherwise.
_NUMBER, _BASE = "913726485", 913_726_485_000_000_000
_TEXT = "kanarie"
_SIGNS = re.compile(rb"913726485|913[,. ]726[,. ]485|9\.13726485|kanarie", re.IGNORECASE)
_COLUMNS = ("person_id", "relative_id")


def name_of(ids, kind: str):
    """Ids of a delivery as canaries."""
    numbers = pd.Series(np.asarray(ids), dtype="int64")
    return numbers + _BASE if kind == "number" else _TEXT + "-" + numbers.astype(str).str.zfill(9)


def deliver(delivery: Path, folder: Path, kind: str) -> list[str]:
    """Write a delivery again with canaries as ids; gives the options of ``prodromal ingest csv``."""
    options = []
    for table in ("persons", "dispensings", "outcomes", "relatives", "follow_up"):
        parts = sorted((delivery / table).glob("*")) or [delivery / f"{table}.parquet"]
        frame = pd.concat([pd.read_parquet(part) for part in parts])
        for column in set(_COLUMNS) & set(frame):
            frame[column] = name_of(frame[column], kind).to_numpy()
        path = folder / f"{table}.parquet"
        frame.to_parquet(path, index=False)
        options += [f"--{table.replace('_', '-')}", str(path)]
    return options


def found_in(data: bytes, ids=()) -> int:
    """How many signs of a canary stand in bytes: as text in any form, or as the eight bytes of a number."""
    signs = len(_SIGNS.findall(data))
    for text in ("utf-16-le", "utf-32-le"):
        signs += data.lower().count(_TEXT.encode(text)) + data.count(_NUMBER.encode(text))
    for offset in range(8):
        words = np.frombuffer(data[offset : offset + (len(data) - offset) // 8 * 8], "<i8")
        signs += int(((words >= _BASE) & (words < _BASE + 10**9)).sum())
    return signs
