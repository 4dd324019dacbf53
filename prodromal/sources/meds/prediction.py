"""Index dates as MEDS prediction times and back, labels, and splits of subjects.

An index date counts nothing of its own day; a MEDS prediction time counts everything up to and including itself. So the
index date d is the prediction time one microsecond before d begins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prodromal.errors import DataError
from prodromal.register.parquet import read_table

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt
    import pandas as pd

__all__ = ["index_dates", "labels", "prediction_times", "read_labels", "read_splits"]

_DAY_US = np.int64(86_400_000_000)
_DATES = "datetime64[D]"


def prediction_times(dates: npt.NDArray[np.datetime64]) -> npt.NDArray[np.datetime64]:
    """Last microsecond before each index date.

    Parameters
    ----------
    dates : ndarray of datetime64, shape (n,)

    Returns
    -------
    ndarray of datetime64[us], shape (n,)

    Examples
    --------
    >>> prediction_times(np.array(["2014-01-01"], dtype="datetime64[D]"))
    array(['2013-12-31T23:59:59.999999'], dtype='datetime64[us]')
    """
    starts = dates.astype(_DATES).astype("datetime64[us]").astype(np.int64)
    return (starts - 1).astype("datetime64[us]")


def index_dates(times: npt.NDArray[np.datetime64], *, times_of_day: bool) -> npt.NDArray[np.datetime64]:
    """Index date of each prediction time: the latest that counts nothing after it.

    Parameters
    ----------
    times : ndarray of datetime64[us], shape (n,)
        Prediction times.
    times_of_day : bool
        Whether the dataset has events at other times than midnight. If not, midnight stands for the whole day.

    Returns
    -------
    ndarray of datetime64[D], shape (n,)
        The next day, where the prediction time is the end of a day (or stands for a whole one); else the same day,
        since the rest of it must not count, whereby what happened earlier on that day does not count either.

    Examples
    --------
    >>> noon, midnight = np.array(["2013-12-31T12:00", "2013-12-31T00:00"], dtype="datetime64[us]")
    >>> index_dates(np.array([noon, midnight]), times_of_day=False)
    array(['2013-12-31', '2014-01-01'], dtype='datetime64[D]')
    """
    microseconds = times.astype("datetime64[us]").astype(np.int64) % _DAY_US
    whole = microseconds == _DAY_US - 1
    if not times_of_day:
        whole |= microseconds == 0
    dates: npt.NDArray[np.datetime64] = times.astype(_DATES) + whole.astype("timedelta64[D]")
    return dates


def labels(cohort: pd.DataFrame, *, lag_days: int, horizon_days: int) -> pa.Table:
    """Labels in the MEDS label schema: whether the outcome comes after the lag and within the horizon.

    Parameters
    ----------
    cohort : DataFrame
        ``person_id`` (whole numbers), ``index_date``, ``event`` (1 outcome, 2 death, 0 censored) and ``time_days``.
    lag_days, horizon_days : int

    Returns
    -------
    pyarrow.Table
        ``subject_id``, ``prediction_time``, ``boolean_value``; no row for people censored within the horizon, of whom
        it is unknown.

    Raises
    ------
    DataError
        If a column is missing or ids are not whole numbers.
    """
    if absent := [c for c in ("person_id", "index_date", "event", "time_days") if c not in cohort]:
        raise DataError(f"labels: the cohort has no column {', '.join(absent)}")
    if cohort["person_id"].dtype.kind not in "iu":
        raise DataError("labels: MEDS needs whole numbers in person_id; the column holds something else")
    event, days = cohort["event"].to_numpy(), cohort["time_days"].to_numpy()
    table = pa.table(
        {
            "subject_id": pa.array(cohort["person_id"].to_numpy(), pa.int64()),
            "prediction_time": pa.array(prediction_times(cohort["index_date"].to_numpy()), pa.timestamp("us")),
            "boolean_value": pa.array((event == 1) & (days > lag_days) & (days <= horizon_days), pa.bool_()),
        }
    )
    return table.filter(pa.array(~((event == 0) & (days < horizon_days))))


def read_labels(path: Path, *, times_of_day: bool) -> pd.DataFrame:
    """People and index dates that a MEDS label file asks for, in its order.

    Returns
    -------
    DataFrame
        ``person_id``, ``index_date``, and ``label`` if the file has a ``boolean_value``.

    Raises
    ------
    DataError
        If the file is no Parquet file or has no subjects and prediction times.
    """
    table = read_table(path)
    if not {"subject_id", "prediction_time"} <= set(table.column_names):
        raise DataError(f"{path} holds no MEDS labels: it has no columns subject_id and prediction_time")
    frame: pd.DataFrame = table.select(["subject_id"]).rename_columns(["person_id"]).to_pandas()
    frame["index_date"] = index_dates(table.column("prediction_time").to_numpy(), times_of_day=times_of_day).astype(
        "datetime64[us]"
    )
    if "boolean_value" in table.column_names:
        frame["label"] = table.column("boolean_value").to_pandas()
    return frame


def read_splits(folder: Path) -> pa.Table | None:
    """Splits of a dataset's subjects.

    Returns
    -------
    pyarrow.Table or None
        ``person_id`` int64 and ``split`` string, sorted by id; None if the dataset has no splits.

    Raises
    ------
    DataError
        If the file is not of that form, or gives a subject two splits.
    """
    path = folder / "metadata" / "subject_splits.parquet"
    if not path.exists():
        return None
    table = read_table(path, ["subject_id", "split"])
    if table.column("subject_id").null_count or table.column("split").null_count:
        raise DataError(f"{path}: a subject or a split is missing; MEDS allows neither")
    splits = pa.table(
        {"person_id": table.column("subject_id").cast(pa.int64()), "split": table.column("split").cast(pa.string())}
    ).sort_by("person_id")
    if repeated := len(splits) - len(splits.column("person_id").unique()):
        raise DataError(f"{path}: {repeated} of {len(splits)} subjects occur more than once")
    return splits
