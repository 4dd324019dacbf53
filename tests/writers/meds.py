"""People as a MEDS dataset, by pandas: the test's own statement of what such a dataset looks like."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

Event = tuple[int, str | None, str, float | None]
_EVENTS = pa.schema(
    [("subject_id", pa.int64()), ("time", pa.timestamp("us")), ("code", pa.string()), ("numeric_value", pa.float32())]
)


def write_events(
    file: Path, events: Iterable[Event], *, compression: str = "snappy", **extensions: Iterable[Any]
) -> Path:
    """Events as they are: subject, time (text or None), code, number."""
    subjects, times, codes, numbers = zip(*events, strict=True)
    stamps = pa.array(np.array(["NaT" if time is None else time for time in times], dtype="datetime64[us]"))
    columns = [pa.array(subjects, pa.int64()), stamps, pa.array(codes), pa.array(numbers, pa.float32())]
    table = pa.table(columns, schema=_EVENTS)
    for name, values in extensions.items():
        table = table.append_column(name, pa.array(values))
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file, compression=compression)
    return file


def write_meds_dataset(folder: Path, tables: Mapping[str, pd.DataFrame], *, shards: int = 3) -> Path:
    """Canonical persons, dispensings and outcomes; DDDs are the numeric value, days of supply an extension column."""
    people, bought, found = (tables[name] for name in ("persons", "dispensings", "outcomes"))
    pieces = [
        _piece(people, "GENDER//" + people["sex"].astype(str), None),
        _piece(people, "MEDS_BIRTH", people["birth_date"]),
        _piece(people, "MEDS_DEATH", people["death_date"])[people["death_date"].notna().to_numpy()],
        _piece(bought, "ATC//" + bought["atc"].astype(str), bought["dispensed_on"]).assign(
            numeric_value=bought["ddd"].to_numpy(), days_supply=bought["days_supply"].to_numpy()
        ),
        _piece(found, "DIAGNOSIS//ICD//10//G122", found["diagnosed_on"]),
    ]
    events = pd.concat(pieces, ignore_index=True)
    events = events.sort_values(["subject_id", "time"], na_position="first", kind="stable")
    ids = events["subject_id"].to_numpy()
    bounds = np.quantile(np.unique(ids), np.linspace(0, 1, shards + 1)[1:-1])
    (folder / "data" / "train").mkdir(parents=True)
    for number in range(shards):
        part = events[np.searchsorted(bounds, ids, side="left") == number]
        table = pa.Table.from_pandas(part, preserve_index=False).cast(
            _EVENTS.append(pa.field("days_supply", pa.int32()))
        )
        pq.write_table(table, folder / "data" / "train" / f"{number}.parquet")
    return folder


def _piece(rows: pd.DataFrame, code: Any, day: pd.Series | None) -> pd.DataFrame:
    time = pd.Series(pd.NaT, index=rows.index) if day is None else pd.to_datetime(day)
    return pd.DataFrame(
        {
            "subject_id": rows["person_id"].to_numpy(),
            "time": time.to_numpy().astype("datetime64[us]"),
            "code": code if isinstance(code, str) else code.to_numpy(),
            "numeric_value": np.full(len(rows), np.nan, dtype=np.float32),
            "days_supply": pd.array([None] * len(rows), dtype="Int32"),
        }
    )
