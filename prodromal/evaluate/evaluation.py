"""The whole evaluation: one bootstrap, every table, and the doors through which results leave."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from prodromal.evaluate.calibration import FEW_EVENTS, LEAST_EVENTS
from prodromal.evaluate.data import DEATH, OUTCOME, EvaluationData, MatchedSets
from prodromal.evaluate.disclosure import PROFILES, control
from prodromal.evaluate.groups import AGE_EDGES
from prodromal.evaluate.matched import compute_matched_concordance
from prodromal.evaluate.resample import Population, Statistic, combine, estimate, in_threads
from prodromal.evaluate.splines import weighted_quantile
from prodromal.evaluate.tables import (
    by_subgroup,
    calibration,
    capacity,
    cells,
    decile_groups,
    decision_curve,
    discrimination,
    flags_at,
    time_dependent_auc,
)
from prodromal.evaluate.utility import CAPACITIES
from prodromal.evaluate.words import FAR_OFF, far_off, pick, summary_sentences

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from prodromal.evaluate.disclosure import Profile
    from prodromal.page import Section

__all__ = ["Evaluation", "evaluate"]

THRESHOLDS = (0.0005, 0.001, 0.005)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What an evaluation found.

    Attributes
    ----------
    tables : mapping of str to DataFrame
        The tables as computed, before disclosure control: keep them inside. Everything that writes or speaks uses
        `released`.
    facts : mapping of str to object
        Window, replicates, seed, counts: what the tables were made from.
    warnings : tuple of str
        What makes some numbers unreliable.
    profile : Profile
        Disclosure rules that hold for every output.
    """

    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]
    warnings: tuple[str, ...]
    profile: Profile

    @cached_property
    def released(self) -> dict[str, pd.DataFrame]:
        """The tables after disclosure control: small cells suppressed, and those that would give them away."""
        return control(self.tables, self.profile, ranked_by_risk=bool(self.facts["ranked_by_risk"]))

    def summary(self) -> list[str]:
        """Say the main findings in plain language, one sentence each."""
        return summary_sentences(self.released, self.facts)

    def to_dict(self) -> dict[str, Any]:
        """Give facts, warnings, summary and tables as plain values; a number that does not exist is None."""
        tables = {name: _records(frame) for name, frame in self.released.items()}
        told = {"facts": self._released_facts(), "warnings": list(self.warnings), "disclosure": self.profile.sentence}
        return told | {"summary": self.summary(), "tables": tables}

    def _released_facts(self) -> dict[str, Any]:
        overview = self.released["overview"].set_index("item")["n"]
        shown = {
            "n": overview["people"],
            "events": overview["outcome in the window"],
            "lost_before_horizon": overview["lost before the horizon"],
            "families": self.profile.count(self.facts["families"]),
            "rows_without_weight": self.profile.count(self.facts["rows_without_weight"]),
        }
        return dict(self.facts) | {k: None if np.isnan(v) else int(v) for k, v in shown.items()}

    def to_json(self, path: Path) -> None:
        """Write `to_dict` as JSON."""
        from prodromal.evaluate.export import write_json

        write_json(path, self.to_dict())

    def to_csv(self, folder: Path) -> None:
        """Write one CSV per table into `folder`."""
        from prodromal.evaluate.export import write_tables

        write_tables(folder, self.released)

    def to_ohdsi(self, folder: Path) -> None:
        """Write the result tables of OHDSI PatientLevelPrediction as CSV into `folder`."""
        from prodromal.evaluate.export import write_tables
        from prodromal.evaluate.ohdsi import ohdsi_tables

        write_tables(folder, ohdsi_tables(self.released, self.facts))

    def to_html(
        self,
        path: Path,
        *,
        title: str,
        provenance: Mapping[str, str] | None = None,
        attrition: pd.DataFrame | None = None,
        table_one: pd.DataFrame | None = None,
        extra_sections: Sequence[Section] = (),
        figures: Path | None = None,
    ) -> None:
        """Write one self-contained report.

        Parameters
        ----------
        path : Path
        title : str
            What was asked.
        provenance : mapping of str to str, optional
            How it was made: version, plan fingerprint, seed, hashes of inputs.
        attrition : DataFrame, optional
            How people came into the study: the step, then columns of how many remain after it.
        table_one : DataFrame, optional
            Who they were, one row a group with its number of ``people``. Small counts of both are suppressed.
        extra_sections : sequence of Section
            Put before the checklist.
        figures : Path, optional
            Folder for the same figures as PNG.
        """
        from prodromal.evaluate.report import report

        built = report(
            self, title, provenance or {}, attrition=attrition, table_one=table_one, extra_sections=extra_sections
        )
        built.page.write(path)
        if figures is not None:
            built.write_png(figures)


def evaluate(
    data: EvaluationData,
    *,
    replicates: int,
    seed: int,
    matched: EvaluationData | MatchedSets | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    curve_thresholds: Sequence[float] | None = None,
    capacities: Sequence[float] = CAPACITIES,
    age_edges: Sequence[float] = AGE_EDGES,
    groups: Sequence[str] | None = None,
    lead_time: pd.DataFrame | None = None,
    profile: str = "acro",
    workers: int = 1,
) -> Evaluation:
    """Evaluate predicted risks against outcomes.

    Parameters
    ----------
    data : EvaluationData
        People with their predictions, follow-up and sampling weights.
    replicates : int
        Bootstrap draws over families; 0 for point estimates alone.
    seed : int
    matched : EvaluationData or MatchedSets, optional
        Matched sets for the concordance within sets; the ones in `data` by default.
    thresholds : sequence of float
        Risks at which the consequences of flagging are tabulated.
    curve_thresholds : sequence of float, optional
        Risks over which the decision curve runs; spread over the predicted risks by default.
    capacities : sequence of float
        Shares of the population that could be reviewed.
    age_edges : sequence of float
        Lower edges of age bands in years.
    groups : sequence of str, optional
        Columns that form further subgroups; ``region`` where present by default.
    lead_time : DataFrame, optional
        Result of `compute_lead_time`, taken into the tables and the report.
    profile : {"acro", "opensafely", "ohdsi"}
        Disclosure rules for everything that leaves.
    workers : int
        Threads. They change no number.

    Returns
    -------
    Evaluation

    Raises
    ------
    DefinitionError
        If an argument asks for something undefined.
    """
    rules = PROFILES.of(profile)
    population = Population.of(data)
    wanted: dict[str, Callable[[], Statistic | None]] = {
        "discrimination": lambda: discrimination(population),
        "calibration": lambda: calibration(population),
        "calibration_deciles": lambda: decile_groups(population),
        "calibration_cells": lambda: cells(population, age_edges),
        "subgroups": lambda: by_subgroup(population, age_edges, groups),
        "capacity": lambda: capacity(population, capacities),
        "thresholds": lambda: flags_at(population, thresholds) if len(thresholds) else None,
        "decision_curve": lambda: decision_curve(population, curve_thresholds),
        "time_dependent_auc": lambda: time_dependent_auc(population),
    }
    tables = _estimated(population, wanted, replicates, seed, workers)
    tables = _with_curve_apart(tables)
    sets = matched.matched if isinstance(matched, EvaluationData) else matched or data.matched
    if sets is not None:
        found = compute_matched_concordance(sets, replicates=replicates, seed=seed)
        tables["discrimination"] = pd.concat([found, tables["discrimination"]], ignore_index=True)
    if lead_time is not None:
        tables["lead_time"] = lead_time
    tables = {"overview": _overview(population)} | tables | {"prediction_distribution": _distribution(population)}
    facts = _facts(population, replicates, seed)
    return Evaluation(tables, facts, _warnings(tables, facts, rules), rules)


def _estimated(
    population: Population,
    wanted: Mapping[str, Callable[[], Statistic | None]],
    replicates: int,
    seed: int,
    workers: int,
) -> dict[str, pd.DataFrame]:
    built = in_threads(list(wanted.values()), workers)
    named = {name: statistic for name, statistic in zip(wanted, built, strict=True) if statistic is not None}
    whole = estimate(population, combine(*named.values()), replicates=replicates, seed=seed, workers=workers)
    tables, start = {}, 0
    for name, statistic in named.items():
        end = start + len(statistic.rows)
        part = whole.iloc[start:end].reset_index(drop=True)
        keys = {key for row in statistic.rows for key in row}
        tables[name] = part[[c for c in part.columns if c in keys or c in _RESULT]]
        start = end
    return tables


_RESULT = frozenset({"value", "ci_low", "ci_high", "n", "events", "note"})


def _with_curve_apart(tables: dict[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    split: dict[str, pd.DataFrame] = {}
    for name, frame in tables.items():
        if name != "calibration":
            split[name] = frame
            continue
        curve = frame["measure"] == "curve"
        split[name] = frame[~curve].drop(columns="predicted_risk", errors="ignore").reset_index(drop=True)
        split["calibration_curve"] = frame[curve].reset_index(drop=True)
    return split


def _overview(population: Population) -> pd.DataFrame:
    data, ends = population.data, population.ends
    lost = np.zeros(data.n, dtype=np.bool_)
    lost[ends.lost] = True
    early = (data.event == OUTCOME) & (data.time_days <= data.lag_days)
    died = (data.event == DEATH) & (data.time_days <= data.horizon_days)
    followed = ~lost & ~ends.outcome & ~early & ~died
    parts = {
        "people": np.ones(data.n, dtype=np.bool_),
        "outcome in the window": ends.outcome,
        "outcome before the lag had passed": early,
        "died without the outcome": died,
        "lost before the horizon": lost,
        "followed to the horizon without the outcome": followed,
    }
    rows = [
        {"item": name, "n": int(rows.sum()), "population": float(data.weight[rows].sum())}
        for name, rows in parts.items()
    ]
    return pd.DataFrame(rows).assign(note="")


def _distribution(population: Population) -> pd.DataFrame:
    """Describe predicted risk with and without the outcome; no extremes, which are single people."""
    data, outcome = population.data, population.ends.outcome
    places = (0.05, 0.25, 0.5, 0.75, 0.95)
    rows = []
    for name, members in (("everyone", slice(None)), ("no outcome", ~outcome), ("outcome", outcome)):
        risk, weight = data.risk[members], data.weight[members]
        values = _moments(risk, weight, places) if len(risk) else [np.nan] * (2 + len(places))
        names = ["mean", "standard_deviation", *(f"p{100 * q:02.0f}" for q in places)]
        rows += [{"class": name, "measure": m, "value": v, "n": len(risk)} for m, v in zip(names, values, strict=True)]
    frame = pd.DataFrame(rows).assign(events=int(outcome.sum()))
    return frame.assign(note=np.where(frame["value"].isna(), "not computed: nobody in this class", ""))


def _moments(risk: np.ndarray, weight: np.ndarray, places: Sequence[float]) -> list[float]:
    mean = float(np.average(risk, weights=weight))
    spread = float(np.sqrt(np.average((risk - mean) ** 2, weights=weight)))
    return [mean, spread, *weighted_quantile(risk, places, weight).tolist()]


def _facts(population: Population, replicates: int, seed: int) -> dict[str, Any]:
    data = population.data
    return {
        "horizon_days": data.horizon_days,
        "lag_days": data.lag_days,
        "estimand": (
            f"probability of the outcome more than {data.lag_days:,.0f} and at most {data.horizon_days:,.0f} days "
            "after the index date, among people alive and undiagnosed then, with death as a competing event"
        ),
        "n": data.n,
        "population": float(data.weight.sum()),
        "events": int(population.ends.outcome.sum()),
        "families": data.n_families,
        "rows_without_weight": data.weightless,
        "lost_before_horizon": population.ends.n_lost,
        "ranked_by_risk": data.score is data.risk or bool(np.array_equal(data.score, data.risk)),
        "baseline": data.baseline_risk is not None,
        "replicates": replicates,
        "seed": seed,
    }


def _warnings(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any], rules: Profile) -> tuple[str, ...]:
    found = []
    ratio = pick(tables["calibration"], model="model", measure="observed_over_expected")
    if facts["events"] >= max(LEAST_EVENTS, rules.smallest) and far_off(ratio.value):
        found.append(FAR_OFF)
    if facts["events"] < FEW_EVENTS:
        found.append(f"Fewer than {FEW_EVENTS} outcomes: calibration curve and slope are unstable.")
    if not facts["baseline"]:
        found.append("No prediction from age and sex alone was given: what the model adds to them cannot be told.")
    if facts["rows_without_weight"]:
        found.append("Rows with weight 0 stand for nobody in the population and were left out.")
    return tuple(found)


def _records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    plain = frame.astype(object).where(frame.notna(), None)
    return [{str(k): v for k, v in row.items()} for row in plain.to_dict("records")]
