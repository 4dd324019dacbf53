"""What a page says about one person: risk against their age and sex, reasons as factors, history, limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.explain.timeline import draw_timeline
from prodromal.page import Row, Section, bars, details, figure, number, one_in, paragraph, per_100k, strip
from prodromal.page.parts import join

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.explain.explanation import Explanation
    from prodromal.features import FeaturePlan
    from prodromal.register import Register

__all__ = ["CAUTION", "person_section"]

CAUTION = (
    "A reason explains the model, not the disease: it says what moved this score, not what causes ALS. "
    "Most people with any of these medications never develop ALS. Caution, not panic: the number is for research, "
    "not for screening."
)
_SMALLEST_SHOWN = 0.005


def person_section(
    register: Register, explanation: Explanation, risks: pd.DataFrame, position: int, *, title: str, anchor: str
) -> Section:
    """Describe one explained person.

    Parameters
    ----------
    register : Register
        For the dispensings behind the score.
    explanation : Explanation
        By class.
    risks : DataFrame
        From ``RiskModel.score``, rows as in `explanation`.
    position : int
        Row of the person in both.
    title, anchor : str
        Heading and anchor; neither holds the person's id.

    Returns
    -------
    Section
    """
    risk = risks.iloc[position]
    matrix = explanation.matrix
    days, observed = _days_before(register, matrix.plan, matrix, position)
    parts = [
        _numbers(risk),
        _reasons(explanation, position, days),
        figure(
            draw_timeline(days, matrix.plan.windows, observed_days=observed),
            "Each dot is a dispensing before the index date; shaded bands are the windows in which the model counts. "
            "The axis is stretched near the index date.",
            _timeline_in_words(days),
        ),
        details("What the model could not see", paragraph(_unseen(matrix, position, str(risk["flags"])))),
    ]
    return Section(anchor, title, join(parts))


def _numbers(risk: pd.Series) -> Any:
    own, expected = float(risk["risk"]), float(risk["expected_per_100k"]) / 1e5
    return strip(
        [
            number(f"{per_100k(own)}", "risk within the horizon", unit=" per 100,000", aside=one_in(own)),
            number(f"{per_100k(expected)}", "others of this age and sex", unit=" per 100,000", aside=one_in(expected)),
            number(
                f"x {float(risk['relative_risk']):.2f}",
                "rate against them",
                aside=f"percentile {float(risk['percentile']):.0f}",
            ),
        ]
    )


def _reasons(explanation: Explanation, position: int, days: dict[str, list[int]]) -> Any:
    values = explanation.values[position]
    order = np.argsort(-np.abs(values), kind="stable")
    rows = [
        Row(explanation.labels[i], float(values[i]), f"x {np.exp(values[i]):.2f}", _seen(explanation.labels[i], days))
        for i in order
        if abs(values[i]) >= _SMALLEST_SHOWN
    ]
    if not rows:
        return paragraph("No class of medication moves this score by as much as 0.5 %.")
    told = ", ".join(f"{row.label} {row.text}" for row in rows[:3])
    first = paragraph(
        "Factors on the rate: their product, with the model's base, is the rate against people of the same age and sex."
    )
    return join([first, bars(rows, alt=f"Largest factors: {told}", limit=max(0.25, *(abs(r.length) for r in rows)))])


def _seen(label: str, days: dict[str, list[int]]) -> str:
    if label not in days:
        return ""
    count = len(days[label])
    return "none dispensed" if count == 0 else f"{count} dispensing{'s' if count > 1 else ''}"


def _days_before(register: Register, plan: FeaturePlan, matrix: Any, position: int) -> tuple[dict[str, list[int]], int]:
    """Days before the index date of each class's dispensings, and days observed."""
    row, day = int(matrix.person_row[position]), int(matrix.days[position])
    history = register.history(row)
    before = day - history["dispensed_on"].to_numpy().astype("datetime64[D]").astype(np.int64)
    codes = history["atc"].astype(str).to_numpy()
    days: dict[str, list[int]] = {group.family: [] for group in plan.groups}
    for family in days:
        groups = [group for group in plan.groups if group.family == family]
        days[family] = [
            int(d) for d, code in zip(before, codes, strict=True) if d >= 1 and any(g.matches(code) for g in groups)
        ]
    return days, day - int(register.persons.observed_from[row])


def _timeline_in_words(days: dict[str, list[int]]) -> str:
    used = [f"{family}: {len(d)} dispensings, the last {min(d)} days before" for family, d in days.items() if d]
    return "Timeline of dispensings. " + ("; ".join(used) if used else "None of the model's classes was dispensed.")


def _unseen(matrix: Any, position: int, flags: str) -> str:
    windows = [
        w.label
        for w in matrix.plan.windows
        if any(f.window == w and np.isnan(matrix.values[position, i]) for i, f in enumerate(matrix.plan.features))
    ]
    sentences = [
        "Diagnoses, symptoms, family history, genes, hospital and over-the-counter medication are not in the data."
    ]
    if windows:
        sentences.append(
            f"Not fully observed, so treated as missing, not as zero: {', '.join(windows)} before the index date."
        )
    if flags:
        sentences.append(f"Flags: {flags.replace(';', ', ').replace('_', ' ')}.")
    return " ".join(sentences)
