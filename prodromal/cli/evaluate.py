"""``prodromal evaluate``: risks against outcomes, as tables and one report."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodromal.cli.common import (
    Force,
    Output,
    RequireSignature,
    Seed,
    Threads,
    provenance,
    read_frame,
    refuse_existing,
    say,
)
from prodromal.cli.risk_file import (
    facts_of,
    refuse_other_origin,
    refuse_other_question,
    risk_provenance,
    trained_on,
)
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.design import Cohort, Outcome
    from prodromal.evaluate import Evaluation
    from prodromal.page import Section
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["add_to"]

_SIMULATED = "Tried on simulated people."
_SHARED = (
    "These people may be among those whom the model was trained on: the cohort is of the same register and of no other "
    "part of a split. Then everything here is too good."
)
_LADDER_DAYS = (0, 183, 365, 730, 1096, 1826)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "evaluate",
        epilog="Example: prodromal evaluate risks.parquet held.parquet --register register --model model -o evaluation",
    )(evaluate)


def evaluate(
    risks: Annotated[Path, typer.Argument(help="Risks: person_id, index_date, risk; of any model.")],
    cohort: Annotated[
        Path, typer.Argument(help="Landmark cohort with the outcomes, made by 'prodromal cohort landmark'.")
    ],
    *,
    output: Output,
    seed: Seed = 1,
    register: Annotated[
        Path | None, typer.Option(help="With --model: adds matched sets, lead times and people.")
    ] = None,
    model: Annotated[Path | None, typer.Option(help="Bundle that made the risks.")] = None,
    signed_by: RequireSignature = None,
    matched: Annotated[
        Path | None, typer.Option(help="Held-out matched sets, made by 'prodromal cohort sets'.")
    ] = None,
    people: Annotated[
        int,
        typer.Option(min=0, max=10, help="Explained people in the report; such a report must stay where the data are."),
    ] = 0,
    replicates: Annotated[int, typer.Option(min=0, help="Bootstrap draws over families.")] = 200,
    profile: Annotated[str, typer.Option(help="Disclosure rules: acro, opensafely or ohdsi.")] = "acro",
    title: Annotated[str, typer.Option(help="Title of the report.")] = "How far can this ALS risk be trusted?",
    ohdsi: Annotated[bool, typer.Option("--ohdsi", help="Also write PatientLevelPrediction's result tables.")] = False,
    meds: Annotated[bool, typer.Option("--meds", help="Also write the predictions in the MEDS schema.")] = False,
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Discrimination, calibration and usefulness with intervals: JSON, CSV tables and report.html."""
    import json

    from prodromal.design import read_cohort
    from prodromal.design.files import read_origin
    from prodromal.evaluate import EvaluationData, join_outcomes
    from prodromal.evaluate import evaluate as compute
    from prodromal.evaluate.words import left_out_note
    from prodromal.files import atomic_folder, sha256, write_text
    from prodromal.register import Register
    from prodromal.risk import load

    refuse_existing(output, force)
    _refuse_half(register, model, people=people, matched=matched)
    followed = read_cohort(cohort)
    predictions = _with_baseline(read_frame(risks))
    asked = followed.outcome
    opened = (Register.open(register), load(model, require_signature=signed_by)) if register and model else None
    extras = _Extras(*opened, matched, followed, seed, replicates) if opened else None
    said = _said_of(risks, cohort, asked, extras, model)
    # Across ages and sexes people are ranked by risk: the score compares only people of the same age and sex.
    joined = join_outcomes(
        predictions.drop(columns="score", errors="ignore"), followed.frame.drop(columns="person_row")
    )
    data = EvaluationData.from_frame(joined, horizon_days=asked.horizon_days, lag_days=asked.lag_days)
    result = compute(
        data,
        replicates=replicates,
        seed=seed,
        matched=extras.matched() if extras else None,
        lead_time=extras.lead_time() if extras else None,
        profile=profile,
        workers=threads,
    )
    warning = said.get("warning") or (_SIMULATED if followed.origin.simulated else "")
    tried_on = [followed.origin, *([read_origin(matched)] if matched else [])]
    shared = _SHARED if any(one.shares_people(trained_on(said)) for one in tried_on) else ""
    missing = left_out_note(len(followed.frame) - len(joined), len(followed.frame), result.profile)
    result = replace(result, warnings=tuple(filter(None, (warning, shared, missing, *result.warnings))))
    facts = provenance(
        extras.register if extras else None,
        model,
        warning=warning,
        seed=seed,
        profile=profile,
        risks=sha256(risks)[:16],
        cohort=sha256(cohort)[:16],
    )
    with atomic_folder(output, replace=force) as folder:
        write_text(folder / "provenance.json", json.dumps(facts, indent=1, sort_keys=True) + "\n")
        _write_tables(result, folder, ohdsi=ohdsi)
        if meds:
            _write_meds(joined, asked, folder / "meds_predictions.parquet")
        result.to_html(
            folder / "report.html",
            title=title,
            provenance=facts,
            attrition=followed.attrition,
            table_one=_table_one(followed),
            extra_sections=extras.people(predictions, people) if extras else [],
            figures=folder / "figures",
        )
    _tell(result)
    say(f"The report is {output / 'report.html'}")


def _refuse_half(register: Path | None, model: Path | None, *, people: int, matched: Path | None) -> None:
    if (register is None) != (model is None):
        raise DefinitionError("--register and --model go together")
    if register is None and (people or matched):
        raise DefinitionError(f"{'--people' if people else '--matched'} needs --register and --model, too")


def _said_of(risks: Path, cohort: Path, asked: Outcome, extras: _Extras | None, model: Path | None) -> dict[str, str]:
    """What the model says of its risks where it is given, else their file; refused where they do not fit."""
    said = facts_of(risks)
    refuse_other_question(risks, said, cohort, asked)
    if extras is None or model is None:
        return said
    own = risk_provenance(extras.model, model, extras.register)
    refuse_other_question(model, own, cohort, asked)
    refuse_other_origin(risks, said, own)
    return own


def _tell(result: Evaluation) -> None:
    for sentence in result.summary():
        say(sentence)
    for warning in result.warnings:
        say(f"Note: {warning}")


def _write_tables(result: Evaluation, folder: Path, *, ohdsi: bool) -> None:
    result.to_json(folder / "evaluation.json")
    result.to_csv(folder / "tables")
    if ohdsi:
        result.to_ohdsi(folder / "ohdsi")


def _with_baseline(risks: pd.DataFrame) -> pd.DataFrame:
    if "baseline_risk" not in risks and "expected_per_100k" in risks:
        return risks.assign(baseline_risk=risks["expected_per_100k"] / 1e5)
    return risks


def _write_meds(joined: pd.DataFrame, asked: Outcome, path: Path) -> None:
    import pyarrow.parquet as pq

    from prodromal.evaluate import meds_predictions

    found = meds_predictions(joined, horizon_days=asked.horizon_days, lag_days=asked.lag_days)
    pq.write_table(found, path, compression="zstd", write_page_checksum=True)


class _Extras:
    """What needs the register and the model: matched sets, lead times, explained people."""

    def __init__(
        self, register: Register, model: RiskModel, matched: Path | None, followed: Cohort, seed: int, replicates: int
    ) -> None:
        self.register, self.model = register, model
        self._matched, self._followed, self._seed, self._replicates = matched, followed, seed, replicates

    def matched(self) -> Any:
        """Held-out matched sets with their scores."""
        if self._matched is None:
            return None
        from prodromal.design import read_cohort

        return self._scored(read_cohort(self._matched, register=self.register.fingerprint))

    def lead_time(self) -> Any:
        """Concordance of the held-out cases at each lag before diagnosis."""
        if self._matched is None:
            return None
        import numpy as np

        from prodromal.design import Outcome, draw_landmark_sets, read_cohort
        from prodromal.errors import NotEstimable
        from prodromal.evaluate import compute_lead_time

        held = np.zeros(len(self.register.persons), dtype=bool)
        held[np.unique(read_cohort(self._matched).frame["person_row"])] = True
        asked, rungs = self._followed.outcome, {}
        for lag in _LADDER_DAYS:
            question = Outcome(asked.name, lag, lag + 1, asked.min_history_days)
            try:
                rungs[lag] = self._scored(draw_landmark_sets(self.register, question, seed=self._seed, among=held))
            except NotEstimable:
                continue
        return compute_lead_time(rungs, replicates=self._replicates, seed=self._seed) if rungs else None

    def people(self, risks: pd.DataFrame, number: int) -> list[Section]:
        """People with a high, a typical and a low rate ratio, none of them named."""
        if number == 0:
            return []
        import numpy as np

        from prodromal.explain.people import people_sections
        from prodromal.explain.person import CAUTION
        from prodromal.features import build
        from prodromal.page import callout

        ordered = (
            risks[risks["score"].notna()].sort_values(["score", "risk"], kind="stable")
            if "score" in risks
            else risks.sort_values("risk")
        )
        places = np.unique(np.linspace(0, len(ordered) - 1, number).round().astype(int))[::-1]
        chosen = ordered.iloc[places]
        titles = [_title(place / max(len(ordered) - 1, 1)) for place in places]
        sections = people_sections(self.register, self.model, build(self.model.plan, self.register, chosen), titles)
        return [replace(sections[0], html=callout(CAUTION) + sections[0].html), *sections[1:]]

    def _scored(self, cohort: Cohort) -> Any:
        from prodromal.evaluate import MatchedSets
        from prodromal.features import build

        risks = self.model.score(build(self.model.plan, self.register, cohort.index_dates), self.register.persons)
        frame = cohort.frame[["set_id", "case", "family"]].assign(
            score=risks["score"].to_numpy(), baseline_risk=risks["expected_per_100k"].to_numpy() / 1e5
        )
        return MatchedSets.from_frame(frame)


def _title(share: float) -> str:
    if share > 0.99:
        return "Explained: the highest rate ratio of the cohort"
    if share < 0.01:
        return "Explained: the lowest rate ratio of the cohort"
    return f"Explained: a rate ratio above {100 * share:.0f} % of the cohort"


def _table_one(cohort: Cohort) -> pd.DataFrame:
    """People with and without the outcome: number, age, sex; weighted to the population."""
    import numpy as np
    import pandas as pd

    frame, asked = cohort.frame, cohort.outcome
    counted = (frame["event"] == 1) & (frame["time_days"] > asked.lag_days)
    rows = []
    for name, mask in ((f"{asked.name} after the lag", counted), ("others", ~counted)):
        part = frame[mask & (frame["weight"] > 0)]
        if part.empty:
            continue
        weight = part["weight"].to_numpy()
        mean = float(np.average(part["age_years"], weights=weight))
        spread = float(np.sqrt(np.average((part["age_years"] - mean) ** 2, weights=weight)))
        rows.append(
            {
                "group": name,
                "people": len(part),
                "standing_for": float(weight.sum()),
                "mean_age_years": mean,
                "sd_age_years": spread,
                "men_percent": 100 * float(np.average(part["sex"] == "M", weights=weight)),
            }
        )
    return pd.DataFrame(rows)
