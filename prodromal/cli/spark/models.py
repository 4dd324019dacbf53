"""A model from matched sets whose features a cluster computes."""

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
from prodromal.cli.spark.shared import Master, Settings, session
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

__all__ = ["train"]


def train(
    register: RegisterFolder,
    cohort: Annotated[
        Path | None,
        typer.Argument(
            help="Sets or cohort from 'prodromal cohort'; else matched sets are drawn with the seed as "
            "'prodromal cohort sets' does, and written beside the model as OUTPUT.sets.parquet."
        ),
    ] = None,
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
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Train on features computed on the cluster; the bundle's bytes are those of 'prodromal train'."""
    from prodromal.cli.cohort import sets
    from prodromal.distributed import train_on_spark
    from prodromal.register import Register
    from prodromal.risk import SearchSpace, save
    from prodromal.risk.boosting import require_device

    refuse_existing(output, force)
    require_device(device)
    population = population_of(incidence, mortality)
    opened = Register.open(register)
    chosen = plan_of(plan, opened)
    if cohort is None:
        cohort = output.with_name(f"{output.name}.sets.parquet")
        sets(register, output=cohort, seed=seed, force=force)
    with session(master, settings) as spark, progress("training") as show:
        model = train_on_spark(
            spark,
            opened,
            cohort,
            chosen,
            population=population,
            seed=seed,
            scratch=output.parent,
            search=SearchSpace(trials=trials, max_rounds=max_rounds),
            threads=threads,
            device=device,
            progress=show,
            provenance=training_provenance(opened, cohort, seed),
        )
    save(model, output, replace=force)
    tell_training(model, output)
