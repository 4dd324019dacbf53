"""Sentences of the study: association, never cause; caution, not panic."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from prodromal.page import rounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["CAUTION", "METHODS", "PENALISED", "SIMULATED", "listed", "ratio", "stands_out", "untold", "written"]

SIMULATED = "The people of this register are simulated. Nothing here is evidence about real medicines."
CAUTION = (
    "These are associations, not causes: what led to a prescription, and the first signs of a disease that nobody "
    "had named yet, may explain them. Read them with caution, not with panic. ALS is rare: with an odds ratio of "
    "1.3, about four diagnoses a year among 100,000 people would be about five. Nobody should stop or start a "
    "medicine because of this page."
)
METHODS = (
    (
        "Odds ratios come from conditional logistic regression within matched sets; the index date of a set is the "
        "day of diagnosis of its case. Population controls have the sex and birth year of their case and were at risk "
        "on that day, so an odds ratio is a rate ratio. Comparisons with siblings and spouses are adjusted for sex, "
        "age, its square and their product."
    ),
    (
        "Recurrent use is two dispensings or more before the index date, the published study's rule; first use is "
        "one. The windows are exclusive, by the time of the first dispensing; all who are no users are the reference "
        "of the three. The headline leaves the last year out."
    ),
    (
        "Classes are whole ATC groups: {classes}. The published study names its three so; its list of codes was not "
        "found. Whole groups hold medicines that also treat late symptoms of ALS, such as midazolam (N05CD08) and "
        "amitriptyline (N06AA09): they are counted here, while the features of a risk model leave them out."
    ),
    (
        "Use before the register could see it is unknown. The headline asks for {headline} days of observation before "
        "the index date and the windows for {windows}; whoever was observed for less is left out and counted. A use "
        "older than that stays invisible, and makes an early first use look late."
    ),
    (
        "Hazard ratios are of death or invasive ventilation after the diagnosis, whichever came first: Cox regression "
        "with Efron's ties and robust limits, adjusted for sex and age; a small p value of proportionality says that "
        "one ratio does not hold for the whole course. Curves are Kaplan-Meier and Aalen-Johansen."
    ),
    (
        "ALSFRS-R (0 to 48) is modelled from the diagnosis on with a random intercept and slope for each person. The "
        "joint model lets the same intercept and slope drive the hazard (constant within six intervals, adaptive "
        "Gauss-Hermite quadrature), so that those who die early do not make the decline look slow. Visits that repeat "
        "another one's person, day and score count once."
    ),
    "Estimates are not corrected for the number of comparisons.",
)

PENALISED = (
    "Odds ratios by class and window are penalised (Firth), with limits and p values from the profile of the penalised "
    "likelihood."
)


def ratio(estimate: float, low: float, high: float, *, decimals: int = 2) -> str:
    """Write an estimate with its limits; large ones with significant digits.

    Examples
    --------
    >>> ratio(1.616, 1.397, 1.871), ratio(-0.0624, -0.121, -0.0037, decimals=3)
    ('1.62 (1.40 to 1.87)', '-0.062 (-0.121 to -0.004)')
    """
    if math.isnan(estimate):
        return ""
    value, *limits = (written(v, decimals) for v in (estimate, low, high))
    return value if math.isnan(low) else f"{value} ({' to '.join(limits)})"


def written(value: float, decimals: int = 2) -> str:
    """Write one number as in an estimate with its limits."""
    return f"{value:.{decimals}f}" if abs(value) < 10 else rounded(value)


def stands_out(names: Sequence[str], low: Sequence[float], high: Sequence[float], notes: Sequence[str]) -> str:
    """Say which classes have limits above or below one, and of which nothing is told.

    Examples
    --------
    >>> stands_out(["a", "b", "c"], [1.1, 0.9, 0.5], [1.3, 1.2, 0.8], ["", "", ""])
    'higher for a, lower for c'
    >>> stands_out(["a"], [0.9], [1.2], [""])
    'compatible with one'
    >>> stands_out(["a", "b"], [1.1, math.nan], [1.2, math.nan], ["", "suppressed: few"])
    'higher for a; suppressed for b'
    >>> stands_out(["a"], [math.nan], [math.nan], ["not estimable: nobody"])
    'not estimable'
    """
    above = [n for n, v in zip(names, low, strict=True) if v > 1]
    below = [n for n, v in zip(names, high, strict=True) if v < 1]
    absent = {n: note for n, v, note in zip(names, low, notes, strict=True) if math.isnan(v)}
    parts = [f"{word} for {listed(found)}" for word, found in (("higher", above), ("lower", below)) if found]
    told = [] if len(absent) == len(names) else [", ".join(parts or ["compatible with one"])]
    return "; ".join([*told, *untold(absent, of=len(names))])


def untold(notes: Mapping[str, str], *, of: int) -> list[str]:
    """Say of which classes there is no number and why, given their notes; without names where it is all of them.

    Examples
    --------
    >>> untold({"a": "suppressed: few", "b": "not estimable: nobody"}, of=3)
    ['suppressed for a', 'not estimable for b']
    """
    why = {name: "suppressed" if note.startswith("suppressed") else "not estimable" for name, note in notes.items()}
    found = {word: [n for n in why if why[n] == word] for word in ("suppressed", "not estimable")}
    return [word if len(them) == of else f"{word} for {listed(them)}" for word, them in found.items() if them]


def listed(names: Sequence[str]) -> str:
    """Join with commas and an 'and'.

    Examples
    --------
    >>> listed(["a", "b", "c"])
    'a, b and c'
    """
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
