"""One look for every figure: few lines, direct labels, Okabe-Ito colours that follow the page from light to dark."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["BLUE", "GREEN", "GRID", "INK", "MUTED", "VERMILLION", "canvas", "log_ticks", "png", "quiet", "svg"]

INK, MUTED, GRID = "#1d2126", "#5b636d", "#e6e3de"
BLUE, VERMILLION, GREEN = "#0072b2", "#c14e00", "#00805c"
PAPER = "#fdfcfa"

# Colours drawn become colours of the page, so that they change with it.
_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    GRID: "--grid",
    BLUE: "--blue",
    VERMILLION: "--vermillion",
    GREEN: "--green",
    PAPER: "--paper",
}
_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "prodromal",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    # matplotlib brings this font along, and it is wide: laid out with it, text fits in the font of any page.
    "font.size": 10,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": MUTED,
    "axes.unicode_minus": False,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
}


def canvas(width: float, height: float) -> Figure:
    """Make an empty transparent figure, in inches; nothing global is touched."""
    from matplotlib.figure import Figure as New

    figure = New(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0.0)
    return figure


def styled() -> Any:
    """Hold the style while a figure is drawn or written."""
    import matplotlib as mpl

    return mpl.rc_context(_STYLE)


def quiet(axes: Axes, *, grid: str = "y") -> None:
    """Leave only what is read: no box, light grid, no tick marks."""
    axes.patch.set_alpha(0.0)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0, pad=6)
    if grid:
        axes.grid(axis=grid, color=GRID, linewidth=0.9)  # type: ignore[arg-type]
    axes.set_axisbelow(True)


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers (1, 2, 5 times powers of ten) from `low` to `high`; fewer where the range is wide."""
    import numpy as np

    steps = (1, 2, 5) if high / low < 300 else (1, 3) if high / low < 3000 else (1,)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    return [s * 10.0**p for p in powers for s in steps if low * 0.999 <= s * 10.0**p <= high * 1.001]


def svg(figure: Figure) -> str:
    """Write a figure as one inline ``<svg>`` element that takes its colours and font from the page."""
    buffer = io.StringIO()
    with styled():
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :].strip()
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text, count=1)
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text, count=1)
    text = re.sub(r"<style type=\"text/css\">.*?</style>", "", text, flags=re.DOTALL)
    for colour, variable in _VARIABLES.items():
        text = text.replace(colour, f"var({variable})")
    return re.sub(r"\n\s*", "\n", text)


def png(figure: Figure) -> bytes:
    """Write a figure as PNG on paper colour, for slides."""
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format="png", dpi=200, facecolor="white", metadata={"Software": None})
    return buffer.getvalue()
