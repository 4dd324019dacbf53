"""``prodromal recalibrate``: a model with a site's own level and spread."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import (
    Force,
    Model,
    Output,
    RegisterFolder,
    RequireSignature,
    Seed,
    Threads,
    provenance,
    refuse_existing,
    say,
    warn,
)

if TYPE_CHECKING:
    from prodromal.design import Cohort
    from prodromal.evaluate import Evaluation
    from prodromal.features import FeatureMatrix
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["add_to"]

_REPLICATES = 100


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "recalibrate", epilog="Example: prodromal recalibrate register model cohort.parquet --output recalibrated"
    )(recalibrate)


def recalibrate(
    register: RegisterFolder,
    model: Model,
    cohort: Annotated[Path, typer.Argument(help="Landmark cohort of the site, made by 'prodromal cohort landmark'.")],
    *,
    output: Output,
    report: Annotated[
        Path | None, typer.Option(help="Page with the calibration before and after, such as recalibration.html.")
    ] = None,
    signed_by: RequireSignature = None,
    seed: Seed = 1,
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Refit one intercept and one slope on a site's own cohort; people keep their order."""
    from prodromal.design import read_cohort
    from prodromal.evaluate import before_after_page
    from prodromal.features import build
    from prodromal.register import Register
    from prodromal.risk import load, save
    from prodromal.risk import recalibrate as refit
    from prodromal.risk.bundle import fingerprint

    refuse_existing(output, force)
    if report is not None:
        refuse_existing(report, force)
    opened, loaded = Register.open(register), load(model, require_signature=signed_by)
    followed = read_cohort(cohort, register=opened.fingerprint)
    matrix = build(loaded.plan, opened, followed.index_dates, threads=threads)
    found = refit(loaded, matrix, followed, opened.persons)
    save(found.model, output, replace=force)
    if report is not None:
        facts = provenance(opened, model, warning=loaded.warning, recalibrated=fingerprint(output), seed=seed)
        evaluations = [_evaluated(one, matrix, followed, opened, seed, threads) for one in (loaded, found.model)]
        before_after_page(
            *evaluations, title="What recalibration changed here", kicker=loaded.warning, provenance=facts
        ).write(report)
    say(
        f"From {found.events:,} diagnoses: level x {exp(found.intercept):.2f} "
        f"(log {found.intercept:.3f}, standard error {found.intercept_se:.3f}), "
        f"slope {found.slope:.2f} (standard error {found.slope_se:.2f})."
    )
    warn(loaded.warning)
    say(f"The recalibrated model is in {output}; judge it on people whom neither training nor recalibration saw.")


def _evaluated(
    model: RiskModel, matrix: FeatureMatrix, cohort: Cohort, register: Register, seed: int, threads: int
) -> Evaluation:
    from prodromal.evaluate import EvaluationData, evaluate, join_outcomes

    risks = model.score(matrix, register.persons).drop(columns="score")
    data = EvaluationData.from_frame(
        join_outcomes(risks, cohort.frame.drop(columns="person_row")),
        horizon_days=model.outcome.horizon_days,
        lag_days=model.outcome.lag_days,
    )
    return evaluate(data, replicates=_REPLICATES, seed=seed, workers=threads)
