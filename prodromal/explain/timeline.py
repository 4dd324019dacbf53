"""A timeline of one person's dispensings by class, the windows shaded, as inline SVG."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from prodromal.windows import Window

__all__ = ["draw_timeline"]

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE, _FOOT = 860, 190, 20, 34, 26, 30
_DAYS_PER_YEAR = 365


@dataclass(frozen=True)
class _Scale:
    """Square root of days, because windows close to the index date are short; time runs to the right."""

    reach: int
    height: int

    def x(self, days: float) -> float:
        share = sqrt(min(days, self.reach) / self.reach)
        return _WIDTH - _RIGHT - (_WIDTH - _LEFT - _RIGHT) * share

    def band(self, far: float, near: float, style: str) -> str:
        left, right = self.x(far), self.x(near)
        return (
            f'<rect x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{self.height - _TOP - _FOOT}" '
            f'style="{style}"/>'
        )


def draw_timeline(days_before: Mapping[str, Sequence[int]], windows: Sequence[Window], *, observed_days: int) -> str:
    """Draw marks for dispensings, one line per class, time running to the index date at the right.

    Parameters
    ----------
    days_before : mapping of str to sequence of int
        For each class the days before the index date of its dispensings, each at least 1.
    windows : sequence of Window
        Shaded in turn and labelled on top.
    observed_days : int
        Days before the index date that were observed; what lies further back is shaded as not observed.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    reach = max((window.to_days - 1 for window in windows), default=10 * _DAYS_PER_YEAR)
    scale = _Scale(reach, _TOP + _LINE * max(1, len(days_before)) + _FOOT)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {scale.height}" xmlns="http://www.w3.org/2000/svg" font-size="12">']
    parts += _windows(windows, scale)
    if observed_days < reach:
        parts.append(scale.band(reach, observed_days, "fill:var(--caution-rule);fill-opacity:.22"))
    for line, (label, days) in enumerate(days_before.items()):
        parts += _line(scale, _TOP + _LINE * (line + 0.5), label, days)
    parts += _axis(scale)
    return "".join(parts) + "</svg>"


def _text(x: float, y: float, words: str, *, anchor: str = "middle", ink: str = "--muted") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" style="fill:var({ink})">{escape(words)}</text>'


def _windows(windows: Sequence[Window], scale: _Scale) -> list[str]:
    parts = []
    for position, window in enumerate(sorted(windows)):
        far, near = window.to_days - 1, window.from_days - 1
        parts.append(scale.band(far, near, f"fill:var(--blue);fill-opacity:{0.10 if position % 2 == 0 else 0.04}"))
        parts.append(_text((scale.x(far) + scale.x(near)) / 2, _TOP - 8, window.label))
    return parts


def _line(scale: _Scale, y: float, label: str, days: Sequence[int]) -> list[str]:
    rule = f'<line x1="{scale.x(scale.reach):.1f}" x2="{scale.x(0):.1f}" y1="{y}" y2="{y}" style="stroke:var(--rule)"/>'
    dots = [
        f'<circle cx="{scale.x(day):.1f}" cy="{y}" r="4" style="fill:var(--blue);fill-opacity:.55"/>'
        for day in days
        if day <= scale.reach
    ]
    return [_text(_LEFT - 10, y + 4, label, anchor="end", ink="--ink"), rule, *dots]


def _axis(scale: _Scale) -> list[str]:
    years = [year for year in (1, 2, 5, 10, 15, 20) if year * _DAYS_PER_YEAR <= scale.reach]
    marks = [_text(scale.x(year * _DAYS_PER_YEAR), scale.height - 10, f"{year} y") for year in years]
    return [_text(scale.x(0), scale.height - 10, "index date", anchor="end"), *marks]
