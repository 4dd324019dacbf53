"""What a page is made of; every function gives escaped `Markup`, and plain strings given to it are escaped."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from prodromal.page.wording import NOT_COMPUTED, count, rounded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    import pandas as pd

__all__ = [
    "Row",
    "bars",
    "callout",
    "columns",
    "definitions",
    "details",
    "figure",
    "join",
    "number",
    "paragraph",
    "strip",
    "table",
]

_EMPTY = Markup("")


def join(parts: Iterable[Markup | str]) -> Markup:
    """Put parts one after the other."""
    return _EMPTY.join(parts)


def paragraph(text: Markup | str) -> Markup:
    """One paragraph."""
    return Markup("<p>{}</p>").format(text)


def columns(parts: Iterable[Markup | str]) -> Markup:
    """Put parts side by side where the page is wide enough."""
    return Markup('<div class="columns">{}</div>').format(join(Markup("<div>{}</div>").format(p) for p in parts))


def callout(text: Markup | str, *, plain: bool = False) -> Markup:
    """Set a sentence apart; `plain` without the colour of caution."""
    return Markup('<div class="callout{}" role="note"><p>{}</p></div>').format(" plain" if plain else "", text)


def details(summary: str, html: Markup | str) -> Markup:
    """Fold depth away under a line that opens by mouse or keyboard; printed unfolded."""
    return Markup("<details><summary>{}</summary>{}</details>").format(summary, html)


def definitions(pairs: Mapping[str, Markup | str]) -> Markup:
    """List terms and what they are."""
    rows = join(Markup("<dt>{}</dt><dd>{}</dd>").format(term, text) for term, text in pairs.items())
    return Markup("<dl>{}</dl>").format(rows)


def number(value: str, label: str, *, interval: str = "", unit: str = "", aside: Markup | str = "") -> Markup:
    """One figure worth a reader's first glance: its label, its value, its interval, and a comparison.

    Parameters
    ----------
    value, unit : str
        The number as written, and its unit in small letters after it.
    label : str
        What it is, above the number.
    interval : str
        Its 95 % interval as written, below.
    aside : Markup or str
        What to compare it with.
    """
    unit_html = Markup("<small>{}</small>").format(unit) if unit else _EMPTY
    range_html = Markup('<span class="range">95 % interval {}</span>').format(interval) if interval else _EMPTY
    aside_html = Markup('<span class="aside">{}</span>').format(aside) if aside else _EMPTY
    template = Markup('<div class="number"><span class="label">{}</span><span class="value">{}{}</span>{}{}</div>')
    return template.format(label, value, unit_html, range_html, aside_html)


def strip(numbers: Iterable[Markup]) -> Markup:
    """Set numbers in a row; the first is the one that matters."""
    return Markup('<div class="numbers">{}</div>').format(join(numbers))


def figure(svg: str, caption: Markup | str, alt: str) -> Markup:
    """Show an SVG of our own making with a caption that says what to conclude and a text for those who cannot see it.

    Parameters
    ----------
    svg : str
        A complete ``<svg>`` element. It is trusted: text from data must have been escaped by whoever drew it.
    caption : Markup or str
        What to conclude, under the figure.
    alt : str
        The same message and the main numbers in words.
    """
    drawing = Markup(svg)  # noqa: S704
    template = Markup('<figure><div role="img" aria-label="{}">{}</div><figcaption>{}</figcaption></figure>')
    return template.format(alt, drawing, caption)


def table(
    frame: pd.DataFrame,
    *,
    caption: Markup | str = "",
    headings: Mapping[str, str] | None = None,
    formats: Mapping[str, Callable[[float], str]] | None = None,
    missing: str = NOT_COMPUTED,
    strong: Callable[[Mapping[Any, Any]], bool] | None = None,
) -> Markup:
    """Show a frame: text to the left, numbers to the right, an empty cell with its reason.

    Parameters
    ----------
    frame : DataFrame
        Shown as it stands, one row a line; the first column heads its row.
    caption : Markup or str
        Above the table.
    headings : mapping of column to str
        Words for the columns; the column's name where absent.
    formats : mapping of column to function
        How the numbers of a column are written; whole numbers by default with separated thousands, others with three
        significant digits. A column named here is aligned as numbers also where it holds text.
    missing : str
        Written for NaN and None where the row has no ``note``. Notes of rows without an empty cell get a column.
    strong : function of a row, optional
        Says which rows are set in bold.

    Returns
    -------
    Markup
    """
    headings, formats = headings or {}, formats or {}
    shown = [name for name in frame.columns if name != "note" or _has_notes_of_its_own(frame)]
    numeric = {name: name in formats or _is_numeric(frame[name]) for name in shown}
    head = join(
        Markup('<th scope="col"{}>{}</th>').format(_align(numeric[n]), headings.get(n, str(n).replace("_", " ")))
        for n in shown
    )
    body = []
    for record in frame.to_dict("records"):
        reason = str(record.get("note") or missing)
        cells = [_cell(n, record[n], formats.get(n), numeric[n], reason, first=n == shown[0]) for n in shown]
        mark = Markup(' class="strong"') if strong is not None and strong(record) else _EMPTY
        body.append(Markup("<tr{}>{}</tr>").format(mark, join(cells)))
    caption_html = Markup("<caption>{}</caption>").format(caption) if caption else _EMPTY
    whole = Markup(
        '<div class="scroll" tabindex="0"><table>{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>'
    )
    return whole.format(caption_html, head, join(body))


def _has_notes_of_its_own(frame: pd.DataFrame) -> bool:
    """Whether a note stands in a row without an empty cell, where it would not be seen otherwise."""
    full = frame.drop(columns="note").notna().all(axis=1)
    return bool((full & frame["note"].astype(bool)).any())


def _is_numeric(column: pd.Series) -> bool:
    from pandas.api.types import is_bool_dtype, is_numeric_dtype

    return bool(is_numeric_dtype(column)) and not bool(is_bool_dtype(column))


def _align(numeric: bool) -> Markup:
    return Markup(' class="n"') if numeric else _EMPTY


def _cell(
    name: str, value: object, write: Callable[[float], str] | None, numeric: bool, reason: str, *, first: bool
) -> Markup:
    text: Markup | str
    if value is None or (isinstance(value, float) and math.isnan(value)):
        text = Markup('<span class="why">{}</span>').format(reason) if name != "note" else ""
    elif isinstance(value, str):
        text = value
    elif isinstance(value, Real) and not isinstance(value, bool):
        text = _written(float(value), write)
    else:
        text = str(value)
    tag = Markup('<th scope="row"{}>{}</th>') if first else Markup("<td{}>{}</td>")
    return tag.format(_align(numeric), text)


def _written(value: float, write: Callable[[float], str] | None) -> str:
    if write is not None:
        return write(value)
    return count(value) if value.is_integer() else rounded(value)


@dataclass(frozen=True)
class Row:
    """One bar: a label, a signed length, the number as written beside it, its limits and what lies behind it in small.

    A step of a sum starts where the one before it ended; a ``total`` is drawn apart from the steps.
    """

    label: str
    length: float
    text: str
    small: str = ""
    start: float = 0.0
    total: bool = False
    limits: str = ""


def bars(rows: Sequence[Row], *, alt: str, limit: float | None = None) -> Markup:
    """Draw signed bars from a middle line, each with its number beside it: factors that raise (right) and lower (left).

    Parameters
    ----------
    rows : sequence of Row
        In the order shown; lengths share one unit, such as the logarithm of a factor.
    alt : str
        The message in words.
    limit : float, optional
        Length that fills the half width; the furthest end of a bar by default.
    """
    reach = limit if limit is not None else max((_furthest(row) for row in rows), default=1.0)
    lines = join(_bar(row, reach if reach > 0 else 1.0) for row in rows)
    return Markup('<div class="bars" role="group" aria-label="{}">{}</div>').format(alt, lines)


def _furthest(row: Row) -> float:
    return max(abs(row.start), abs(row.start + row.length))


def _bar(row: Row, reach: float) -> Markup:
    ends = sorted(50 + 50 * max(-1.0, min(1.0, end / reach)) for end in (row.start, row.start + row.length))
    start, width = ends[0], ends[1] - ends[0]
    colour = "var(--ink)" if row.total else "var(--vermillion)" if row.length >= 0 else "var(--blue)"
    drawing = Markup(
        '<svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">'
        '<rect x="{:.3f}" y="1" width="{:.3f}" height="8" style="fill:{}"/>'
        '<line x1="50" x2="50" y1="-2" y2="12" style="stroke:var(--muted);stroke-width:1" '
        'vector-effect="non-scaling-stroke"/></svg>'
    ).format(start, width, colour)
    small = join(Markup("<small>{}</small>").format(line) for line in (row.limits, row.small) if line)
    template = Markup('<div class="bar{}"><span>{}</span>{}<span class="n">{}{}</span></div>')
    return template.format(" total" if row.total else "", row.label, drawing, row.text, small)
