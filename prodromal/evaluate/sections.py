"""The sections of the report, one function each: a figure with its conclusion, a table, and depth to unfold."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from prodromal.evaluate import listing, plots
from prodromal.evaluate.disclosure import control_groups
from prodromal.evaluate.flow import attrition_flow
from prodromal.evaluate.groups import UNKNOWN
from prodromal.evaluate.tripod import tripod_map
from prodromal.evaluate.words import Found, adds, calibration_title, pick, ranking_title
from prodromal.page import (
    Section,
    count,
    definitions,
    details,
    figure,
    join,
    paragraph,
    per_100k,
    percent,
    rounded,
    table,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.figure import Figure

    from prodromal.evaluate.disclosure import Profile

__all__ = ["Part", "calibration", "checklist", "lead_time", "methods", "people", "ranking", "subgroups", "use"]

_Tables = "Mapping[str, pd.DataFrame]"


@dataclass(frozen=True, eq=False)
class Part:
    """A section and the figures that it shows."""

    section: Section
    figures: Mapping[str, Figure] = field(default_factory=dict)


def calibration(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Predicted against observed risk: curve, deciles, cells, and the numbers."""
    title = calibration_title(tables["calibration_curve"])
    ratio = pick(tables["calibration"], model="model", measure="observed_over_expected")
    ici = pick(tables["calibration"], model="model", measure="ici_per_100k")
    figures: dict[str, Figure] = {}
    parts = []
    if tables["calibration_curve"]["value"].notna().any():
        drawn = figures["calibration"] = plots.plot_calibration(
            tables["calibration_curve"], tables["calibration_deciles"]
        )
        caption = (
            f"A point on the dashed line is a prediction that came true as often as it said. On average over people, "
            f"prediction and smoothed observation differ by {ici.at_most()} per 100,000; noise inflates such a "
            "distance."
        )
        parts.append(figure(plots.svg(drawn), caption, f"{title}. Observed over expected {ratio.text()}."))
    else:
        parts.append(paragraph(f"The calibration curve was {_reason(tables['calibration_curve'])}."))
    parts.append(
        details("Numbers by tenth of predicted risk", listing.risks(tables["calibration_deciles"], ["group"], "Tenth"))
    )
    if "calibration_cells" in tables:
        drawn = figures["calibration_cells"] = _cells(tables["calibration_cells"])
        worst = (
            "Observed over expected by age and sex. An interval that leaves out 1 marks a cell whose level is off; by "
        )
        worst += "chance alone about one cell in twenty would be marked."
        parts += [Markup("<h3>{}</h3>").format(_cells_title(tables["calibration_cells"]))]
        parts += [
            figure(plots.svg(drawn), worst, "Observed over expected risk in each cell of age and sex; table below.")
        ]
        parts += [details("Numbers by age and sex", listing.risks(tables["calibration_cells"], ["sex", "age"], "Sex"))]
    parts.append(details("All measures of calibration", listing.measures(tables["calibration"], listing.CALIBRATION)))
    return Part(Section("calibration", title, join(parts), "Calibration"), figures)


def ranking(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Discrimination, always beside age and sex alone."""
    frame = tables["discrimination"]
    found = pick(frame, model="difference", measure="auroc")
    title = ranking_title(frame) or "How people were ranked"
    figures = {}
    parts = []
    if frame["value"].notna().any():
        drawn = figures["discrimination"] = plots.plot_discrimination(frame)
        caption = (
            "Most of the AUROC in a population of mixed ages is age. What the model itself knows shows between people "
            "of the same age and sex. Bars are 95 % intervals; dashed lines are what chance would give."
        )
        parts.append(figure(plots.svg(drawn), caption, f"{title}. AUROC difference to age and sex {found.text(2)}."))
    parts.append(details("All measures of ranking", listing.measures(frame, listing.DISCRIMINATION)))
    parts.append(details("AUROC by length of follow-up", listing.over_time(tables["time_dependent_auc"])))
    return Part(Section("ranking", title, join(parts), "Ranking"), figures)


def use(tables: Mapping[str, pd.DataFrame]) -> Part:
    """Tell what a decision by the risk would do."""
    frame = tables["capacity"]
    shares = sorted(frame["capacity"].unique())
    share = min(shares, key=lambda s: abs(s - 0.01))
    cost = pick(frame, model="model", capacity=share, measure="flagged_per_true_case")
    found = pick(frame, model="model", capacity=share, measure="sensitivity")
    title = "What acting on the risk would do"
    if cost.known:
        title = f"Of {count(cost.value)} people flagged in the top {percent(share, 1)}, one becomes a case"
    figures = {}
    parts = []
    if frame.loc[frame["capacity"] == share, "value"].notna().any():
        drawn = figures["review"] = plots.plot_review(frame, share)
        caption = (
            f"If the highest-ranked {percent(share, 1)} of people were reviewed, {_found(found)}. "
            "This can enrich a study; it cannot screen a population."
        )
        parts.append(figure(plots.svg(drawn), caption, f"{title}; {_found(found)}."))
    parts.append(listing.flags(frame, tables.get("thresholds")))
    curve = tables["decision_curve"]
    gain = curve[curve["measure"] == "gain_per_100k"]
    if gain["value"].notna().any():
        drawn = figures["decision_curve"] = plots.plot_decision_curve(curve)
        caption = (
            "Net benefit counts true cases flagged, less false alarms at the rate that the threshold states. Above the "
            "dashed line, acting by the risk has more of it than acting for everyone or for nobody, whichever has "
            "more. It says nothing of what acting does to anybody. Prevalence is the population's."
        )
        hidden = gain["note"].str.startswith("suppressed").any()
        caption += " Thresholds without a dot are suppressed: they would tell of few people." if hidden else ""
        parts.append(Markup("<h3>{}</h3>").format(_curve_title(curve, adds(tables["discrimination"]))))
        parts.append(figure(plots.svg(drawn), caption, "Decision curve: gain in net benefit over threshold risk."))
    else:
        parts.append(paragraph(f"The decision curve was {_reason(gain)}."))
    return Part(Section("use", title, join(parts), "Use"), figures)


def _found(share: Found) -> str:
    """Say what share of later cases, also where the number is missing."""
    if share.known:
        return f"{percent(share.value)} of later cases would be among them"
    hidden = share.note.startswith("suppressed")
    return f"the share of later cases among them {'is suppressed' if hidden else 'could not be computed'}"


def lead_time(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Discrimination by the time left out before diagnosis; None without a ladder."""
    if "lead_time" not in tables:
        return None
    frame = tables["lead_time"]
    drawn = plots.plot_lead_time(frame)
    model = frame[frame["model"] == "model"].sort_values("lag_days")
    first, last = model["value"].iloc[0], model["value"].iloc[-1]
    title = "How early the signal begins"
    if not (math.isnan(first) or math.isnan(last)):
        verb = "fades" if last < first - 0.01 else "stays much the same"
        title = f"The signal {verb} with time before diagnosis: {rounded(first)} to {rounded(last)}"
    caption = (
        "Each dot is an evaluation of its own, with everything in the time left out unseen. Published work on full "
        "medical records with age- and sex-matched controls reports AUROC 0.883, 0.710, 0.658 and 0.620 at 0, 1, 2 "
        "and 5 years."
    )
    shown = frame.assign(text=listing.with_interval(frame))[["lag_days", "model", "text", "n", "events"]]
    numbers = table(
        shown,
        headings={"lag_days": "Lag, days", "model": "By", "text": "Ranked rightly", "n": "Sets", "events": "Cases"},
        formats={"text": rounded},
        missing="suppressed",
    )
    html = join([figure(plots.svg(drawn), caption, f"{title}."), details("Numbers", numbers)])
    return Part(Section("lead-time", title, html, "Lead time"), {"lead_time": drawn})


def subgroups(tables: Mapping[str, pd.DataFrame]) -> Part | None:
    """Discrimination and calibration by subgroup; None where no column formed groups."""
    if "subgroups" not in tables:
        return None
    frame = tables["subgroups"]
    frame = frame.assign(label=[_group_name(g, n) for g, n in zip(frame["grouping"], frame["group"], strict=True)])
    shown = frame[frame["grouping"].map(frame.groupby("grouping")["group"].nunique()) > 1]
    parts = []
    figures = {}
    if len(shown):
        panels = [("auroc", "AUROC", 0.5, False), ("observed_over_expected", "Observed over expected", 1.0, True)]
        drawn = figures["subgroups"] = plots.plot_forest(shown, panels=panels)
        caption = (
            "Within a narrow age band the AUROC is lower than overall, because age no longer helps. "
            "Bars are 95 % intervals."
        )
        parts.append(figure(plots.svg(drawn), caption, "AUROC and observed over expected by subgroup; table below."))
    wide = listing.wide(
        frame, ["label"], ("observed_risk", "expected_risk", "observed_over_expected", "auroc", "slope")
    )
    columns = {
        "label": "Group",
        "n": "People",
        "events": "Outcomes",
        "observed_risk": "Observed per 100,000 (95 % interval), about 1 in",
        "expected_risk": "Predicted per 100,000",
        "observed_over_expected": "O/E (95 % interval)",
        "auroc": "AUROC (95 % interval)",
        "slope": "Slope (95 % interval)",
    }
    shown_numbers = table(wide[list(columns)], headings=columns, formats=listing.text(wide), missing="suppressed")
    parts.append(details("Numbers by subgroup", listing.with_reasons(shown_numbers, frame)))
    title = _subgroups_title(shown)
    return Part(Section("subgroups", title, join(parts), "Subgroups"), figures)


def _subgroups_title(frame: pd.DataFrame) -> str:
    part = frame[(frame["measure"] == "observed_over_expected") & frame["ci_low"].notna()]
    fits = int(((part["ci_low"] <= 1) & (part["ci_high"] >= 1)).sum())
    return f"The predicted level fits in {fits} of {len(part)} subgroups" if len(part) else "Subgroups"


def people(
    tables: Mapping[str, pd.DataFrame],
    facts: Mapping[str, Any],
    attrition: pd.DataFrame | None,
    table_one: pd.DataFrame | None,
    profile: Profile,
) -> Part:
    """Who was evaluated: estimand, follow-up, attrition, characteristics, distribution of risk."""
    headings = {"item": "", "n": "Rows", "population": "Population"}
    parts = [
        paragraph(f"The risk evaluated is the {facts['estimand']}."),
        table(tables["overview"], headings=headings, formats={"population": count}, missing="suppressed"),
    ]
    if attrition is not None:
        parts += [Markup("<h3>How they came into the study</h3>"), attrition_flow(attrition, profile)]
    if table_one is not None:
        parts += [Markup("<h3>Who they were</h3>"), table(control_groups(table_one, profile), missing="suppressed")]
    parts.append(
        details("Distribution of predicted risk, per 100,000", listing.distribution(tables["prediction_distribution"]))
    )
    return Part(Section("people", "Who was evaluated", join(parts), "People"))


def methods(disclosure: str, facts: Mapping[str, Any]) -> Section:
    """How the numbers were computed, in a paragraph each."""
    drawn = f"{facts['replicates']} draws of families" if facts["replicates"] else "none were asked for"
    return Section(
        "methods",
        "How the numbers were computed",
        definitions(
            {
                "Observed risk": "Aalen-Johansen with sampling weights; death, and a diagnosis before the lag has "
                "passed, are competing ends. Time starts at the index date.",
                "Censoring": "Ranking, curves and regressions use inverse probability of censoring weights, which "
                "agree exactly with Aalen-Johansen in sum. They assume that being lost says nothing about the risk.",
                "Weights": "Inverse sampling fractions everywhere, so that results are those of the population.",
                "Intervals": f"95 %, from percentiles of the bootstrap over families ({drawn}). Groups with fewer "
                "than ten outcomes have limits for weighted Poisson counts instead.",
                "Slope and intercept": "Binomial regression on the complementary log-log of the predicted risk.",
                "Smooth curve": "The same regression with a restricted cubic spline; deviations (ICI, E50, "
                "E90, Emax) are averaged over the population, per 100,000. Noise inflates them: "
                "only their upper limit is told.",
                "Pairs of same age and sex": "Share of case-control pairs within matched sets in which the case is "
                "ranked higher; ties count half.",
                "Disclosure control": disclosure,
            }
        ),
        "Methods",
    )


def checklist() -> Section:
    """Map the report to TRIPOD+AI."""
    shown = table(tripod_map(), headings={"item": "Item", "heading": "TRIPOD+AI heading", "answered": "Where"})
    return Section(
        "tripod", "Reporting checklist", details("TRIPOD+AI items and where they are answered", shown), "Checklist"
    )


def _cells(frame: pd.DataFrame) -> Figure:
    named = frame.assign(label=[f"{_SEX.get(s, s)}, {a}" for s, a in zip(frame["sex"], frame["age"], strict=True)])
    return plots.plot_forest(named, panels=[("observed_over_expected", "Observed over expected", 1.0, True)])


_SEX = {"M": "men", "F": "women", "U": "sex unknown"}


def _cells_title(frame: pd.DataFrame) -> str:
    part = frame[(frame["measure"] == "observed_over_expected") & frame["ci_low"].notna()]
    off = int(((part["ci_low"] > 1) | (part["ci_high"] < 1)).sum())
    if not len(part):
        return "By age and sex"
    return f"The predicted level fits in {len(part) - off} of {len(part)} cells of age and sex"


def _curve_title(curve: pd.DataFrame, added: bool | None) -> str:
    gain = curve[(curve["model"] == "model") & (curve["measure"] == "gain_per_100k") & curve["ci_low"].notna()]
    useful = gain[gain["ci_low"] > 0]["threshold"]
    if not len(useful):
        return "Acting by the risk is not shown to have more net benefit than acting for everyone or for nobody"
    between = gain[gain["threshold"].between(useful.min(), useful.max())]
    where = "thresholds" if len(between) == len(useful) else "some thresholds"
    where += f" from {per_100k(useful.min())} to {per_100k(useful.max())} per 100,000"
    but = "; the model is not shown to add to age and sex alone" if added is False else ""
    return f"Acting by the risk has more net benefit than acting for everyone or for nobody at {where}{but}"


def _group_name(grouping: object, group: object) -> str:
    if group == UNKNOWN:
        return f"{grouping} unknown"
    if grouping == "sex":
        return _SEX.get(str(group), str(group))
    return f"age {group}" if grouping == "age" else str(group)


def _reason(frame: pd.DataFrame) -> str:
    reasons = [str(n) for n in frame["note"] if n]
    return reasons[0] if reasons else "not computed: predictions do not vary"
