"""``prodromal recalibrate``: a model with a site's own level and spread."""

from __future__ import annotations

from math import exp
from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import Force, Model, Output, RegisterFolder, Threads, refuse_existing, say

__all__ = ["add_to"]


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
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Refit one intercept and one slope on a site's own cohort; people keep their order."""
    from prodromal.design import read_cohort
    from prodromal.features import build
    from prodromal.register import Register
    from prodromal.risk import load, save
    from prodromal.risk import recalibrate as refit

    refuse_existing(output, force)
    opened, loaded = Register.open(register), load(model)
    followed = read_cohort(cohort, register=opened.fingerprint)
    matrix = build(loaded.plan, opened, followed.index_dates, threads=threads)
    found = refit(loaded, matrix, followed, opened.persons)
    save(found.model, output, replace=force)
    say(
        f"From {found.events:,} diagnoses: level x {exp(found.intercept):.2f} "
        f"(log {found.intercept:.3f}, standard error {found.intercept_se:.3f}), "
        f"slope {found.slope:.2f} (standard error {found.slope_se:.2f})."
    )
    say(f"The recalibrated model is in {output}; judge it on people whom neither training nor recalibration saw.")
