"""Observed against predicted risk by tenths, before and after a recalibration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.plots.calibration import SCALE, limits_of, log_axes, shown_tenths
from prodromal.evaluate.plots.theme import BLUE, MUTED, VERMILLION, canvas, quiet, styled

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

__all__ = ["plot_before_after"]


def plot_before_after(before: pd.DataFrame, after: pd.DataFrame) -> Figure:
    """Draw the tenths of predicted risk of both, with their intervals.

    Parameters
    ----------
    before, after : DataFrame
        Tables ``calibration_deciles``.
    """
    drawn = {
        "before": (shown_tenths(before), VERMILLION, "s", 0.97),
        "after": (shown_tenths(after), BLUE, "o", 0.91),
    }
    with styled():
        figure = canvas(8.6, 5.6)
        axes = figure.add_subplot()
        quiet(axes, grid="both")
        values = [points[column] for points, *_ in drawn.values() for column in ("value", "expected")]
        limits = limits_of(SCALE * np.concatenate(values))
        axes.plot(limits, limits, color=MUTED, linewidth=1.1, dashes=(4, 3))
        for name, (points, colour, marker, height) in drawn.items():
            at, seen = SCALE * points["expected"].to_numpy(), SCALE * points["value"].to_numpy()
            axes.vlines(at, SCALE * points["ci_low"], SCALE * points["ci_high"], color=colour, linewidth=1.1, alpha=0.7)
            axes.plot(at, seen, marker, color=colour, markersize=5)
            axes.plot(0.02, height, marker, color=colour, markersize=5, transform=axes.transAxes)
            axes.annotate(name, (0.04, height), xycoords="axes fraction", va="center", color=colour)
        log_axes(axes, limits)
    return figure
