"""``prodromal train``: a model bundle from matched sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import (
    Force,
    Output,
    PlanFile,
    RegisterFolder,
    Seed,
    Threads,
    plan_of,
    progress,
    refuse_existing,
)
from prodromal.cli.trained import (
    Device,
    Incidence,
    MaxRounds,
    Mortality,
    Trials,
    population_of,
    tell_training,
    training_provenance,
)

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("train", epilog="Example: prodromal train register train.parquet --seed 1 --output model")(train)


def train(
    register: RegisterFolder,
    cohort: Annotated[Path, typer.Argument(help="Matched sets or a landmark cohort, made by 'prodromal cohort'.")],
    *,
    output: Output,
    seed: Seed,
    plan: PlanFile = None,
    incidence: Incidence = None,
    mortality: Mortality = None,
    trials: Trials = 6,
    max_rounds: MaxRounds = 400,
    device: Device = "cpu",
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Train boosted trees on matched sets or a landmark cohort; simpler models are fitted beside them, in one table."""
    from prodromal.design import read_cohort
    from prodromal.features import build
    from prodromal.register import Register
    from prodromal.risk import SearchSpace, save
    from prodromal.risk import train as fit
    from prodromal.risk.boosting import require_device

    refuse_existing(output, force)
    require_device(device)
    population = population_of(incidence, mortality)
    opened = Register.open(register)
    chosen = plan_of(plan, opened)
    sets = read_cohort(cohort, register=opened.fingerprint)
    matrix = build(chosen, opened, sets.index_dates, threads=threads)
    with progress("training") as show:
        model = fit(
            matrix,
            sets,
            population=population,
            seed=seed,
            search=SearchSpace(trials=trials, max_rounds=max_rounds),
            threads=threads,
            device=device,
            progress=show,
            provenance=training_provenance(opened, cohort, seed),
            simulated=opened.simulated,
            codes=opened.codes,
        )
    save(model, output, replace=force)
    tell_training(model, output)
