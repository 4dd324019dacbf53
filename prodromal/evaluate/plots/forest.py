"""Estimates with their intervals, one group a line, one measure a panel."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.plots.theme import BLUE, INK, MUTED, canvas, log_ticks, quiet, styled
from prodromal.page import interval, rounded

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_forest"]

_LONGEST = 30


def plot_forest(frame: pd.DataFrame, *, panels: Sequence[tuple[str, str, float, bool]]) -> Figure:
    """Draw one line per label and one panel per measure.

    Parameters
    ----------
    frame : DataFrame
        ``label, measure, value, ci_low, ci_high, n, events, note``; labels are shown in their order.
    panels : sequence of (measure, title, reference, log)
        The value that means "as it should be", and whether the axis is logarithmic.
    """
    labels = list(dict.fromkeys(frame["label"]))
    with styled():
        figure = canvas(8.6, 0.95 + 0.36 * len(labels))
        grid = figure.add_gridspec(1, len(panels), wspace=0.04)
        for index, (measure, title, reference, log) in enumerate(panels):
            axes = figure.add_subplot(grid[0, index])
            rows = frame[frame["measure"] == measure].set_index("label").reindex(labels)
            _panel(axes, rows, title=title, reference=reference, log=log, names=labels if index == 0 else None)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, title: str, reference: float, *, log: bool, names: list[str] | None) -> None:
    quiet(axes, grid="x")
    place = np.arange(len(rows))
    value, low, high = (rows[c].to_numpy(dtype=float) for c in ("value", "ci_low", "ci_high"))
    axes.axvline(reference, color=MUTED, linewidth=1.1, dashes=(4, 3))
    axes.hlines(place, low, high, color=BLUE, linewidth=1.6)
    axes.plot(value, place, "o", color=BLUE, markersize=5.5)
    left, right = _span(value, low, high, reference, log=log)
    axes.set(xlim=(left, right), ylim=(len(rows) - 0.4, -0.6))
    if log:
        axes.set_xscale("log")
        axes.minorticks_off()
        ticks = _ratio_ticks(left, right)
        axes.set_xticks(ticks, [rounded(t, 1) if t < 1 else rounded(t, 2).removesuffix(".0") for t in ticks])
    else:
        axes.set_xticks([t for t in axes.get_xticks() if left <= t <= _largest(high, value)])
    shown = [textwrap.shorten(name, _LONGEST, placeholder=" …") for name in names or []]
    axes.set_yticks(place, shown or [""] * len(rows), parse_math=False)
    axes.tick_params(axis="y", labelcolor=INK)
    axes.set_title(title, loc="left", fontsize=10.5, color=MUTED, pad=10)
    for i in range(len(rows)):
        _write(axes, i, rows.iloc[i], reference)


def _largest(*columns: np.ndarray) -> float:
    known = np.concatenate(columns)
    return float(np.max(known, initial=-np.inf, where=np.isfinite(known)))


def _write(axes: Axes, line: int, row: pd.Series, reference: float) -> None:
    value, low, high, note = float(row["value"]), float(row["ci_low"]), float(row["ci_high"]), str(row["note"])
    if np.isnan(value):
        short = "suppressed" if note.startswith("suppressed") else "not computed"
        said = axes.annotate(short, (reference, line), xytext=(7, 0), textcoords="offset points", va="center")
        said.set(color=MUTED, fontsize=9.5, style="italic")
        return
    text = rounded(value)
    if not np.isnan(low):
        text += f"  ({interval(low, high, 3)})"
    axes.annotate(
        text, (1.0, line), xycoords=("axes fraction", "data"), ha="right", va="center", color=INK, fontsize=9.5
    )


def _span(value: np.ndarray, low: np.ndarray, high: np.ndarray, reference: float, *, log: bool) -> tuple[float, float]:
    known = np.concatenate([value, low, high, [reference]])
    known = known[np.isfinite(known) & ((known > 0) | (not log))]
    left, right = float(known.min()), float(known.max())
    if log:
        left, right = min(left, reference / 1.3), max(right, reference * 1.3)
        reach = right / left
        return left / reach**0.06, right * reach**0.95
    reach = max(right - left, 0.05)
    return left - 0.06 * reach, right + 0.95 * reach


def _ratio_ticks(left: float, right: float) -> list[float]:
    fine = [t for t in (0.25, 0.5, 0.7, 1.0, 1.4, 2.0, 4.0) if left <= t <= right]
    return [t for t in fine if t <= right**0.62] or log_ticks(left, right)
