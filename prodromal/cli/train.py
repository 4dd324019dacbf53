"""``prodromal train``: a model bundle from matched sets."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

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
from prodromal.errors import DefinitionError

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
    plan: Annotated[Path | None, typer.Option(help="TOML plan; the psychiatric plan by default.")] = None,
    incidence: Annotated[Path | None, typer.Option(help="CSV of incidence by age and sex; needs --mortality.")] = None,
    mortality: Annotated[Path | None, typer.Option(help="CSV of mortality by age and sex; needs --incidence.")] = None,
    trials: Annotated[int, typer.Option(min=1, help="Hyperparameter combinations to try.")] = 6,
    max_rounds: Annotated[int, typer.Option(min=1, help="Most trees.")] = 400,
    device: Annotated[str, typer.Option(help="cpu, or cuda where there is one.")] = "cpu",
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Train boosted trees on matched sets or a landmark cohort; simpler models are fitted beside them, in one table."""
    from prodromal.design import read_cohort
    from prodromal.features import FeaturePlan, build
    from prodromal.files import sha256
    from prodromal.register import Register
    from prodromal.risk import Population, SearchSpace, save
    from prodromal.risk import train as fit

    refuse_existing(output, force)
    if (incidence is None) != (mortality is None):
        raise DefinitionError("a population of your own takes both --incidence and --mortality")
    if device not in {"cpu", "cuda"}:
        raise DefinitionError(f"device '{device}': it is cpu or cuda")
    population = (
        Population.read(incidence.stem, incidence, mortality) if incidence and mortality else Population.sweden_like()
    )
    chosen = FeaturePlan.read(plan) if plan else FeaturePlan.psychiatric()
    opened = Register.open(register)
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
            provenance=provenance(opened, cohort=sha256(cohort)[:16], seed=seed),
            simulated=opened.simulated,
            codes=opened.codes,
        )
    save(model, output, replace=force)
    facts = model.training
    basis = f"{facts['sets']:,} matched sets" if sets.is_matched else f"a cohort with {facts['cases']:,} diagnoses"
    say(
        f"Trained on {basis}: {facts['rounds']} trees of depth "
        f"{facts['settings']['max_depth']}, slope {facts['slope']:.2f}."
    )
    say("Concordance within people of the same age and sex, out of fold (0.5 is chance):")
    for row in facts["out_of_fold"]:
        value = row["note"] if row["c_within_sets"] is None else f"{row['c_within_sets']:.3f}"
        say(f"  {row['model']:<30} {value}")
    warn(model.warning)
    say(f"The model is in {output}.")
