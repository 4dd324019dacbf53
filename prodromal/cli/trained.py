"""What training here and on a cluster have in common: options, the population, and what is said of the model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import provenance, say, warn
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from prodromal.register import Register
    from prodromal.risk import Population, RiskModel

__all__ = [
    "Device",
    "Incidence",
    "MaxRounds",
    "Mortality",
    "Trials",
    "population_of",
    "tell_training",
    "training_provenance",
]

Incidence = Annotated[Path | None, typer.Option(help="CSV of incidence by age and sex; needs --mortality.")]
Mortality = Annotated[Path | None, typer.Option(help="CSV of mortality by age and sex; needs --incidence.")]
Trials = Annotated[int, typer.Option(min=1, help="Hyperparameter combinations to try.")]
MaxRounds = Annotated[int, typer.Option(min=1, help="Most trees.")]
Device = Annotated[str, typer.Option(help="cpu, or cuda where there is one.")]


def population_of(incidence: Path | None, mortality: Path | None) -> Population:
    """The population of two files, or the one shipped; refuses half of a pair."""
    from prodromal.risk import Population

    if (incidence is None) != (mortality is None):
        raise DefinitionError("a population of your own takes both --incidence and --mortality")
    if incidence is None or mortality is None:
        return Population.sweden_like()
    return Population.read(incidence.stem, incidence, mortality)


def training_provenance(register: Register, cohort: Path, seed: int) -> dict[str, str]:
    """What a bundle says of its making; the splits tell later on who was held out."""
    import json

    from prodromal.design.files import read_origin
    from prodromal.files import sha256

    splits = json.dumps(dict(read_origin(cohort).splits), sort_keys=True)
    return provenance(register, cohort=sha256(cohort)[:16], seed=seed, splits=splits)


def tell_training(model: RiskModel, output: Path) -> None:
    """What was trained on, how it ranks people whom it had not seen, and where it is."""
    facts = model.training
    matched = facts["objective"] == "matched"
    basis = f"{facts['sets']:,} matched sets" if matched else f"a cohort with {facts['cases']:,} diagnoses"
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
