"""Findings in words: what a table says, in sentences that claim no more than it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prodromal.evaluate.calibration import UNSTABLE
from prodromal.page import count, interval, one_in, per_100k, percent, rounded

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from prodromal.evaluate.disclosure import Profile

__all__ = [
    "Found",
    "adds",
    "calibration_title",
    "capital",
    "far_off",
    "left_out_note",
    "pick",
    "ranking_title",
    "summary_sentences",
    "years",
]

CAUTION = (
    "A raised risk is a reason for attention, not for alarm: nearly everyone who is flagged will never have the "
    "disease. These numbers describe how well predictions matched what happened. They say nothing about causes, and no "
    "treatment should be started, stopped or avoided because of them."
)

FAR_OFF = (
    "Predictions are off by more than a factor of 20: are they probabilities between 0 and 1, for this outcome and "
    "horizon?"
)
_FARTHEST = 20.0
_CLOSE = (0.8, 1.25)


@dataclass(frozen=True)
class Found:
    """One number of a table with its limits; NaN with a reason where it does not exist."""

    value: float
    low: float
    high: float
    note: str = ""

    @property
    def known(self) -> bool:
        """Whether the number exists and may be shown."""
        return not math.isnan(self.value)

    def text(self, digits: int = 3) -> str:
        """Write the number with its interval."""
        if not self.known:
            return self.note or "not computed"
        if math.isnan(self.low):
            return rounded(self.value, digits)
        return f"{rounded(self.value, digits)} (95 % interval {interval(self.low, self.high, digits)})"

    def at_most(self, digits: int = 2) -> str:
        """Write a distance with its upper limit alone: noise inflates distances, so the lower one tells nothing."""
        if not self.known or math.isnan(self.high):
            return self.text(digits)
        return f"{rounded(self.value, digits)} (upper 95 % limit {rounded(self.high, digits)})"

    def per_100k(self) -> str:
        """Write a risk per 100,000 people with its interval."""
        if not self.known:
            return self.note or "not computed"
        limits = "" if math.isnan(self.low) else f" ({per_100k(self.low)} to {per_100k(self.high)})"
        return f"{per_100k(self.value)}{limits}"


def pick(frame: pd.DataFrame | None, **keys: object) -> Found:
    """Find the one row with these keys."""
    if frame is None:
        return Found(math.nan, math.nan, math.nan, "not computed")
    rows = frame
    for name, wanted in keys.items():
        rows = rows[rows[name] == wanted] if name in rows else rows.iloc[:0]
    if len(rows) != 1:
        return Found(math.nan, math.nan, math.nan, "not computed")
    row = rows.iloc[0]
    return Found(float(row["value"]), float(row["ci_low"]), float(row["ci_high"]), str(row["note"]))


def years(days: float) -> str:
    """Write days as years where that is exact enough.

    Examples
    --------
    >>> years(1826), years(365), years(180)
    ('5 years', '1 year', '180 days')
    """
    whole = round(days / 365.25)
    if whole >= 1 and abs(days - 365.25 * whole) <= max(3, whole):
        return f"{whole} year{'s' if whole > 1 else ''}"
    return f"{days:,.0f} days"


def window(facts: Mapping[str, Any]) -> str:
    """Say the outcome window in words."""
    if facts["lag_days"] == 0:
        return f"within {years(facts['horizon_days'])} of the index date"
    return f"between {years(facts['lag_days'])} and {years(facts['horizon_days'])} after the index date"


def capital(sentence: str) -> str:
    """Begin with a capital and leave the rest."""
    return sentence[:1].upper() + sentence[1:]


def far_off(ratio: float) -> bool:
    """Whether observed over expected tells of percentages, another outcome or another horizon."""
    return ratio < 1 / _FARTHEST or ratio > _FARTHEST


def left_out_note(left_out: int, cohort: int, profile: Profile) -> str:
    """Say how many people of a cohort have no prediction; nothing where everyone has one."""
    if left_out == 0:
        return ""
    number, total = profile.count(left_out), profile.count(cohort)
    who = "Some" if math.isnan(number) or math.isnan(total) else f"{count(number)} of the {count(total)}"
    return f"{who} people of the cohort have no prediction and are left out."


def summary_sentences(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> list[str]:
    """Say who was studied, how often the outcome came, and how ranking, calibration and use turned out."""
    told = [_who(tables, facts), _ranking(tables), _mean(tables), _slope(tables), _use(tables)]
    return [sentence for sentence in told if sentence]


def _who(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> str:
    overview = tables["overview"].set_index("item")["n"]
    people, events = float(overview["people"]), float(overview["outcome in the window"])
    stand = f", standing for {count(facts['population'])}," if abs(facts["population"] - facts["n"]) > 0.5 else ""
    observed = pick(tables["calibration"], model="model", measure="observed_risk")
    cases = f"{count(events)} had" if not math.isnan(events) else "a suppressed number had"
    group = f"{count(people)} people" if not math.isnan(people) else "a suppressed number of people"
    risk = f": {observed.per_100k()} per 100,000, {one_in(observed.value)}" if observed.known else ""
    return f"Of {group}{stand} {cases} the outcome {window(facts)}{risk}."


def _ranking(tables: Mapping[str, pd.DataFrame]) -> str:
    frame = tables["discrimination"]
    within = pick(frame, model="model", measure="c_within_sets")
    area = pick(frame, model="model", measure="auroc")
    base = pick(frame, model="age and sex", measure="auroc")
    told = []
    if within.known:
        limits = (
            "" if math.isnan(within.low) else f"95 % interval {percent(within.low, 3)} to {percent(within.high, 3)}; "
        )
        told.append(
            "Among people of the same age and sex, a case ranked above a control in "
            f"{percent(within.value, 3)} of pairs ({limits}chance is 50 %)."
        )
    if area.known:
        beside = f", against {base.text()} for age and sex alone" if base.known else ""
        told.append(f"In the whole population the AUROC was {area.text()}{beside}.")
    told += [f"{title}." for title in [ranking_title(frame)] if title and (not within.known or adds(frame) is False)]
    return " ".join(told)


def adds(frame: pd.DataFrame) -> bool | None:
    """Whether the model is shown to add to age and sex alone; None where nothing tells."""
    within = pick(frame, model="model", measure="c_within_sets")
    found, nothing = (within, 0.5) if within.known else (pick(frame, model="difference", measure="auroc"), 0.0)
    if not found.known:
        return None
    return (found.value if math.isnan(found.low) else found.low) > nothing


def ranking_title(frame: pd.DataFrame) -> str:
    """Say whether the model ranks better than age and sex alone; empty where nothing tells."""
    within = pick(frame, model="model", measure="c_within_sets")
    if within.known and adds(frame):
        return (
            f"Among people of the same age and sex, the model ranks {percent(within.value, 3)} of matched pairs rightly"
        )
    if within.known:
        return "Among people of the same age and sex, the model is not shown to rank better than chance"
    found = pick(frame, model="difference", measure="auroc")
    if not found.known:
        return ""
    if adds(frame):
        return f"The model adds {found.text(2)} to the AUROC of age and sex alone"
    return f"The model is not shown to add to the AUROC of age and sex alone: difference {found.text(2)}"


def _mean(tables: Mapping[str, pd.DataFrame]) -> str:
    ratio = pick(tables["calibration"], model="model", measure="observed_over_expected")
    if not ratio.known:
        return f"Observed over expected: {ratio.text()}."
    if math.isnan(ratio.low):
        return f"Observed over expected: {ratio.text()}, without an interval."
    verdict = "not shown to differ from what was predicted"
    if not ratio.low <= 1 <= ratio.high:
        verdict = "more than predicted" if ratio.value > 1 else "fewer than predicted"
    elif _CLOSE[0] <= ratio.low and ratio.high <= _CLOSE[1]:
        verdict = "about as many as predicted"
    return f"Outcomes were {verdict}: observed over expected {ratio.text()}."


def _slope(tables: Mapping[str, pd.DataFrame]) -> str:
    slope = pick(tables["calibration"], model="model", measure="slope")
    if not slope.known:
        return f"Calibration slope: {slope.text()}."
    ratio = pick(tables["calibration"], model="model", measure="observed_over_expected")
    if far_off(ratio.value):
        return f"The calibration slope was {slope.text()}, which says nothing while the level is so far off."
    verdict = "compatible with 1, neither too extreme nor too timid"
    if slope.note.startswith(UNSTABLE):
        verdict = f"compatible with 1, but {slope.note}"
    if not math.isnan(slope.low) and not slope.low <= 1 <= slope.high:
        verdict = "below 1: predictions are too extreme" if slope.value < 1 else "above 1: predictions are too timid"
    return f"The calibration slope was {slope.text()}, {verdict}."


def _use(tables: Mapping[str, pd.DataFrame]) -> str:
    frame = tables["capacity"]
    shares = sorted(frame["capacity"].unique())
    share = min(shares, key=lambda s: abs(s - 0.01))
    per_case = pick(frame, model="model", capacity=share, measure="flagged_per_true_case")
    found = pick(frame, model="model", capacity=share, measure="sensitivity")
    if not per_case.known or not found.known:
        return ""
    return (
        f"If the highest-ranked {percent(share)} of people were reviewed, {percent(found.value)} of later cases would "
        f"be among them, and {count(per_case.value)} people would be reviewed for each."
    )


def calibration_title(curve: pd.DataFrame) -> str:
    """Say what the calibration curve shows: where its band leaves the diagonal."""
    if curve["note"].str.startswith(UNSTABLE).any():
        return "Too few outcomes to judge calibration by level of risk"
    known = curve[curve["ci_low"].notna() & curve["ci_high"].notna()]
    if not len(known):
        return "Predicted and observed risk"
    over = known[known["predicted_risk"] > known["ci_high"]]["predicted_risk"]
    under = known[known["predicted_risk"] < known["ci_low"]]["predicted_risk"]
    low, high = known["predicted_risk"].min(), known["predicted_risk"].max()
    if not len(over) and not len(under):
        return f"Predicted and observed risk agree from {per_100k(low)} to {per_100k(high)} per 100,000"
    parts = []
    for name, where in (("too high", over), ("too low", under)):
        if len(where):
            parts.append(f"{name} {_where(where.min(), where.max(), low, high)}")
    return f"Predictions are {' and '.join(parts)}"


def _where(start: float, end: float, low: float, high: float) -> str:
    if start <= low and end >= high:
        return "throughout"
    if start <= low:
        return f"below {per_100k(end)} per 100,000"
    if end >= high:
        return f"above {per_100k(start)} per 100,000"
    return f"from {per_100k(start)} to {per_100k(end)} per 100,000"
