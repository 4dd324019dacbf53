"""Small multiples: model beside age and sex, one measure a panel, numbers at the dots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from prodromal.evaluate.calibration import FEW_EVENTS
from prodromal.evaluate.plots.theme import BLUE, INK, MUTED, VERMILLION, canvas, quiet, styled
from prodromal.page import count, percent, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_discrimination", "plot_review"]

_COLOURS = {"model": BLUE, "age and sex": VERMILLION}
_Panel = tuple[str, str, float | None, "Callable[[float], str]"]


def plot_discrimination(found: pd.DataFrame) -> Figure:
    """Draw concordance within sets, AUROC and average precision, model beside age and sex.

    Parameters
    ----------
    found : DataFrame
        Table ``discrimination``.

    Notes
    -----
    Below 100 outcomes the average precision rests on a case or two at the top: it is left to the tables.
    """
    panels: list[_Panel] = [
        ("c_within_sets", "Pairs of same age and sex\nranked rightly", 0.5, lambda v: percent(v, 3)),
        ("auroc", "AUROC, whole\npopulation", 0.5, lambda v: rounded(v, 3)),
        (
            "average_precision_over_prevalence",
            "Average precision,\nmultiple of prevalence",
            1.0,
            lambda v: rounded(v, 3),
        ),
    ]
    rows = found[found["events"] >= FEW_EVENTS]
    enough = (rows["measure"] == "average_precision_over_prevalence").any()
    panels = panels if enough else panels[:2]
    shown = [p for p in panels if found.loc[found["measure"] == p[0], "value"].notna().any()]
    return _panels(found, shown)


def plot_review(found: pd.DataFrame, capacity: float) -> Figure:
    """Draw what reviewing one share of people would find, model beside age and sex.

    Parameters
    ----------
    found : DataFrame
        Table ``capacity``.
    capacity : float
        The share, one of the table's.
    """
    panels: list[_Panel] = [
        ("sensitivity", "Later cases among\nthose reviewed", capacity, lambda v: percent(v, 2)),
        ("ppv", "Reviewed who become\ncases", None, lambda v: percent(v, 2)),
        ("flagged_per_true_case", "People reviewed per\ntrue case", None, count),
    ]
    part = found[found["capacity"] == capacity]
    return _panels(part, [p for p in panels if part.loc[part["measure"] == p[0], "value"].notna().any()])


def _panels(found: pd.DataFrame, panels: Sequence[_Panel]) -> Figure:
    with styled():
        figure = canvas(8.6, 2.1)
        if not panels:
            return figure
        grid = figure.add_gridspec(1, len(panels), wspace=0.12)
        for index, (measure, title, reference, write) in enumerate(panels):
            axes = figure.add_subplot(grid[0, index])
            rows = found[found["measure"] == measure].set_index("model").reindex(list(_COLOURS))
            _panel(axes, rows, (measure, title, reference, write), named=index == 0)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame, panel: _Panel, *, named: bool) -> None:
    _, title, reference, write = panel
    quiet(axes, grid="")
    value, low, high = (rows[c].to_numpy(dtype=float) for c in ("value", "ci_low", "ci_high"))
    for line, colour in enumerate(_COLOURS.values()):
        axes.hlines(line, low[line], high[line], color=colour, linewidth=2.2)
        axes.plot(value[line], line, "o", color=colour, markersize=8)
        if not np.isnan(value[line]):
            axes.annotate(
                write(float(value[line])),
                (value[line], line),
                xytext=(0, 9),
                textcoords="offset points",
                ha="center",
                color=INK,
                fontweight="bold",
            )
        elif not rows.iloc[line].isna().all():
            _say_missing(axes, line, str(rows["note"].iloc[line]), reference)
    if reference is not None:
        axes.axvline(reference, color=MUTED, linewidth=1.1, dashes=(4, 3))
    known = np.concatenate([value, low, high, [] if reference is None else [reference]])
    known = known[np.isfinite(known)]
    reach = max(float(np.ptp(known)), 1e-9)
    axes.set(xlim=(known.min() - 0.22 * reach, known.max() + 0.22 * reach), ylim=(1.45, -0.75))
    axes.set_yticks([0, 1], list(_COLOURS) if named else ["", ""])
    for label, colour in zip(axes.get_yticklabels(), _COLOURS.values(), strict=True):
        label.set_color(colour)
        label.set_fontweight("bold")
    axes.set_xticks([] if reference is None else [reference], [] if reference is None else [_chance(reference, title)])
    axes.set_title(title, loc="left", fontsize=10.5, color=MUTED, pad=8)


def _say_missing(axes: Axes, line: int, note: str, reference: float | None) -> None:
    """Say it right of the reference line, which would strike it through."""
    word = "suppressed" if note.startswith("suppressed") else "not computed"
    start, across = (0.0, "axes fraction") if reference is None else (reference, "data")
    said = axes.annotate(word, (start, line), xycoords=(across, "data"), xytext=(7, 0), textcoords="offset points")
    said.set(va="center", color=MUTED, fontsize=9.5, style="italic")


def _chance(reference: float, title: str) -> str:
    shares = title.startswith(("Pairs", "Later"))
    return f"chance {100 * reference:g} %" if shares else f"chance {reference:g}"
