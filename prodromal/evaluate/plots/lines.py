"""Curves over a threshold or a lag, each named at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.plots.theme import BLUE, INK, MUTED, VERMILLION, canvas, log_ticks, quiet, styled
from prodromal.page import per_100k, rounded

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_decision_curve", "plot_lead_time"]

_COLOURS = {"model": BLUE, "age and sex": VERMILLION}


def plot_decision_curve(curve: pd.DataFrame) -> Figure:
    """Draw the net benefit beyond the better of acting for everyone and for nobody, over thresholds.

    Parameters
    ----------
    curve : DataFrame
        Table ``decision_curve``.
    """
    with styled():
        figure = canvas(8.6, 4.0)
        axes = figure.add_subplot()
        quiet(axes)
        axes.axhline(0, color=MUTED, linewidth=1.1, dashes=(4, 3))
        thresholds = np.sort(curve["threshold"].unique())
        top: dict[str, tuple[float, float]] = {}
        for name, colour in _COLOURS.items():
            part = curve[(curve["model"] == name) & (curve["measure"] == "gain_per_100k")].sort_values("threshold")
            if part["value"].notna().any():
                top[name] = _curve(axes, part, colour)
        axes.set_xscale("log")
        axes.minorticks_off()
        ticks = log_ticks(1e5 * thresholds[0], 1e5 * thresholds[-1])
        axes.set_xticks([t / 1e5 for t in ticks], [f"{per_100k(t / 1e5, 1)}" for t in ticks])
        axes.set_xlim(thresholds[0] * 0.97, thresholds[-1] * 1.03)
        axes.set_xlabel("Threshold: risk per 100,000 from which one would act", loc="left")
        axes.set_title(
            "Gain in net benefit, true cases per 100,000 people", loc="left", fontsize=10.5, color=MUTED, pad=10
        )
        _name_peaks(axes, top)
    return figure


def _curve(axes: Axes, part: pd.DataFrame, colour: str) -> tuple[float, float]:
    x, y = part["threshold"].to_numpy(dtype=float), part["value"].to_numpy(dtype=float)
    low, high = part["ci_low"].to_numpy(dtype=float), part["ci_high"].to_numpy(dtype=float)
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(x, y, color=colour, linewidth=2.0)
    if np.isnan(y).any():
        axes.vlines(x, low, high, color=colour, alpha=0.4, linewidth=1.2)
        axes.plot(x, y, "o", color=colour, markersize=4)
    peak = int(np.nanargmax(y))
    return float(x[peak]), float(y[peak])


def _name_peaks(axes: Axes, top: dict[str, tuple[float, float]]) -> None:
    for index, (name, (x, y)) in enumerate(top.items()):
        side = -1 if index == 0 else 1
        axes.annotate(
            name,
            (x, y),
            xytext=(side * 34, 12 if index == 0 else -26),
            textcoords="offset points",
            ha="right" if side < 0 else "left",
            color=_COLOURS[name],
            fontweight="bold",
        )


def plot_lead_time(ladder: pd.DataFrame) -> Figure:
    """Draw discrimination against the time between the index date and the diagnosis.

    Parameters
    ----------
    ladder : DataFrame
        Result of `compute_lead_time`.
    """
    with styled():
        figure = canvas(8.6, 4.0)
        axes = figure.add_subplot()
        quiet(axes)
        axes.axhline(0.5, color=MUTED, linewidth=1.1, dashes=(4, 3))
        lags = sorted(ladder["lag_days"].unique())
        parts = {name: ladder[ladder["model"] == name].set_index("lag_days").reindex(lags) for name in _COLOURS}
        ends = {name: part["value"].iloc[-1] for name, part in parts.items()}
        upper = max(ends, key=lambda name: ends[name] if not np.isnan(ends[name]) else -1.0)
        for name, part in parts.items():
            _rungs(axes, part, name, above=name == upper)
        axes.set_xticks(range(len(lags)), [_lag(float(lag)) for lag in lags])
        axes.set_xlim(-0.4, len(lags) - 0.3)
        axes.annotate("chance", (-0.36, 0.5), xytext=(0, 5), textcoords="offset points", color=MUTED)
        axes.set_xlabel("Time left out before the diagnosis", loc="left")
        title = "Share of case-control pairs ranked rightly"
        axes.set_title(title, loc="left", fontsize=10.5, color=MUTED, pad=10)
    return figure


def _rungs(axes: Axes, part: pd.DataFrame, name: str, *, above: bool) -> None:
    colour = _COLOURS[name]
    value = part["value"].to_numpy(dtype=float)
    if np.isnan(value).all():
        return
    x = np.arange(len(part)) + (0.0 if name == "model" else 0.08)
    axes.vlines(
        x, part["ci_low"].to_numpy(dtype=float), part["ci_high"].to_numpy(dtype=float), color=colour, linewidth=1.6
    )
    axes.plot(x, value, "o-", color=colour, markersize=5.5, linewidth=1.2)
    if name == "model":
        for at, v in zip(x, value, strict=True):
            if not np.isnan(v):
                axes.annotate(
                    rounded(v, 3), (at, v), xytext=(7, 4), textcoords="offset points", color=INK, fontsize=9.5
                )
    last = int(np.flatnonzero(~np.isnan(value))[-1])
    axes.annotate(
        name,
        (x[last], value[last]),
        xytext=(9, 14 if above else -20),
        textcoords="offset points",
        color=colour,
        fontweight="bold",
    )


def _lag(days: float) -> str:
    if days == 0:
        return "none"
    if days < 360:
        return f"{days / 30.44:.0f} months"
    return f"{days / 365.25:.0f} year{'s' if days > 550 else ''}"
