"""A model from matched sets whose features a cluster computes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import (
    Force,
    Output,
    RegisterFolder,
    Seed,
    Threads,
    progress,
    provenance,
    refuse_existing,
    say,
    warn,
)
from prodromal.cli.spark.shared import Master, Settings, session
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from prodromal.risk import Population

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
    plan: Annotated[Path | None, typer.Option(help="TOML plan; the psychiatric plan by default.")] = None,
    incidence: Annotated[Path | None, typer.Option(help="CSV of incidence by age and sex; needs --mortality.")] = None,
    mortality: Annotated[Path | None, typer.Option(help="CSV of mortality by age and sex; needs --incidence.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Hyperparameter combinations to try.")] = 6,
    max_rounds: Annotated[int, typer.Option(min=1, help="Most trees.")] = 400,
    device: Annotated[str, typer.Option(help="cpu, or cuda where the driver has one.")] = "cpu",
    threads: Threads = 2,
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Train on features computed on the cluster; the bundle's bytes are those of 'prodromal train'."""
    from prodromal.cli.cohort import sets
    from prodromal.distributed import train_on_spark
    from prodromal.features import FeaturePlan
    from prodromal.files import sha256
    from prodromal.register import Register
    from prodromal.risk import SearchSpace, save

    refuse_existing(output, force)
    if device not in {"cpu", "cuda"}:
        raise DefinitionError(f"device '{device}': it is cpu or cuda")
    population = _population(incidence, mortality)
    opened = Register.open(register)
    if cohort is None:
        cohort = output.with_name(f"{output.name}.sets.parquet")
        sets(register, output=cohort, seed=seed, force=force)
    with session(master, settings) as spark, progress("training") as show:
        model = train_on_spark(
            spark,
            opened,
            cohort,
            FeaturePlan.read(plan) if plan else FeaturePlan.psychiatric(),
            population=population,
            seed=seed,
            scratch=output.parent,
            search=SearchSpace(trials=trials, max_rounds=max_rounds),
            threads=threads,
            device=device,
            progress=show,
            provenance=provenance(opened, cohort=sha256(cohort)[:16], seed=seed),
        )
    save(model, output, replace=force)
    say(f"Trained: {model.training['rounds']} trees, slope {model.training['slope']:.2f}.")
    for row in model.training["out_of_fold"]:
        value = row["note"] if row["c_within_sets"] is None else f"{row['c_within_sets']:.3f}"
        say(f"  {row['model']:<30} {value}")
    warn(model.warning)
    say(f"The model is in {output}.")


def _population(incidence: Path | None, mortality: Path | None) -> Population:
    from prodromal.risk import Population

    if (incidence is None) != (mortality is None):
        raise DefinitionError("a population of your own takes both --incidence and --mortality")
    if incidence is None or mortality is None:
        return Population.sweden_like()
    return Population.read(incidence.stem, incidence, mortality)
