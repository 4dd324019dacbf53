"""Predicted against observed risk on log axes, with the band, the tenths of the population, and where people are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.plots.theme import BLUE, INK, MUTED, canvas, log_ticks, quiet, styled
from prodromal.page import per_100k

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["SCALE", "limits_of", "log_axes", "plot_calibration", "shown_tenths"]

SCALE = 1e5


def plot_calibration(curve: pd.DataFrame, tenths: pd.DataFrame) -> Figure:
    """Draw the smooth calibration curve and observed risk by tenths of predicted risk.

    Parameters
    ----------
    curve : DataFrame
        Table ``calibration_curve``.
    tenths : DataFrame
        Table ``calibration_deciles``.
    """
    points = shown_tenths(tenths)
    with styled():
        figure = canvas(8.6, 5.6)
        axes = figure.add_subplot()
        quiet(axes, grid="both")
        known = curve[curve["value"].notna()]
        x = SCALE * known["predicted_risk"].to_numpy(dtype=float)
        limits = limits_of(
            SCALE * np.concatenate([known["predicted_risk"], known["value"], points["expected"], points["value"]])
        )
        axes.plot(limits, limits, color=MUTED, linewidth=1.1, dashes=(4, 3))
        axes.fill_between(
            x,
            np.maximum(SCALE * known["ci_low"].to_numpy(dtype=float), limits[0]),
            np.minimum(SCALE * known["ci_high"].to_numpy(dtype=float), limits[1]),
            color=BLUE,
            alpha=0.16,
            linewidth=0,
        )
        axes.plot(x, SCALE * known["value"].to_numpy(dtype=float), color=BLUE, linewidth=2.2)
        at = SCALE * points["expected"].to_numpy()
        axes.vlines(
            at, SCALE * points["ci_low"].to_numpy(), SCALE * points["ci_high"].to_numpy(), color=INK, linewidth=1.1
        )
        axes.plot(at, SCALE * points["value"].to_numpy(), "o", color=INK, markersize=5)
        log_axes(axes, limits)
        _labels(axes, limits, known, points)
    return figure


def shown_tenths(tenths: pd.DataFrame) -> pd.DataFrame:
    """Give tenths whose observed and mean predicted risk can stand on a log axis."""
    by_measure = {m: part.set_index("group") for m, part in tenths.groupby("measure")}
    points = by_measure["observed_risk"][["value", "ci_low", "ci_high"]].copy()
    points["expected"] = by_measure["expected_risk"]["value"]
    return points[(points["value"] > 0) & (points["expected"] > 0)]


def limits_of(values: np.ndarray) -> tuple[float, float]:
    """Ends of both axes, a little wider than the values."""
    fine = values[np.isfinite(values) & (values > 0)]
    if not len(fine):
        return 1.0, 100.0
    return float(fine.min() / 1.45), float(fine.max() * 1.45)


def log_axes(axes: Axes, limits: tuple[float, float]) -> None:
    """Give both axes round numbers per 100,000."""
    ticks = log_ticks(*limits)
    labels = [per_100k(t / SCALE, 1) for t in ticks]
    axes.set(xscale="log", yscale="log", xlim=limits, ylim=limits)
    axes.minorticks_off()
    axes.set_xticks(ticks, labels)
    axes.set_yticks(ticks, labels)
    axes.set_xlabel("Predicted risk per 100,000", loc="left")
    axes.set_title("Observed risk per 100,000", loc="left", fontsize=10.5, color=MUTED, pad=10)


def _labels(axes: Axes, limits: tuple[float, float], known: pd.DataFrame, points: pd.DataFrame) -> None:
    x, at = (SCALE * part.to_numpy(dtype=float) for part in (known["predicted_risk"], points["expected"]))
    corner = (limits[0] ** 0.14 * limits[1] ** 0.86, limits[1] * 0.97)
    axes.annotate("perfect agreement", corner, ha="right", va="top", color=MUTED)
    if len(x):
        end = SCALE * float(known["value"].iloc[-1])
        axes.annotate(
            "smooth curve,\n95 % band", (x[-1], end), xytext=(6, -20), textcoords="offset points", va="top", color=BLUE
        )
    if len(at) > 2:
        first = SCALE * float(points["value"].iloc[2])
        axes.annotate(
            "each dot: a tenth\nof the population",
            (at[2], first),
            xytext=(16, -44),
            textcoords="offset points",
            va="top",
            color=INK,
        )
