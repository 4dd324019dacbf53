"""A page about a model's reasons over many people: what moves scores, how, and what goes together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from markupsafe import Markup

from prodromal.explain.charts import Point, draw_factors, reach
from prodromal.explain.dependence import dependence
from prodromal.explain.explanation import By, explain
from prodromal.explain.importance import importance
from prodromal.explain.interaction import interaction
from prodromal.explain.limits import limits_section
from prodromal.explain.observed import AGE_AND_SEX
from prodromal.page import Page, Section, count, details, figure, join, paragraph, table

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    import pandas as pd

    from prodromal.features import FeatureMatrix
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["MOST_INTERACTING", "MOST_SUMMARISED", "summary_page"]

MOST_SUMMARISED, MOST_INTERACTING = 20_000, 2_000
_CAUTION = (
    "These are the habits of a model, not causes of ALS. A class matters here because the model uses it, or because "
    "many people take it; neither says that it raises or lowers anyone's risk."
)
_CLASSES_SHOWN, _PAIRS_SHOWN = 5, 12

_ONE = {"switches": "switch"}
_WORDS = {
    "mean_abs_contribution": "mean absolute contribution (log rate ratio)",
    "mean_contribution": "mean contribution (log rate ratio)",
    "ci_low": "from",
    "ci_high": "to",
}


def summary_page(
    register: Register,
    model: RiskModel,
    matrix: FeatureMatrix,
    *,
    replicates: int,
    seed: int,
    provenance: Mapping[str, str],
    groups: npt.NDArray[Any] | None = None,
) -> Page:
    """Summarise the reasons of everyone in a matrix; no person is named.

    Parameters
    ----------
    register : Register
        For age, sex and the people whom each row stands for.
    model : RiskModel
        Whose scores.
    matrix : FeatureMatrix
        People at index dates. Interactions are those of the first ``MOST_INTERACTING`` rows, so rows should stand in
        random order where there are more.
    replicates, seed : int
        Of the bootstrap.
    provenance : mapping of str to str
        For the footer.
    groups : array_like, shape (n_rows,), optional
        Families; by default rows of the same person belong together.

    Returns
    -------
    Page
    """
    family = matrix.person_row if groups is None else groups
    weights = register.persons.weight[matrix.person_row]
    draw: dict[str, Any] = {"replicates": replicates, "seed": seed}
    by_feature = explain(model, matrix, register.persons, by=By.FEATURE)
    by_class = by_feature.grouped(By.CLASS)
    ranked = importance(by_class, groups=family, weights=weights, **draw)
    known = {feature.family for feature in model.plan.features}
    labels = [label for label in ranked["label"] if label in known]
    depends = [
        dependence(by_feature, label, groups=family, weights=weights, **draw) for label in labels[:_CLASSES_SHOWN]
    ]
    units = {feature.name: feature.unit for feature in model.plan.features}
    first = np.arange(min(len(matrix), MOST_INTERACTING))
    pairs = interaction(model, matrix.take(first), groups=family[first], weights=weights[first], **draw)
    return Page(
        title="What moves the scores of this model",
        lead=paragraph(
            f"Contributions to the scores of {len(matrix):,} people, exact and summed by class of medication. "
            "People count for those whom they stand for in the population. Bands are 95 % intervals from "
            f"{replicates:,} draws of families; the model itself is held fixed."
        ),
        sections=[
            _importance(ranked),
            _dependence(depends, units),
            _interaction(pairs, len(first)),
            limits_section(model),
        ],
        caution=_CAUTION,
        kicker=model.warning,
        provenance=provenance,
    )


def _importance(ranked: pd.DataFrame) -> Section:
    points = [
        Point(str(row["label"]), row["mean_abs_contribution"], row["ci_low"], row["ci_high"])
        for row in ranked.to_dict("records")
    ]
    top = ranked.iloc[0]
    title = f"What moves scores most: {top['label']}, x {top['factor']:.2f} up or down on average"
    told = "; ".join(f"{p.label} x {np.exp(p.value):.2f}" for p in points)
    body = [
        figure(
            draw_factors(points),
            "By how much each class moves a rate up or down, on average over people (mean absolute contribution, as a "
            "factor). A class that few people take ranks low however strong it is for them. "
            f"{AGE_AND_SEX}",
            f"Average factors, largest first: {told}",
        ),
        details("Numbers", _table(ranked, {"label": "class", **_WORDS})),
    ]
    return Section("importance", title, join(body), "What matters")


def _dependence(found: list[pd.DataFrame], units: Mapping[str, str]) -> Section:
    body: list[Markup] = [
        paragraph(
            "The factor of a whole class, averaged over people, by the value of the one of its features that the model "
            "uses most. The class's other features vary along with it. All charts have the same axis."
        )
    ]
    drawn = [_points(frame, units) for frame in found]
    ends = reach(point for points in drawn for point in points)
    for frame, points in zip(found, drawn, strict=True):
        told = "; ".join(f"{p.label}: x {np.exp(p.value):.2f}" for p in points if not np.isnan(p.value))
        body += [
            Markup("<h3>{}</h3>").format(frame["label"].iloc[0]),
            figure(
                draw_factors(points, ends=ends), f"{frame['sentence'].iloc[0]}.", f"{frame['sentence'].iloc[0]}. {told}"
            ),
            details("Numbers", _table(frame.drop(columns=["label", "feature", "sentence"]), _WORDS)),
        ]
    return Section("dependence", "How the factors change with use", join(body), "How it depends")


def _points(frame: pd.DataFrame, units: Mapping[str, str]) -> list[Point]:
    return [
        Point(
            _with_unit(str(row["value"]), units[row["feature"]]),
            row["mean_contribution"],
            row["ci_low"],
            row["ci_high"],
            _people(row),
        )
        for row in frame.to_dict("records")
    ]


def _with_unit(value: str, unit: str) -> str:
    """Put its unit after a number or a range; words stay as they are."""
    if unit[0].isdigit() or not value[-1].isdigit():
        return value
    return f"{value} {_ONE.get(unit, unit.removesuffix('s')) if value == '1' else unit}"


def _interaction(pairs: pd.DataFrame, rows: int) -> Section:
    shown = pairs.head(_PAIRS_SHOWN).copy()
    shown.insert(0, "pair", shown["label"] + " with " + shown["other"])
    shown["factor"] = np.exp(shown["mean_abs_interaction"])
    columns = ["pair", "factor", "ci_low", "ci_high", "users_of_both", "factor_of_users", "note"]
    shown[["ci_low", "ci_high"]] = np.exp(shown[["ci_low", "ci_high"]])
    words = {
        "factor": "factor up or down, on average",
        "ci_low": "from",
        "ci_high": "to",
        "users_of_both": "people who use both",
        "factor_of_users": "factor for them",
    }
    body = [
        paragraph(
            "Where two classes interact, their factors alone do not multiply to the score: this is what is left, exact "
            f"over {rows:,} people. Half of it is part of either class's own factor above. Everyone uses age and sex."
        ),
        _table(shown[columns], words),
    ]
    top = shown.iloc[0]
    title = f"What interacts most: {top['label']} with {top['other']}, x {top['factor']:.2f} on average"
    return Section("interaction", title, join(body), "What goes together")


def _people(row: Mapping[Any, Any]) -> str:
    return str(row["note"]) if row["note"] else f"{count(row['people'])} people"


def _table(frame: pd.DataFrame, headings: Mapping[str, str]) -> Markup:
    formats = {name: _factor for name in frame.columns if str(name).startswith("factor")}
    numbers = {name: _three for name in frame.columns if str(name) in {"mean_abs_contribution", "mean_contribution"}}
    limits = {name: _three for name in frame.columns if str(name) in {"ci_low", "ci_high"}}
    return table(frame, headings=headings, formats={**formats, **numbers, **limits})


def _factor(value: float) -> str:
    return f"x {value:.3f}"


def _three(value: float) -> str:
    return f"{value:.3f}"
