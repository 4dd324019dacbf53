"""Forest plots and small multiples as inline SVG in the colours of the page."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["ForestRow", "Panel", "Series", "forest", "multiples"]

_WIDTH = 900
_LINE = 27
_LEFT, _RIGHT = 270, 690
_INK, _MUTED, _GRID = "var(--ink)", "var(--muted)", "var(--grid)"
BLUE, VERMILLION = "var(--blue)", "var(--vermillion)"


@dataclass(frozen=True)
class ForestRow:
    """One line of a forest plot.

    Parameters
    ----------
    label : str
    text : str
        The numbers as written at the right, or why there are none.
    estimate, low, high : float
        NaN where not known.
    heading : bool
        A line of words alone.
    published : bool
        Drawn hollow and muted.
    """

    label: str
    text: str = ""
    estimate: float = float("nan")
    low: float = float("nan")
    high: float = float("nan")
    heading: bool = False
    published: bool = False


@dataclass(frozen=True, eq=False)
class Series:
    """A line with its band, or dots with their intervals; its name stands at a place of the chart."""

    x: np.ndarray
    y: np.ndarray
    low: np.ndarray
    high: np.ndarray
    colour: str
    label: str = ""
    label_at: tuple[float, float] | None = None
    dots: bool = False


@dataclass(frozen=True, eq=False)
class Panel:
    """One of several charts side by side."""

    title: str
    series: Sequence[Series]


def forest(rows: Sequence[ForestRow], *, axis: str) -> str:
    """Draw ratios with their intervals on a logarithmic axis, one a line.

    Parameters
    ----------
    rows : sequence of ForestRow
    axis : str
        What the axis shows.
    """
    known = [v for r in rows for v in (r.estimate, r.low, r.high) if math.isfinite(v) and v > 0]
    low, high = min([0.8, *known]), max([1.6, *known])
    low, high = max(low, 0.2), min(high, 40.0)
    low, high = low / (high / low) ** 0.04, high * (high / low) ** 0.04

    def place(value: float) -> float:
        share = (math.log(min(max(value, low), high)) - math.log(low)) / (math.log(high) - math.log(low))
        return _LEFT + share * (_RIGHT - _LEFT)

    bottom = 34 + _LINE * len(rows)
    parts = [_text(_LEFT, 14, axis, _MUTED, size=13)]
    for tick in _ratios(low, high):
        x = place(tick)
        dash = ' stroke-dasharray="5 4"' if tick == 1 else ""
        parts.append(_line(x, 24, x, bottom, _MUTED if tick == 1 else _GRID, 1.2 if tick == 1 else 1, dash))
        parts.append(_text(x, bottom + 19, f"{tick:g}", _MUTED, anchor="middle", size=13))
    for i, row in enumerate(rows):
        parts += _forest_line(row, 34 + _LINE * i + _LINE / 2, place, high)
    return _svg(parts, bottom + 28)


def _forest_line(row: ForestRow, y: float, place: object, limit: float) -> list[str]:
    assert callable(place)
    if row.heading:
        return [_text(0, y + 5, row.label, _INK, weight=640)]
    colour = _MUTED if row.published else BLUE
    parts = [_text(14, y + 5, row.label, _MUTED if row.published else _INK)]
    if math.isfinite(row.low) and math.isfinite(row.high):
        parts.append(_line(place(row.low), y, place(row.high), y, colour, 1.6 if row.published else 2.2))
        if row.high > limit:
            parts.append(f'<path d="M{_RIGHT - 7} {y - 5} L{_RIGHT} {y} L{_RIGHT - 7} {y + 5}" style="fill:{colour}"/>')
    if math.isfinite(row.estimate):
        fill = "var(--paper)" if row.published else colour
        style = f"fill:{fill};stroke:{colour};stroke-width:1.8"
        parts.append(f'<circle cx="{place(row.estimate):.1f}" cy="{y:.1f}" r="5" style="{style}"/>')
    weak = row.published or not math.isfinite(row.estimate)
    return [*parts, _text(_WIDTH, y + 5, row.text, _MUTED if weak else _INK, anchor="end")]


def multiples(
    panels: Sequence[Panel],
    *,
    y: tuple[float, float],
    ticks: Sequence[tuple[float, str]],
    x_ticks: Sequence[tuple[float, str]],
    x_title: str,
    log: bool = False,
    reference: float | None = None,
    height: int = 270,
    columns: int = 3,
) -> str:
    """Draw small charts with common axes, each named above, lines named at their ends.

    Parameters
    ----------
    panels : sequence of Panel
    y : (float, float)
        Range.
    ticks, x_ticks : sequence of (float, str)
    x_title : str
    log : bool
        Logarithmic vertical axis.
    reference : float, optional
        Dashed line.
    height : int
    columns : int
        Panels in a row.
    """
    rows = -(-len(panels) // columns)
    gap, left, top, foot = 26, 44, 40, 52
    width = (_WIDTH - left - gap * (columns - 1)) / columns
    parts: list[str] = []
    for i, panel in enumerate(panels):
        x0, y0 = left + (i % columns) * (width + gap), (i // columns) * (height + 6) + top
        box = _Box(x0, y0, width, height - top - foot, (x_ticks[0][0], x_ticks[-1][0]), y, log)
        parts.append(_text(x0, y0 - 18, panel.title, _INK, weight=640))
        for value, word in ticks:
            dashed = reference is not None and value == reference
            style = (_MUTED, 1.2, ' stroke-dasharray="5 4"') if dashed else (_GRID, 1, "")
            parts.append(_line(x0, box.down(value), x0 + width, box.down(value), *style))
            if i % columns == 0:
                parts.append(_text(x0 - 8, box.down(value) + 4, word, _MUTED, anchor="end", size=12.5))
        for value, word in x_ticks:
            parts.append(_text(box.across(value), y0 + box.height + 18, word, _MUTED, anchor="middle", size=12.5))
        if i % columns == 0:
            parts.append(_text(x0, y0 + box.height + 38, x_title, _MUTED, size=12.5))
        parts += [piece for series in panel.series for piece in _series(series, box)]
    return _svg(parts, rows * (height + 6))


@dataclass(frozen=True)
class _Box:
    x: float
    y: float
    width: float
    height: float
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    log: bool

    def across(self, value: float) -> float:
        """Horizontal place."""
        low, high = self.x_range
        return self.x + (value - low) / (high - low) * self.width

    def down(self, value: float) -> float:
        """Vertical place."""
        low, high = self.y_range
        inside = min(max(value, low), high)
        if self.log:
            inside, low, high = math.log(inside), math.log(low), math.log(high)
        return self.y + (high - inside) / (high - low) * self.height


def _series(s: Series, box: _Box) -> list[str]:
    fine = np.isfinite(s.y)
    if not fine.any():
        reason = _text(box.x + 4, box.y + box.height / 2, "suppressed or not estimable", _MUTED, size=12.5)
        return [reason] if s.dots else []
    x, y, low, high = (v[fine] for v in (s.x, s.y, s.low, s.high))
    if s.dots:
        bars = [
            _line(box.across(a), box.down(b), box.across(a), box.down(c), s.colour, 1.8)
            for a, b, c in zip(x, low, high, strict=True)
            if math.isfinite(b)
        ]
        dots = [
            f'<circle cx="{box.across(a):.1f}" cy="{box.down(b):.1f}" r="4.2" style="fill:{s.colour}"/>'
            for a, b in zip(x, y, strict=True)
        ]
        return [_path(x, y, box, f"fill:none;stroke:{s.colour};stroke-width:1.1;opacity:0.6"), *bars, *dots]
    known = np.isfinite(low) & np.isfinite(high)
    edge = np.concatenate([x[known], x[known][::-1]]), np.concatenate([high[known], low[known][::-1]])
    band = _path(*edge, box, f"fill:{s.colour};fill-opacity:var(--band);stroke:none", closed=True)
    line = _path(x, y, box, f"fill:none;stroke:{s.colour};stroke-width:2.1")
    if s.label_at is None:
        return [band, line]
    at = s.label_at
    return [band, line, _text(box.across(at[0]), box.down(at[1]), s.label, s.colour, weight=640, size=13)]


def _path(x: np.ndarray, y: np.ndarray, box: _Box, style: str, *, closed: bool = False) -> str:
    points = " ".join(f"{box.across(float(a)):.1f},{box.down(float(b)):.1f}" for a, b in zip(x, y, strict=True))
    return f'<{"polygon" if closed else "polyline"} points="{points}" style="{style}"/>'


def _ratios(low: float, high: float) -> list[float]:
    fine = (0.25, 0.5, 0.7, 1, 1.4, 2, 3, 4, 6, 10, 20, 40) if high / low < 8 else (0.25, 0.5, 1, 2, 4, 8, 16, 32)
    return [t for t in fine if low <= t <= high]


def _line(x1: float, y1: float, x2: float, y2: float, colour: str, width: float, more: str = "") -> str:
    style = f"stroke:{colour};stroke-width:{width}"
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"{more} style="{style}"/>'


def _text(
    x: float, y: float, words: str, colour: str, *, anchor: str = "start", weight: int = 400, size: float = 14
) -> str:
    style = f"fill:{colour};font-size:{size}px;font-weight:{weight}"
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="{style}">{escape(words)}</text>'


def _svg(parts: Sequence[str], height: float) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
