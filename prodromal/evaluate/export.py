"""Files: JSON, CSV tables that a spreadsheet cannot be tricked by, and the MEDS prediction schema."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prodromal.errors import DataError
from prodromal.files import write_text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pyarrow as pa

__all__ = ["meds_predictions", "safe_cell", "write_json", "write_tables"]

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")


def safe_cell(text: str) -> str:
    """Prefix a text that a spreadsheet would run as a formula."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write plain values as JSON; numbers that do not exist are null."""
    write_text(path, json.dumps(_plain(content), indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def write_tables(folder: Path, tables: Mapping[str, pd.DataFrame]) -> None:
    """Write one CSV per table, each whole or not at all."""
    for name, frame in tables.items():
        write_text(folder / f"{name}.csv", _safe(frame).to_csv(index=False, lineterminator="\n"))


def meds_predictions(frame: pd.DataFrame, *, horizon_days: int, lag_days: int) -> pa.Table:
    """Give predictions in the MEDS prediction schema.

    Parameters
    ----------
    frame : DataFrame
        ``person_id`` (whole numbers), ``index_date``, ``risk``; with ``event`` and ``time_days`` also the true label.
    horizon_days, lag_days : int

    Returns
    -------
    pyarrow.Table
        ``subject_id`` int64, ``prediction_time`` timestamp[us], ``boolean_value`` bool (if outcomes are given; rows
        whose label censoring hides are left out, for MEDS knows no missing label), ``predicted_boolean_value`` bool
        (null: no threshold is implied), ``predicted_boolean_probability`` float32.

    Notes
    -----
    In MEDS the prediction time is inclusive, while nothing on the index date counts here: the prediction time is the
    last microsecond of the day before.
    """
    import pyarrow as pa

    absent = [c for c in ("person_id", "index_date", "risk") if c not in frame]
    if absent:
        raise DataError(f"predictions: column {', '.join(absent)} is needed for the MEDS schema")
    if not pd.api.types.is_integer_dtype(frame["person_id"]):
        raise DataError("predictions: MEDS needs whole numbers in person_id; the column holds something else")
    day = pd.to_datetime(frame["index_date"]).to_numpy().astype("datetime64[D]").astype("datetime64[us]")
    labels = _labels(frame, horizon_days, lag_days)
    columns = {
        "subject_id": pa.array(frame["person_id"].to_numpy(), pa.int64()),
        "prediction_time": pa.array(day - np.timedelta64(1, "us"), pa.timestamp("us")),
        **({} if labels is None else {"boolean_value": labels}),
        "predicted_boolean_value": pa.nulls(len(frame), pa.bool_()),
        "predicted_boolean_probability": pa.array(frame["risk"].to_numpy().astype(np.float32), pa.float32()),
    }
    found = pa.table(columns)
    return found if labels is None else found.filter(labels.is_valid())


def _labels(frame: pd.DataFrame, horizon_days: int, lag_days: int) -> pa.Array | None:
    import pyarrow as pa

    if not {"event", "time_days"} <= set(frame.columns):
        return None
    event, time = frame["event"].to_numpy(), frame["time_days"].to_numpy()
    outcome = (event == 1) & (time > lag_days) & (time <= horizon_days)
    return pa.array(outcome, pa.bool_(), mask=(event == 0) & (time < horizon_days))


def _safe(frame: pd.DataFrame) -> pd.DataFrame:
    out = frame.copy()
    for name in out.columns:
        if out[name].dtype == object or isinstance(out[name].dtype, pd.StringDtype):
            out[name] = [safe_cell(v) if isinstance(v, str) else v for v in out[name]]
    return out.rename(columns={c: safe_cell(str(c)) for c in out.columns})


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value
