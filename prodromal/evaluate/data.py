"""The one door: a frame of predictions and outcomes becomes checked arrays, and nothing else is evaluated."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import pandas as pd
from pandas.api.types import is_numeric_dtype

from prodromal.errors import DataError, DefinitionError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

__all__ = ["CENSORED", "DEATH", "OUTCOME", "EvaluationData", "MatchedSets", "as_frame", "join_outcomes"]

CENSORED, OUTCOME, DEATH = 0, 1, 2
_RESERVED = frozenset(
    {"risk", "score", "baseline_risk", "event", "time_days", "weight", "family", "set_id", "case", "person_id"}
)


@dataclass(frozen=True, eq=False)
class MatchedSets:
    """Cases with the controls matched to them, as rows of arrays.

    Attributes
    ----------
    set_code : int array of shape (n_rows,)
        Which set, numbered from 0.
    case : bool array of shape (n_rows,)
    score : float array of shape (n_rows,)
        What is ranked.
    baseline : float array of shape (n_rows,) or None
        What age and sex alone say; about uninformative where sets are matched on both.
    unit : int array of shape (n_sets,)
        Bootstrap unit of every set, numbered from 0: the family of its first case.
    """

    set_code: NDArray[np.int64]
    case: NDArray[np.bool_]
    score: NDArray[np.float64]
    baseline: NDArray[np.float64] | None
    unit: NDArray[np.int64]

    @classmethod
    def from_frame(cls, frame: pd.DataFrame) -> Self:
        """Check a frame with ``set_id``, ``case``, ``score`` (or ``risk``) and optional ``baseline_risk``, ``family``.

        Raises
        ------
        DataError
            If a column is absent, holds missing values, or no set has both a case and a control.
        """
        frame = as_frame(frame)
        _require(frame, ["set_id", "case", "score" if "score" in frame else "risk"], "matched sets")
        set_code, _ = pd.factorize(frame["set_id"])
        if (set_code < 0).any():
            raise DataError(f"matched sets: set_id is missing in {(set_code < 0).sum()} of {len(frame)} rows")
        case = _binary(frame, "case", "matched sets")
        unit = _first_case_unit(set_code, case, frame.get("family"))
        score = _finite(frame, "score" if "score" in frame else "risk", "matched sets")
        baseline = _finite(frame, "baseline_risk", "matched sets") if "baseline_risk" in frame else None
        return cls(set_code.astype(np.int64), case, score, baseline, unit)

    @property
    def n_sets(self) -> int:
        """Number of sets."""
        return len(self.unit)


@dataclass(frozen=True, eq=False)
class EvaluationData:
    """Predictions, follow-up, sampling weights and groups of ``n_rows`` people at their index dates.

    Attributes
    ----------
    risk : float array in [0, 1]
        Predicted probability of the outcome in ``(lag, horizon]`` days after the index date.
    score : float array
        What is ranked; the risk where no score was given.
    event : int8 array
        What ended follow-up: 0 censored, 1 outcome, 2 death without outcome.
    time_days : float array
        Days from the index date to that end, at least 0.
    weight : float array
        Inverse sampling fraction, above 0.
    family : int array
        Bootstrap unit of each row, numbered from 0 to ``n_families - 1``.
    baseline_risk : float array or None
        Predicted probability from age and sex alone.
    groups : DataFrame
        Further columns, aligned with the rows (``sex``, ``age_years``, ``index_date``, ...).
    horizon_days, lag_days : int
        The outcome counts if it falls in ``(lag_days, horizon_days]``.
    weightless : int
        Rows left out because their weight is 0: they stand for nobody in the population.
    matched : MatchedSets or None
        The rows read as matched sets, where ``set_id`` and ``case`` were given.
    """

    risk: NDArray[np.float64]
    score: NDArray[np.float64]
    event: NDArray[np.int8]
    time_days: NDArray[np.float64]
    weight: NDArray[np.float64]
    family: NDArray[np.int64]
    n_families: int
    baseline_risk: NDArray[np.float64] | None
    groups: pd.DataFrame
    horizon_days: int
    lag_days: int
    weightless: int = 0
    matched: MatchedSets | None = None

    @classmethod
    def from_frame(cls, frame: pd.DataFrame, *, horizon_days: int, lag_days: int) -> Self:
        """Check a frame and take it in.

        Parameters
        ----------
        frame : DataFrame or anything with the Arrow stream protocol
            ``risk``, ``event`` and ``time_days`` are required; ``score``, ``baseline_risk``, ``weight``, ``family``,
            ``set_id`` with ``case``, ``sex``, ``age_years``, ``index_date``, ``person_id`` and any further columns that
            form groups are optional.
        horizon_days, lag_days : int
            The window of the outcome, ``0 <= lag_days < horizon_days``.

        Raises
        ------
        DefinitionError
            If the window is empty.
        DataError
            If a required column is absent, values are missing or out of range, or no row has a positive weight.
        """
        if not 0 <= lag_days < horizon_days:
            raise DefinitionError("evaluation: the outcome window needs 0 <= lag_days < horizon_days")
        frame = as_frame(frame)
        _require(frame, ["risk", "event", "time_days"], "predictions")
        matched = MatchedSets.from_frame(frame) if {"set_id", "case"} <= set(frame.columns) else None
        weight = _within(frame, "weight", 0, np.inf) if "weight" in frame else np.ones(len(frame))
        kept = weight > 0
        if not kept.any():
            raise DataError(
                f"predictions: none of {len(frame)} rows has a weight above 0; give rows or leave weight out"
            )
        weightless = int((~kept).sum())
        if weightless:
            frame, weight = frame.loc[kept], weight[kept]
        family, n_families = _families(frame)
        risk = _within(frame, "risk", 0, 1)
        return cls(
            risk=risk,
            score=_finite(frame, "score", "predictions") if "score" in frame else risk,
            event=_codes(frame, "event"),
            time_days=_within(frame, "time_days", 0, np.inf),
            weight=weight,
            family=family,
            n_families=n_families,
            baseline_risk=_within(frame, "baseline_risk", 0, 1) if "baseline_risk" in frame else None,
            groups=frame.drop(columns=[c for c in frame.columns if c in _RESERVED]).reset_index(drop=True),
            horizon_days=horizon_days,
            lag_days=lag_days,
            weightless=weightless,
            matched=matched,
        )

    @property
    def n(self) -> int:
        """Number of rows."""
        return len(self.risk)


def as_frame(table: object) -> pd.DataFrame:
    """Give a pandas frame from a frame or from anything with the Arrow stream protocol."""
    if isinstance(table, pd.DataFrame):
        return table
    if hasattr(table, "__arrow_c_stream__"):
        import pyarrow as pa

        frame: pd.DataFrame = pa.table(table).to_pandas()
        return frame
    raise DefinitionError(f"evaluation: expected a data frame, not {type(table).__name__}")


def join_outcomes(
    risks: pd.DataFrame, outcomes: pd.DataFrame, *, on: Sequence[str] = ("person_id", "index_date")
) -> pd.DataFrame:
    """Put every prediction beside its outcome; each key must stand once on both sides.

    Parameters
    ----------
    risks, outcomes : DataFrame
        Both with the columns `on`.

    Returns
    -------
    DataFrame
        The predictions in their order with the outcome columns.

    Raises
    ------
    DataError
        If a key is repeated, an index date is no date, ids are numbers on one side and text on the other, or a
        prediction has no outcome. Outcomes without a prediction are left out: their people were not asked about.
    """
    keys = list(on)
    for name, frame in (("risks", risks), ("outcomes", outcomes)):
        _require(frame, keys, name)
        repeated = int(frame.duplicated(keys).sum())
        if repeated:
            raise DataError(
                f"{name}: {repeated} of {len(frame)} rows repeat a key ({', '.join(keys)}); keep one of each"
            )
    risks, outcomes = _dated(risks, "risks"), _dated(outcomes, "outcomes")
    for key in keys:
        if is_numeric_dtype(risks[key]) != is_numeric_dtype(outcomes[key]):
            raise DataError(f"column {key} holds numbers in one of risks and outcomes and text in the other")
    clash = [c for c in outcomes.columns if c in risks.columns and c not in keys]
    joined = risks.drop(columns=clash).merge(outcomes, on=keys, how="left", indicator="_found", validate="one_to_one")
    absent = joined.loc[joined["_found"] != "both", keys]
    if len(absent):
        raise DataError(
            f"risks: {len(absent)} of {len(risks)} predictions have no row in outcomes; give one for each"
            f"{_where_they_differ(absent, outcomes)}"
        )
    return joined.drop(columns="_found")


def _where_they_differ(absent: pd.DataFrame, outcomes: pd.DataFrame) -> str:
    """Say whether it is the ids or the index dates."""
    if not {"person_id", "index_date"} <= set(absent):
        return ""
    there = int(absent["person_id"].isin(outcomes["person_id"]).sum())
    if there == 0:
        return " (none of their people is in outcomes)"
    if there == len(absent):
        return " (their people are in outcomes, at other index dates)"
    return f" (the people of {there} are in outcomes, at other index dates; those of the others are not)"


def _dated(frame: pd.DataFrame, table: str) -> pd.DataFrame:
    """The frame with its index dates as dates, whatever file they came from."""
    if "index_date" not in frame:
        return frame
    dates = pd.to_datetime(frame["index_date"], errors="coerce", format="ISO8601")
    if wrong := int(dates.isna().sum()):
        raise DataError(f"{table}: {wrong} of {len(frame)} values of index_date are no dates of the form YYYY-MM-DD")
    return frame.assign(index_date=dates.astype("datetime64[s]"))


def _require(frame: pd.DataFrame, names: Sequence[str], table: str) -> None:
    absent = [name for name in names if name not in frame.columns]
    if absent:
        raise DataError(
            f"{table}: required column {', '.join(absent)} is absent; the frame has {len(frame.columns)} columns"
        )
    if not len(frame):
        raise DataError(f"{table}: the frame has no rows")


def _numbers(frame: pd.DataFrame, name: str, table: str) -> NDArray[np.float64]:
    try:
        values = frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError) as error:
        raise DataError(f"{table}: column {name} does not hold numbers") from error
    missing = int(np.isnan(values).sum())
    if missing:
        raise DataError(f"{table}: column {name} is missing in {missing} of {len(values)} rows; drop or complete them")
    return values


def _within(frame: pd.DataFrame, name: str, low: float, high: float) -> NDArray[np.float64]:
    values = _numbers(frame, name, "predictions")
    outside = int(((values < low) | (values > high) | np.isinf(values)).sum())
    if outside:
        allowed = f"between {low:g} and {high:g}" if np.isfinite(high) else f"finite and at least {low:g}"
        raise DataError(f"predictions: column {name} must be {allowed}; {outside} of {len(values)} rows are not")
    return values


def _finite(frame: pd.DataFrame, name: str, table: str) -> NDArray[np.float64]:
    values = _numbers(frame, name, table)
    infinite = int(np.isinf(values).sum())
    if infinite:
        raise DataError(f"{table}: column {name} is infinite in {infinite} of {len(values)} rows")
    return values


def _codes(frame: pd.DataFrame, name: str) -> NDArray[np.int8]:
    values = _numbers(frame, name, "predictions")
    unknown = int((~np.isin(values, (CENSORED, OUTCOME, DEATH))).sum())
    if unknown:
        raise DataError(
            f"predictions: column {name} must be 0 (censored), 1 (outcome) or 2 (death); "
            f"{unknown} of {len(values)} rows are not"
        )
    return values.astype(np.int8)


def _binary(frame: pd.DataFrame, name: str, table: str) -> NDArray[np.bool_]:
    values = _numbers(frame, name, table)
    unknown = int((~np.isin(values, (0, 1))).sum())
    if unknown:
        raise DataError(f"{table}: column {name} must be 0 or 1; {unknown} of {len(values)} rows are not")
    return values.astype(np.bool_)


def _families(frame: pd.DataFrame) -> tuple[NDArray[np.int64], int]:
    if "family" not in frame:
        return np.arange(len(frame)), len(frame)
    codes, names = pd.factorize(frame["family"])
    missing = int((codes < 0).sum())
    if missing:
        raise DataError(
            f"predictions: column family is missing in {missing} of {len(frame)} rows; give each row its own"
        )
    return codes.astype(np.int64), len(names)


def _first_case_unit(
    set_code: NDArray[np.int64], case: NDArray[np.bool_], family: pd.Series | None
) -> NDArray[np.int64]:
    n_sets = int(np.max(set_code)) + 1
    with_case = np.unique(set_code[case])
    if not len(with_case) or not np.isin(set_code[~case], with_case).any():
        raise DataError(f"matched sets: none of {n_sets} sets has both a case and a control")
    if family is None:
        return np.arange(n_sets)
    first = np.full(n_sets, -1)
    rows = np.flatnonzero(case)[::-1]
    first[set_code[rows]] = rows
    codes, names = pd.factorize(family)
    return np.where(first >= 0, codes[first], len(names) + np.arange(n_sets)).astype(np.int64)
