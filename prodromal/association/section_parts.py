"""What the sections of the report share: rows of forest plots and tables of estimates."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from prodromal.association.drawing import ForestRow
from prodromal.association.exposure import HEADLINE, STUDIED
from prodromal.association.wording import ratio, stands_out
from prodromal.page import count, p_value, table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

__all__ = [
    "CLASSES",
    "GROUP_WORDS",
    "WINDOW_WORDS",
    "alternative",
    "estimates_table",
    "found_in",
    "own",
    "published",
    "records",
    "with_text",
]

CLASSES = [group.name for group in STUDIED]
WINDOW_WORDS = {
    HEADLINE: "Beyond 1 year (headline)",
    "0-1": "First used in the last year",
    ">1-5": "First used 1 to 5 years before",
    ">5": "First used over 5 years before",
}
_WINDOW_SHORT = {HEADLINE: "beyond 1 year", "0-1": "0 to 1 year", ">1-5": "1 to 5 years", ">5": "over 5 years"}
GROUP_WORDS = {"population": "Population controls", "sibling": "Full siblings", "spouse": "Spouses"}
_HEADINGS = {
    "exposed_cases": "exposed cases",
    "exposed_others": "exposed others",
    "estimate_text": "odds ratio (95 %)",
    "published_text": "published",
    "p_interaction": "p of equal odds ratios",
    "exposed": "users",
    "exposed_events": "events of users",
    "p_proportional": "p of proportionality",
}
_FORMATS: dict[str, Callable[[float], str]] = {
    "exposed_cases": count,
    "exposed_others": count,
    "p": p_value,
    "p_interaction": p_value,
    "p_proportional": p_value,
    "exposed": count,
    "exposed_events": count,
    "estimate_text": str,
    "published_text": str,
}


def records(frame: pd.DataFrame) -> list[Any]:
    """Rows with their columns as attributes; ``class`` is called ``drug``."""
    rows = frame.rename(columns={"class": "drug"}).to_dict("records")
    return [SimpleNamespace(**{str(name): value for name, value in row.items()}) for row in rows]


def own(row: Any, label: str) -> ForestRow:
    """An estimate of this register."""
    text = ratio(row.estimate, row.ci_low, row.ci_high) or str(row.note).split(":")[0]
    return ForestRow(label, text, row.estimate, row.ci_low, row.ci_high)


def found_in(estimates: pd.DataFrame) -> str:
    """What a heading says of estimates, one a class."""
    return stands_out(*(estimates[c].tolist() for c in ("class", "ci_low", "ci_high", "note")))


def published(row: Any) -> list[ForestRow]:
    """The published estimate beside it, if there is one."""
    if math.isnan(row.published):
        return []
    low, high = row.published_low, row.published_high
    return [ForestRow("published", ratio(row.published, low, high), row.published, low, high, published=True)]


def alternative(rows: Sequence[ForestRow]) -> str:
    """The rows of a forest plot in words."""
    return "; ".join(f"{row.label}: {row.text}" for row in rows if not row.heading)


def with_text(frame: pd.DataFrame) -> pd.DataFrame:
    """Add estimates as they are written; missing where there are none."""
    text: Any = [ratio(r.estimate, r.ci_low, r.ci_high) or None for r in records(frame)]
    return frame.assign(estimate_text=text)


def estimates_table(
    frame: pd.DataFrame, columns: Sequence[str], *, caption: str = "", heading: str = "odds ratio (95 %)"
) -> Any:
    """Show columns of a table of estimates, with reasons in place of empty cells."""
    shown = with_text(frame)
    if "comparator" in shown:
        shown["comparator"] = [GROUP_WORDS[c] for c in shown["comparator"]]
    if "window" in shown:
        shown["window"] = [_WINDOW_SHORT[w] for w in shown["window"]]
    if "published" in shown:
        texts = [ratio(r.published, r.published_low, r.published_high) or "-" for r in records(shown)]
        shown["published_text"] = texts
    shown["note"] = ["suppressed" if r.note.startswith("suppressed") else r.note for r in records(shown)]
    kept = [*columns, "note"]
    formats = {name: write for name, write in _FORMATS.items() if name in kept}
    headings = {**_HEADINGS, "estimate_text": heading}
    return table(shown[kept], caption=caption, headings=headings, formats=formats, missing="suppressed")
