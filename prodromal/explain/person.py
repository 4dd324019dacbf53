"""What a page says about one person: risk against their age and sex, reasons as factors, history, limits."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
from markupsafe import Markup

from prodromal.explain.observed import AGE_AND_SEX, flag_words, percentile, unobserved_windows
from prodromal.explain.timeline import draw_timeline
from prodromal.page import Row, Section, bars, details, figure, number, one_in, paragraph, per_100k, strip
from prodromal.page.parts import join

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from prodromal.explain.explanation import Explanation
    from prodromal.explain.stability import Stability
    from prodromal.features import FeatureMatrix, FeaturePlan
    from prodromal.register import Register
    from prodromal.windows import Window

__all__ = ["CAUTION", "person_section"]

CAUTION = (
    "A reason explains the model, not the disease: it says what moved this score, not what causes ALS. "
    "Most people with any of these medications never develop ALS. Caution, not panic: the number is for research, "
    "not for screening."
)
_SMALLEST_SHOWN = 0.005
_NOTHING_LEFT = 1e-6
_NARROWEST = 0.25
_NOTHING = "No dispensing of any class"
_NOT_OBSERVED = "not observed"


def person_section(
    register: Register,
    explanation: Explanation,
    risks: pd.DataFrame,
    position: int,
    *,
    title: str,
    anchor: str,
    back: str = "",
    stable: Stability | None = None,
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
        Heading and anchor; the anchor never holds the person's id.
    back : str
        Anchor of the list that the person stands in, if there is one.
    stable : Stability, optional
        Limits over refits, rows as in `explanation`.

    Returns
    -------
    Section
    """
    risk = risks.iloc[position]
    matrix = explanation.matrix
    days, observed = _days_before(register, matrix.plan, matrix, position)
    hidden = _unobserved_classes(matrix, position, days)
    seen = {label: _NOT_OBSERVED if label in hidden else _dispensed(before) for label, before in days.items()}
    parts = [
        _numbers(risk),
        _reasons(explanation, position, seen, stable),
        _timeline(days, hidden, matrix.plan.windows, observed, _days_since_end(register, matrix, position)),
        details("What the model could not see", paragraph(_unseen(matrix, position, str(risk["flags"])))),
    ]
    if back:
        parts.append(Markup('<p class="back"><a href="#{}">Back to the list</a></p>').format(back))
    return Section(anchor, title, join(parts), listed=not back)


def _numbers(risk: pd.Series) -> Markup:
    own, expected = float(risk["risk"]), float(risk["expected_per_100k"]) / 1e5
    return strip(
        [
            number(f"{per_100k(own)}", "risk within the horizon", unit=" per 100,000", aside=one_in(own)),
            number(f"{per_100k(expected)}", "others of this age and sex", unit=" per 100,000", aside=one_in(expected)),
            number(
                f"x {float(risk['relative_risk']):.2f}",
                "rate against them",
                aside=f"percentile {percentile(float(risk['percentile']))}",
            ),
        ]
    )


def _reasons(explanation: Explanation, position: int, seen: Mapping[str, str], stable: Stability | None) -> Markup:
    """From the model's starting point step by step to the rate: each class's factor, largest first."""
    values = explanation.values[position]
    order = np.argsort(-np.abs(values), kind="stable")
    shown = [int(i) for i in order if abs(values[i]) >= _SMALLEST_SHOWN]
    steps = [
        Row(
            explanation.labels[i],
            float(values[i]),
            _factor(values[i]),
            seen.get(explanation.labels[i], ""),
            limits=_limits(stable, position, i),
        )
        for i in shown
    ]
    if not steps:
        return paragraph("No class of medication moves this score by as much as 0.5 %.")
    score = float(explanation.score[position])
    rest = score - explanation.base - sum(step.length for step in steps)
    told = ", ".join(f"{step.label} {step.text}" for step in steps[:3])
    steps.insert(0, Row("The model's average", explanation.base, _factor(explanation.base), "before any reason"))
    if abs(rest) > _NOTHING_LEFT:
        steps.append(Row("Everything else", rest, _factor(rest), "each less than 0.5 %"))
    ends = np.cumsum([step.length for step in steps])
    rows = [replace(step, start=float(end - step.length)) for step, end in zip(steps, ends, strict=True)]
    total = Row("Rate against them", score, _factor(score), "the product", total=True)
    words = f"Factors on the rate, largest first. Each bar starts where the one above it ended. {AGE_AND_SEX}"
    if stable is not None:
        words += (
            f" In small: 95 % limits over {stable.refits} models of the same settings, trained on people drawn again."
        )
    reach = float(max(_NARROWEST, *np.abs(ends)))
    drawn = bars([*rows, total], alt=f"Largest factors: {told}", limit=reach)
    return join([paragraph(words), drawn])


def _factor(value: float) -> str:
    return f"x {np.exp(value):.2f}"


def _limits(stable: Stability | None, position: int, column: int) -> str:
    if stable is None:
        return ""
    low, high = np.exp(stable.low[position, column]), np.exp(stable.high[position, column])
    return f"{low:.2f} to {high:.2f}"


def _dispensed(before: list[int]) -> str:
    number = len(before)
    return "none dispensed" if number == 0 else f"{number:,} dispensing{'s' if number > 1 else ''}"


def _unobserved_classes(matrix: FeatureMatrix, position: int, days: Mapping[str, list[int]]) -> list[str]:
    """Classes without a dispensing none of whose windows was observed, so that nothing tells that there was none."""
    missing = np.isnan(matrix.values[position])
    told: dict[str, bool] = {}
    for feature, is_missing in zip(matrix.plan.features, missing, strict=True):
        if feature.window is not None:
            told[feature.family] = told.get(feature.family, False) or not is_missing
    return [family for family, before in days.items() if not before and not told.get(family, True)]


def _days_before(
    register: Register, plan: FeaturePlan, matrix: FeatureMatrix, position: int
) -> tuple[dict[str, list[int]], int]:
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


def _days_since_end(register: Register, matrix: FeatureMatrix, position: int) -> int:
    return int(matrix.days[position]) - int(register.persons.observed_to[matrix.person_row[position]])


def _timeline(
    days: dict[str, list[int]], hidden: Sequence[str], windows: Sequence[Window], observed_days: int, ended: int
) -> Markup:
    used = {family: before for family, before in days.items() if before}
    never = [family for family, before in days.items() if not before and family not in hidden]
    caption = (
        "Each dot is a dispensing before the index date; shaded bands are the windows in which the model counts. "
        "The axis is stretched near the index date."
    )
    if observed_days < max((window.to_days - 1 for window in windows), default=0):
        caption += " The tinted end at the left was not observed."
    if ended > 1:
        caption += f" Observation ended {ended:,} days before the index date."
    if used and never:
        caption += f" Not dispensed: {', '.join(never)}."
    if hidden:
        caption += f" Not observed: {', '.join(hidden)}."
    told = [f"{family}: {_dispensed(d)}, the last {min(d):,} days before" for family, d in used.items()]
    nothing = _NOTHING if never else "Not observed"
    words = "; ".join(told) if told else f"{nothing}."
    drawing = draw_timeline(used or {nothing: []}, windows, observed_days=observed_days)
    return figure(drawing, caption, f"Timeline of dispensings. {words}")


def _unseen(matrix: FeatureMatrix, position: int, flags: str) -> str:
    sentences = [
        "Diagnoses, symptoms, family history, genes, hospital and over-the-counter medication are not in the data."
    ]
    if windows := unobserved_windows(matrix, position):
        sentences.append(
            f"Not fully observed, so treated as missing, not as zero: {', '.join(windows)} before the index date."
        )
    if flags:
        sentences.append(f"Flags: {', '.join(flag_words(flags))}.")
    return " ".join(sentences)
