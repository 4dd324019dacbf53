"""One self-contained page: a quiet shell for reports and explanations that opens anywhere and needs no network."""

from prodromal.page.listing import SCRIPT, Cell, Column, Least, listing
from prodromal.page.parts import (
    Row,
    bars,
    callout,
    columns,
    definitions,
    details,
    figure,
    join,
    number,
    paragraph,
    strip,
    table,
)
from prodromal.page.shell import Page, Section
from prodromal.page.wording import count, interval, one_in, p_value, per_100k, percent, rounded

__all__ = [
    "SCRIPT",
    "Cell",
    "Column",
    "Least",
    "Page",
    "Row",
    "Section",
    "bars",
    "callout",
    "columns",
    "count",
    "definitions",
    "details",
    "figure",
    "interval",
    "join",
    "listing",
    "number",
    "one_in",
    "p_value",
    "paragraph",
    "per_100k",
    "percent",
    "rounded",
    "strip",
    "table",
]
