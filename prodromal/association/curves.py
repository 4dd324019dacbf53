"""Kaplan-Meier survival, and the Aalen-Johansen probability of each of several ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from prodromal.association.ratio_fit import _NORMAL_975
from prodromal.association.risk_sets import check_times
from prodromal.errors import DataError, NotEstimable

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.association.newton import Floats

__all__ = ["aalen_johansen", "at_times", "kaplan_meier"]


def kaplan_meier(
    time: Any, event: Any, *, entry: Any = None, limits: Literal["log", "log-log"] = "log-log"
) -> pd.DataFrame:
    """Estimate survival.

    Parameters
    ----------
    time, event, entry : array_like, shape (n_rows,)
        As for `fit_cox`.
    limits : {"log", "log-log"}
        Scale on which the interval is symmetric.

    Returns
    -------
    DataFrame
        At each event time ``time, at_risk, events, survival, se, ci_low, ci_high``; Greenwood's error.

    Raises
    ------
    DataError
        If times are missing, negative or zero.
    NotEstimable
        If nobody is followed.
    """
    import pandas as pd

    stop, happened, start = check_times(time, event, entry, what="survival curve")
    if not len(stop):
        raise NotEstimable("survival curve: nobody is followed")
    at = np.unique(stop[happened])
    risk = _at_risk(at, stop, start)
    events = np.bincount(np.searchsorted(at, stop[happened]), minlength=len(at))
    survival = np.cumprod(1 - events / risk)
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = np.cumsum(events / (risk * (risk - events)))
        error = np.sqrt(variance)
        if limits == "log":
            low, high = (survival * np.exp(s * _NORMAL_975 * error) for s in (-1, 1))
        else:
            spread = _NORMAL_975 * error / np.abs(np.log(survival))
            low, high = (survival ** np.exp(s * spread) for s in (1, -1))
        se = np.where(survival > 0, survival * error, np.nan)
    known = survival > 0
    return pd.DataFrame(
        {
            "time": at,
            "at_risk": risk,
            "events": events,
            "survival": survival,
            "se": se,
            "ci_low": np.where(known, low, np.nan),
            "ci_high": np.where(known, np.minimum(high, 1.0), np.nan),
        }
    )


def aalen_johansen(time: Any, cause: Any, *, causes: int = 2) -> pd.DataFrame:
    """Estimate the probability that each cause has ended follow-up, the others competing.

    Parameters
    ----------
    time : array_like of float, shape (n_rows,)
    cause : array_like of int, shape (n_rows,)
        0 censored, else 1 to `causes`.

    Returns
    -------
    DataFrame
        ``time, at_risk, cause, probability, se, ci_low, ci_high``; infinitesimal-jackknife errors, limits symmetric on
        the log-log scale.

    Raises
    ------
    DataError
        If a cause is none of 0 to `causes`.
    NotEstimable
        If nobody has an event.
    """
    import pandas as pd

    why = np.asarray(cause)
    stop, happened, start = check_times(time, why > 0, what="curves of causes")
    if wrong := int((~np.isin(why, range(causes + 1))).sum()):
        raise DataError(f"curves of causes: {wrong} of {len(why)} causes are none of 0 to {causes}")
    if not happened.any():
        raise NotEstimable(f"curves of causes: none of {len(stop)} people has an event")
    at = np.unique(stop[happened])
    risk = _at_risk(at, stop, start)
    place = np.searchsorted(at, stop[happened])
    events = np.stack([np.bincount(place[why[happened] == k + 1], minlength=len(at)) for k in range(causes)])
    hazard = events / risk
    survival = np.cumprod(1 - hazard.sum(axis=0))
    before = np.concatenate([[1.0], survival[:-1]])
    probability = np.cumsum(before * hazard, axis=1)
    frames = []
    for k in range(causes):
        se = _influence(at, risk, hazard, before, stop, why, k)
        with np.errstate(divide="ignore", invalid="ignore"):
            left = 1 - probability[k]
            spread = _NORMAL_975 * se / (left * np.abs(np.log(left)))
            low, high = (1 - left ** np.exp(s * spread) for s in (-1, 1))
        frames.append(
            pd.DataFrame(
                {
                    "time": at,
                    "at_risk": risk,
                    "cause": k + 1,
                    "probability": probability[k],
                    "se": se,
                    "ci_low": np.where(se > 0, low, probability[k]),
                    "ci_high": np.where(se > 0, high, probability[k]),
                }
            )
        )
    return pd.concat(frames, ignore_index=True)


def at_times(curve: pd.DataFrame, times: Any, *, time: str = "time") -> pd.DataFrame:
    """Rows of a curve that hold at given times: the last event at or before each; none where there was none yet."""
    place = np.searchsorted(curve[time].to_numpy(), np.asarray(times, dtype=np.float64), "right") - 1
    return curve.iloc[place[place >= 0]].assign(**{time: np.asarray(times)[place >= 0]}).reset_index(drop=True)


def _at_risk(at: Floats, stop: Floats, start: Floats) -> Any:
    left = len(stop) - np.searchsorted(np.sort(stop), at, "left")
    return left - (len(start) - np.searchsorted(np.sort(start), at, "left"))


def _influence(at: Floats, risk: Any, hazard: Floats, before: Floats, stop: Floats, why: Any, k: int) -> Floats:
    """Root of the summed squared influence of each person on the curve of cause ``k``, at every time.

    People with the same end and cause have the same influence. A change ``dh`` of the hazards at one time moves the
    curve later by ``S(t-) dh_k - (C(end) - C(t)) sum(dh) / (1 - h)``.
    """
    kinds, counts = np.unique(np.column_stack([stop, why]), axis=0, return_counts=True)
    total = hazard.sum(axis=0)
    curve = np.cumsum(before * hazard[k])
    with np.errstate(divide="ignore", invalid="ignore"):
        per_loss = np.where(total < 1, 1 / ((1 - total) * risk), 0.0)
    own, lost = -before * hazard[k] / risk, -total * per_loss
    cum_own, cum_lost, cum_curve = (np.cumsum(x) for x in (own, lost, lost * curve))
    square = np.zeros(len(at))
    for (end, cause), count in zip(kinds.tolist(), counts.tolist(), strict=True):
        last = int(np.searchsorted(at, end, "right")) - 1
        if last < 0:
            continue
        upto = np.minimum(np.arange(len(at)), last)
        change = cum_own[upto] - (curve * cum_lost[upto] - cum_curve[upto])
        if cause > 0:
            later = np.arange(len(at)) >= last
            change = change - later * (curve - curve[last]) * per_loss[last]
            if int(cause) == k + 1:
                change = change + later * before[last] / risk[last]
        square += count * change**2
    return np.asarray(np.sqrt(square))
