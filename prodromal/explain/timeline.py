"""A timeline of one person's dispensings by class, the windows shaded, as inline SVG."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from markupsafe import escape

from prodromal.windows import Window

__all__ = ["draw_timeline"]

_WIDTH, _LEFT, _RIGHT, _TOP, _LINE = 860, 190, 20, 34, 26
_DAYS_PER_YEAR = 365


def draw_timeline(days_before: Mapping[str, Sequence[int]], windows: Sequence[Window], *, observed_days: int) -> str:
    """Draw marks for dispensings, one line per class, time running to the index date at the right.

    Parameters
    ----------
    days_before : mapping of str to sequence of int
        For each class the days before the index date of its dispensings, each at least 1.
    windows : sequence of Window
        Shaded in turn and labelled on top.
    observed_days : int
        Days before the index date that were observed; what lies further back is hatched.

    Returns
    -------
    str
        An ``<svg>`` element; its axis has a square-root scale, because windows close to the index date are short.
    """
    reach = max(window.to_days - 1 for window in windows) if windows else 3650
    height = _TOP + _LINE * max(1, len(days_before)) + 30

    def x(days: float) -> float:
        return _WIDTH - _RIGHT - (_WIDTH - _LEFT - _RIGHT) * (min(days, reach) / reach) ** 0.5

    parts = [f'<svg viewBox="0 0 {_WIDTH} {height}" xmlns="http://www.w3.org/2000/svg" font-size="12">']
    parts += _shades(windows, x, height)
    if observed_days < reach:
        parts.append(
            f'<rect x="{x(reach):.1f}" y="{_TOP}" width="{x(observed_days) - x(reach):.1f}" height="{height - _TOP - 30}" '
            'style="fill:var(--caution-rule);fill-opacity:.22"/>'
            f'<text x="{x(reach) + 4:.1f}" y="{height - 36}" style="fill:var(--muted)">not observed</text>'
        )
    for line, (label, days) in enumerate(days_before.items()):
        y = _TOP + _LINE * line + _LINE / 2
        parts.append(f'<text x="{_LEFT - 10}" y="{y + 4:.1f}" text-anchor="end" style="fill:var(--ink)">{escape(label)}</text>')
        parts.append(f'<line x1="{x(reach):.1f}" x2="{x(0):.1f}" y1="{y:.1f}" y2="{y:.1f}" style="stroke:var(--rule)"/>')
        parts += [
            f'<circle cx="{x(d):.1f}" cy="{y:.1f}" r="4" style="fill:var(--blue);fill-opacity:.55"/>' for d in days if d <= reach
        ]
    parts += _axis(x, reach, height)
    return "".join(parts) + "</svg>"


def _shades(windows, x, height):  # type: ignore[no-untyped-def]
    parts = []
    for position, window in enumerate(sorted(windows)):
        left, right = x(window.to_days - 1), x(window.from_days - 1)
        opacity = 0.10 if position % 2 == 0 else 0.04
        parts.append(
            f'<rect x="{left:.1f}" y="{_TOP}" width="{right - left:.1f}" height="{height - _TOP - 30}" '
            f'style="fill:var(--blue);fill-opacity:{opacity}"/>'
            f'<text x="{(left + right) / 2:.1f}" y="{_TOP - 8}" text-anchor="middle" style="fill:var(--muted)" font-size="11">'
            f"{escape(window.label)}</text>"
        )
    return parts


def _axis(x, reach, height):  # type: ignore[no-untyped-def]
    ticks = [(0, "index date")] + [(y * _DAYS_PER_YEAR, f"{y} y") for y in (1, 2, 5, 10, 15) if y * _DAYS_PER_YEAR <= reach]
    return [
        f'<text x="{x(day):.1f}" y="{height - 10}" text-anchor="{"end" if day == 0 else "middle"}" style="fill:var(--muted)">{text}</text>'
        for day, text in ticks
    ]
