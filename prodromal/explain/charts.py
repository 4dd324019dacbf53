"""Charts of factors: a point with its interval on a logarithmic axis, one line for each group, as inline SVG."""

from __future__ import annotations

from dataclasses import dataclass
from math import exp, isnan, log
from typing import TYPE_CHECKING

from markupsafe import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["Point", "draw_factors", "reach"]

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE, _FOOT = 860, 200, 190, 8, 30, 34
_TICKS = (0.1, 0.2, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0, 1.05, 1.1, 1.2, 1.3, 1.5, 2.0, 3.0, 5.0, 10.0, 20.0)
_STEPS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05)
_FEWEST_TICKS = 4
_ROOM = 0.06
_NARROWEST_TICKS = 46


@dataclass(frozen=True)
class Point:
    """A line of a chart: what it is, its log factor with limits (NaN if not computed), and what stands behind it."""

    label: str
    value: float
    low: float
    high: float
    small: str = ""


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    height: int

    def x(self, value: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * (value - self.low) / (self.high - self.low)


def reach(points: Iterable[Point]) -> tuple[float, float]:
    """Lowest and highest log factor of points and their limits, no change among them."""
    ends = [0.0, *(end for p in points for end in (p.value, p.low, p.high) if not isnan(end))]
    return min(ends), max(ends)


def draw_factors(points: Sequence[Point], *, ends: tuple[float, float] | None = None) -> str:
    """Draw factors on the rate from their logarithms; 1 (no change) is marked.

    Parameters
    ----------
    points : sequence of Point
        From the top down.
    ends : tuple of float, optional
        Log factors that the axis holds; those of the points by default. Charts with the same ends compare by eye.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    low, high = reach(points) if ends is None else ends
    room = max((high - low) * _ROOM, 0.01)
    scale = _Scale(low - room, high + room, _TOP + _LINE * len(points) + _FOOT)
    parts = [f'<svg viewBox="0 0 {_WIDTH} {scale.height}" xmlns="http://www.w3.org/2000/svg" font-size="13">']
    parts += _axis(scale)
    for line, point in enumerate(points):
        parts += _line(scale, _TOP + _LINE * (line + 0.5), point)
    return "".join(parts) + "</svg>"


def _text(x: float, y: float, words: str, *, anchor: str, ink: str = "--ink", size: int = 13) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-size="{size}" style="fill:var({ink})">'
        f"{escape(words)}</text>"
    )


def _line(scale: _Scale, y: float, point: Point) -> list[str]:
    parts = [_text(_LEFT - 14, y + 4.5, point.label, anchor="end")]
    if isnan(point.value):
        return [
            *parts,
            _text(_LEFT + 4, y + 4.5, point.small or "not computed", anchor="start", ink="--muted", size=12),
        ]
    x = scale.x(point.value)
    if not isnan(point.low):
        parts.append(
            f'<line x1="{scale.x(point.low):.1f}" x2="{scale.x(point.high):.1f}" y1="{y}" y2="{y}" '
            'style="stroke:var(--blue);stroke-width:7;stroke-opacity:.3;stroke-linecap:round"/>'
        )
    parts.append(f'<circle cx="{x:.1f}" cy="{y}" r="5" style="fill:var(--blue)"/>')
    parts.append(_text(_WIDTH - _RIGHT + 14, y + 4.5, f"x {exp(point.value):.2f}", anchor="start"))
    if point.small:
        parts.append(_text(_WIDTH, y + 4.5, point.small, anchor="end", ink="--muted", size=12))
    return parts


def _axis(scale: _Scale) -> list[str]:
    bottom = scale.height - _FOOT
    parts = []
    for tick in _ticks(scale):
        x = scale.x(log(tick))
        colour = "stroke:var(--muted)" if tick == 1 else "stroke:var(--grid)"
        parts.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{bottom}" style="{colour}"/>')
        parts.append(_text(x, bottom + 18, f"x {tick:.4g}", anchor="middle", ink="--muted", size=12))
    return parts


def _ticks(scale: _Scale) -> list[float]:
    """Round factors inside the axis that leave one another room, 1 first of all."""
    inside = [t for t in _TICKS if scale.low <= log(t) <= scale.high]
    if len(inside) < _FEWEST_TICKS:
        wanted = (exp(scale.high) - exp(scale.low)) / _FEWEST_TICKS
        step = next((s for s in _STEPS if s >= wanted), _STEPS[-1])
        inside = [1 + i * step for i in range(-4, 5) if scale.low <= log(max(1 + i * step, 0.01)) <= scale.high]
    kept = [1.0]
    for tick in sorted(inside, key=lambda t: abs(log(t))):
        if all(abs(scale.x(log(tick)) - scale.x(log(other))) >= _NARROWEST_TICKS for other in kept):
            kept.append(tick)
    return sorted(kept)
