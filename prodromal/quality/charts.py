"""Three small charts as inline SVG that takes its colours and font from the page."""

from __future__ import annotations

from dataclasses import dataclass
from math import floor, isnan, log10
from typing import TYPE_CHECKING

from markupsafe import escape

from prodromal.page import count, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["Series", "draw_months", "draw_panels", "draw_pyramid"]

_WIDTH = 860
_PANEL, _PANEL_HEIGHT, _GUTTER, _HEAD, _FOOT = 268, 96, 28, 40, 26
_PER_ROW = 3


@dataclass(frozen=True)
class Series:
    """A line over years: title, points (NaN where none can be shown), last value in words, how values are written."""

    title: str
    years: Sequence[int]
    values: Sequence[float]
    last: str
    write: Callable[[float], str] = count


def draw_panels(series: Sequence[Series]) -> str:
    """Draw each series in a panel of its own, from zero to its highest value.

    Parameters
    ----------
    series : sequence of Series
        Row by row, three to a row.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    height = _HEAD + _PANEL_HEIGHT + _FOOT + 14
    rows = -(-len(series) // _PER_ROW)
    parts = [_open(rows * height)]
    for place, one in enumerate(series):
        parts += _panel(one, (place % _PER_ROW) * (_PANEL + _GUTTER), (place // _PER_ROW) * height)
    return "".join(parts) + "</svg>"


def _panel(series: Series, left: float, top: float) -> list[str]:
    known = [(year, value) for year, value in zip(series.years, series.values, strict=True) if not isnan(value)]
    highest = max((value for _, value in known), default=0.0) or 1.0
    first, last = series.years[0], series.years[-1]
    foot = top + _HEAD + _PANEL_HEIGHT

    def at(year: int, value: float) -> tuple[float, float]:
        x = left + 6 + (_PANEL - 12) * (year - first) / max(last - first, 1)
        return x, foot - _PANEL_HEIGHT * value / highest

    parts = [
        _text(left, top + 14, series.title, weight=600),
        _text(left, top + 31, series.last, ink="--muted", size=12),
        _line(left, foot, left + _PANEL, foot, "--muted"),
        _line(left, foot - _PANEL_HEIGHT, left + _PANEL, foot - _PANEL_HEIGHT, "--grid"),
        _text(left + _PANEL, top + 31, f"0 to {series.write(highest)}", anchor="end", ink="--muted", size=11),
        _text(left, foot + 16, str(first), ink="--muted", size=11),
        _text(left + _PANEL, foot + 16, str(last) if last != first else "", anchor="end", ink="--muted", size=11),
    ]
    for run in _runs(series):
        points = [at(*point) for point in run]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        parts.append(f'<polyline points="{path}" fill="none" style="stroke:var(--blue);stroke-width:2"/>')
        parts += [_dot(*points[0])] if len(points) == 1 else []
    return [*parts, _dot(*at(*known[-1]))] if known else parts


def _runs(series: Series) -> list[list[tuple[int, float]]]:
    """Stretches of years without a missing value."""
    runs: list[list[tuple[int, float]]] = [[]]
    for year, value in zip(series.years, series.values, strict=True):
        if isnan(value):
            runs.append([])
        else:
            runs[-1].append((year, value))
    return [run for run in runs if run]


def draw_months(months: Sequence[str], dispensings: Sequence[float], gaps: Sequence[bool]) -> str:
    """Draw dispensings by month as bars, those of gaps in another colour and with their month.

    Parameters
    ----------
    months : sequence of str
        Consecutive, as YYYY-MM.
    dispensings : sequence of float
        NaN where they may not be shown.
    gaps : sequence of bool
    """
    left, top, height = 58, 24, 190
    step = (_WIDTH - left) / max(len(months), 1)
    highest = max((d for d in dispensings if not isnan(d)), default=0.0) or 1.0
    parts = [_open(top + height + 26)]
    for share in (0.0, 0.5, 1.0):
        y = top + height * (1 - share)
        parts.append(_line(left, y, _WIDTH, y, "--grid" if share else "--muted"))
        parts.append(_text(left - 8, y + 4, _short(highest * share), anchor="end", ink="--muted", size=11))
    for place, (month, value, gap) in enumerate(zip(months, dispensings, gaps, strict=True)):
        x, tall = left + place * step, 0.0 if isnan(value) else height * value / highest
        colour = "--vermillion" if gap else "--blue"
        parts.append(
            f'<rect x="{x:.2f}" y="{top + height - tall:.2f}" width="{max(step * 0.84, 0.4):.2f}" height="{tall:.2f}" '
            f'style="fill:var({colour})"/>'
        )
        if gap:
            parts.append(_line(x + step / 2, top, x + step / 2, top + height - tall, colour))
            parts.append(_text(x + step / 2, top - 7, month, anchor=_inside(x, left), ink=colour, size=11))
    parts += _year_ticks(months, left, step, top + height + 18)
    return "".join(parts) + "</svg>"


def _inside(x: float, left: float) -> str:
    """Where a word is anchored so that it stays within the drawing."""
    return "start" if x < left + 30 else "end" if x > _WIDTH - 30 else "middle"


def _year_ticks(months: Sequence[str], left: float, step: float, y: float) -> list[str]:
    januaries = [(place, month[:4]) for place, month in enumerate(months) if month.endswith("-01")]
    every = max(1, round(46 / max(12 * step, 1)))
    return [
        _text(left + place * step, y, year, anchor="middle" if place else "start", ink="--muted", size=11)
        for place, year in januaries[::every]
    ]


def draw_pyramid(ages: Sequence[str], men: Sequence[float], women: Sequence[float]) -> str:
    """Draw people by age, men to the left and women to the right, the oldest on top.

    Parameters
    ----------
    ages : sequence of str
        From the youngest up.
    men, women : sequence of float
        People; NaN where they may not be shown.
    """
    line, top, middle, side = 25, 26, _WIDTH / 2, 250
    highest = max((n for n in (*men, *women) if not isnan(n)), default=0.0) or 1.0
    parts = [_open(top + line * len(ages) + 6)]
    parts += [
        _text(middle - 60, 14, "men", anchor="end", weight=600),
        _text(middle + 60, 14, "women", weight=600),
    ]
    for place, (age, man, woman) in enumerate(zip(ages[::-1], men[::-1], women[::-1], strict=True)):
        y = top + line * place
        parts.append(_text(middle, y + 15, age, anchor="middle", ink="--muted", size=12))
        for sign, number, colour in ((-1, man, "--blue"), (1, woman, "--vermillion")):
            wide = 0.0 if isnan(number) else side * number / highest
            start = middle + sign * 60 - (wide if sign < 0 else 0)
            words = "suppressed" if isnan(number) else count(number)
            parts.append(
                f'<rect x="{start:.1f}" y="{y + 2}" width="{wide:.1f}" height="{line - 6}" style="fill:var({colour})"/>'
            )
            end = middle + sign * (60 + wide + 8)
            parts.append(_text(end, y + 15, words, anchor="end" if sign < 0 else "start", size=12))
    return "".join(parts) + "</svg>"


def _open(height: float) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {height:.0f}" xmlns="http://www.w3.org/2000/svg" font-size="13">'


def _text(
    x: float, y: float, words: str, *, anchor: str = "start", ink: str = "--ink", size: int = 13, weight: int = 400
) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" font-weight="{weight}" '
        f'style="fill:var({ink})">{escape(words)}</text>'
    )


def _line(x1: float, y1: float, x2: float, y2: float, colour: str) -> str:
    return f'<line x1="{x1:.1f}" x2="{x2:.1f}" y1="{y1:.1f}" y2="{y2:.1f}" style="stroke:var({colour})"/>'


def _dot(x: float, y: float) -> str:
    return f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.2" style="fill:var(--blue)"/>'


def _short(value: float) -> str:
    """A number on an axis: 1.2 million, 35,000, 0.8."""
    if value >= 1e6:
        return f"{value / 1e6:.1f} million"
    if value >= 10 or value == 0:
        return count(value)
    return rounded(value, 2 + max(0, floor(log10(value))))
