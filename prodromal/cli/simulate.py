"""``prodromal simulate``: a synthetic delivery whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import Output, Seed, Threads, progress, say
from prodromal.errors import DefinitionError

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("simulate", epilog="Example: prodromal simulate --persons 200000 --seed 1 --output delivery")(simulate)


def simulate(
    *,
    output: Output,
    seed: Seed,
    persons: Annotated[int | None, typer.Option(help="People in the population; overrides the configuration.")] = None,
    noncase_fraction: Annotated[
        float | None,
        typer.Option(help="Share of people without ALS who are in the delivery; their weight is its inverse."),
    ] = None,
    scenario: Annotated[str, typer.Option(help="published, null, strong, drift or under-65.")] = "published",
    config: Annotated[Path | None, typer.Option(help="TOML file instead of a scenario.")] = None,
    file_format: Annotated[str, typer.Option("--format", help="parquet or csv.")] = "parquet",
    threads: Threads = 2,
) -> None:
    """Write the files of a synthetic register, and the truth apart in [bold]truth/[/bold]."""
    from prodromal.simulate import SimulationConfig, simulate

    if file_format not in {"parquet", "csv"}:
        raise DefinitionError(f"format '{file_format}': it is parquet or csv")
    given = {"persons": persons, "noncase_fraction": noncase_fraction}
    overrides = {name: value for name, value in given.items() if value is not None}
    if config is not None:
        settings = SimulationConfig.read(config)
        settings = SimulationConfig.model_validate({**settings.model_dump(), **overrides})
    else:
        settings = SimulationConfig.scenario(scenario, **overrides)
    with progress("simulating") as show:
        done = simulate(settings, output, seed=seed, file_format=file_format, threads=threads, progress=show)  # type: ignore[arg-type]
    say(
        f"Simulated {done.population:,} people: {done.cases:,} with an ALS diagnosis. The delivery in {output} holds "
        f"{done.persons:,} people and {done.dispensings:,} dispensings; the truth is in {output}/truth."
    )
