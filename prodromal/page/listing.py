"""A list that readers sort and filter; without script, and on paper, it is a complete table."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from markupsafe import Markup

from prodromal.page.parts import join

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["SCRIPT", "Cell", "Column", "Least", "listing"]

SCRIPT = "list.js"
_EMPTY = Markup("")


@dataclass(frozen=True)
class Column:
    """A column: its heading, whether it is sorted as numbers, and whether the rows given come in its order."""

    heading: str
    numeric: bool = False
    sorted: str = ""


@dataclass(frozen=True)
class Cell:
    """What a cell shows, small lines under it, where it leads, and the number that it is sorted by."""

    text: str
    small: tuple[str, ...] = ()
    link: str = ""
    value: float | None = None


@dataclass(frozen=True)
class Least:
    """A filter by the least number in a column: the column's position, its label, and the step of the field."""

    column: int
    label: str
    step: float = 0.1


def listing(
    columns: Sequence[Column],
    rows: Sequence[Sequence[Cell]],
    *,
    caption: Markup | str,
    find: str,
    least: Least | None = None,
) -> Markup:
    """Show the one list of a page that carries ``Page(script=SCRIPT)``.

    Parameters
    ----------
    columns : sequence of Column
        At most one says how the rows given are ``sorted``: "ascending" or "descending".
    rows : sequence of sequence of Cell
        One cell for each column; the first heads its row.
    caption : Markup or str
        Above the table.
    find : str
        Label of the field that filters by words.
    least : Least, optional
        A second filter.

    Returns
    -------
    Markup
    """
    head = join(_heading(column) for column in columns)
    body = join(Markup("<tr>{}</tr>").format(_cells(columns, row)) for row in rows)
    template = Markup(
        '<div class="list" data-list>{}<p class="caption" id="list-caption">{}</p>'
        '<div class="scroll" role="region" aria-labelledby="list-caption" tabindex="0">'
        '<table aria-labelledby="list-caption"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div></div>'
    )
    return template.format(_controls(find, least), caption, head, body)


def _controls(find: str, least: Least | None) -> Markup:
    words = Markup('<label>{}<input type="search" data-find autocomplete="off" spellcheck="false"></label>').format(
        find
    )
    number = _EMPTY
    if least is not None:
        number = Markup('<label>{}<input type="number" min="0" step="{}" data-least="{}"></label>').format(
            least.label, least.step, least.column
        )
    return Markup('<div class="controls" role="search" data-controls hidden>{}{}<output></output></div>').format(
        words, number
    )


def _heading(column: Column) -> Markup:
    align = Markup(' class="n" data-sort="number"') if column.numeric else _EMPTY
    order = Markup(' aria-sort="{}"').format(column.sorted) if column.sorted else _EMPTY
    return Markup('<th scope="col"{}{}>{}</th>').format(align, order, column.heading)


def _cells(columns: Sequence[Column], row: Sequence[Cell]) -> Markup:
    return join(_cell(column, cell, first=i == 0) for i, (column, cell) in enumerate(zip(columns, row, strict=True)))


def _cell(column: Column, cell: Cell, *, first: bool) -> Markup:
    text = Markup('<a href="#{}">{}</a>').format(cell.link, cell.text) if cell.link else cell.text
    small = join(Markup("<small>{}</small>").format(line) for line in cell.small)
    align = Markup(' class="n"') if column.numeric else _EMPTY
    value = Markup(' data-value="{}"').format(f"{cell.value:.9g}") if cell.value is not None else _EMPTY
    tag = Markup('<th scope="row"{}{}>{}{}</th>') if first else Markup("<td{}{}>{}{}</td>")
    return tag.format(align, value, text, small)
