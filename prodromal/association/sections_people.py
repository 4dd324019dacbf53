"""Sections on who was compared and how it was done."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from prodromal.association.exposure import ALL_CLASSES
from prodromal.association.section_parts import GROUP_WORDS, records
from prodromal.association.wording import METHODS, PENALISED, listed
from prodromal.page import Section, callout, count, details, join, paragraph, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from prodromal.association.study import StudyDesign

__all__ = ["methods", "people"]

_DAYS = re.compile(r"\b\d{4,}(?= days)")


def people(tables: Mapping[str, pd.DataFrame], notes: tuple[str, ...]) -> Section:
    """Table 1 and the flow."""
    one = tables["table_one"]
    cells = [_characteristic(r) for r in records(one)]
    wide = one.assign(cell=cells).pivot_table(
        index="characteristic", columns="group", values="cell", aggfunc="first", sort=False
    )
    flow = tables["flow"].assign(comparator=[GROUP_WORDS[c] for c in tables["flow"]["comparator"]])
    flow["step"] = [_DAYS.sub(lambda days: f"{int(days[0]):,}", step) for step in flow["step"]]
    flow["note"] = ["suppressed" if note else "" for note in flow["note"]]
    steps = table(
        flow[["comparator", "step", "cases", "others", "note"]], formats={"cases": _remaining, "others": _remaining}
    )
    parts = [
        table(wide.reset_index(), formats=dict.fromkeys(wide.columns, str)),
        details("How the people were arrived at", steps),
    ]
    parts += [callout(note, plain=True) for note in notes]
    return Section("people", "Who was compared", join(parts), "People")


def _remaining(number: float) -> str:
    """A step of the cases alone tells nothing of others."""
    return count(number) if number else "-"


def _characteristic(row: Any) -> str:
    words = str(row.characteristic)
    if row.note:
        return str(row.note).split(":")[0]
    if words == "people":
        return count(row.people)
    if words.endswith("n (%)"):
        return f"{count(row.n)} ({row.value:.1f})"
    return f"{row.value:.1f} ({row.spread:.1f})" if words.endswith("(SD)") else f"{row.value:.1f}"


def methods(design: StudyDesign, rule: str) -> Section:
    """How it was done, and the rule on small counts."""
    back = design.look_back
    classes = listed([f"{group.name} {group.atc}" for group in ALL_CLASSES])
    days = {"headline": f"{back.headline_days:,}", "windows": f"{back.windows_days:,}"}
    texts = [text.format(classes=classes, **days) for text in METHODS]
    penalty = [PENALISED] if design.firth else []
    return Section("methods", "How it was done", join(paragraph(t) for t in [*texts, *penalty, rule]), "Methods")
