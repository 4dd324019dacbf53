"""``prodromal simulate``: a synthetic delivery whose truth is known."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import (
    OUTPUT_HELP,
    SEED_HELP,
    Force,
    Output,
    Threads,
    parse_date,
    progress,
    provenance,
    read_frame,
    refuse_existing,
    refuse_other_form,
    say,
    write_table,
)
from prodromal.errors import DefinitionError

__all__ = ["add_to"]

_ORACLE_EXAMPLE = (
    "Example: prodromal simulate oracle delivery --index-dates dates.csv --lag-days 365 --horizon-days 1825 "
    "--output best.parquet"
)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(invoke_without_command=True)
    verb.callback(
        epilog="Example: prodromal simulate --persons 200000 --seed 1 --output delivery", subcommand_metavar="[oracle]"
    )(simulate)
    verb.command("oracle", epilog=_ORACLE_EXAMPLE)(oracle)
    app.add_typer(verb, name="simulate")


def simulate(
    context: typer.Context,
    *,
    output: Annotated[Path | None, typer.Option("--output", "-o", help=f"{OUTPUT_HELP} Required.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", help=f"{SEED_HELP} Required.")] = None,
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
    if context.invoked_subcommand is not None:
        return
    if output is None or seed is None:
        context.fail(f"Missing option '{'--output' if output is None else '--seed'}'.")

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


def oracle(
    delivery: Annotated[Path, typer.Argument(help="Folder made by 'prodromal simulate', with its truth.")],
    *,
    output: Output,
    on: Annotated[str | None, typer.Option(help="Everyone on this date, YYYY-MM-DD.")] = None,
    asked: Annotated[
        Path | None, typer.Option("--index-dates", help="CSV or Parquet with person_id and index_date.")
    ] = None,
    lag_days: Annotated[int, typer.Option(help="The diagnosis comes later than this after the date.")] = 365,
    horizon_days: Annotated[int, typer.Option(help="And not later than this.")] = 5 * 365,
    force: Force = False,
) -> None:
    """Write the best possible score: the log likelihood ratio of each simulated history under the law it came from."""
    from prodromal.files import atomic_file
    from prodromal.simulate import oracle

    refuse_existing(output, force)
    refuse_other_form(output)
    if (on is None) == (asked is None):
        raise DefinitionError("say who is asked for: either --on DATE (everyone) or --index-dates FILE")
    if asked is not None:
        dates = read_frame(asked)
    else:
        dates = read_frame(delivery / "truth" / "persons.parquet")[["person_id"]].assign(index_date=parse_date(str(on)))
    found = oracle(delivery, dates, horizon_days=horizon_days, lag_days=lag_days)
    with atomic_file(output) as partial:
        write_table(found, partial, provenance(lag_days=lag_days, horizon_days=horizon_days))
    missing = int(found["log_likelihood_ratio"].isna().sum())
    say(
        f"{len(found):,} asked: {len(found) - missing:,} have a log likelihood ratio in {output}; {missing:,} were not "
        "under observation on the date, or already diagnosed."
    )
