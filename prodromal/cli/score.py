"""``prodromal score``: risks for everyone asked for, part by part; a run that was killed goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import (
    Force,
    Model,
    Output,
    RegisterFolder,
    Threads,
    asked_for,
    progress,
    provenance,
    refuse_existing,
    say,
    warn,
)

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "score", epilog="Example: prodromal score register model --on 2018-01-01 --explain 3 --output risks.parquet"
    )(score)


def score(
    register: RegisterFolder,
    model: Model,
    *,
    output: Output,
    on: Annotated[str | None, typer.Option(help="Everyone on this date, YYYY-MM-DD.")] = None,
    asked: Annotated[
        Path | None, typer.Option("--index-dates", help="CSV or Parquet with person_id and index_date.")
    ] = None,
    reasons: Annotated[int, typer.Option("--explain", min=0, max=10, help="Reasons beside each risk.")] = 0,
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Score people: rate ratio against their age and sex, absolute risk, percentile, flags, reasons."""
    from prodromal.register import Register
    from prodromal.risk import load
    from prodromal.scoring import score_register

    refuse_existing(output, force)
    opened, loaded = Register.open(register), load(model)
    with progress("scoring") as show:
        account = score_register(
            loaded,
            opened,
            asked_for(opened, on=on, file=asked),
            output,
            reasons=reasons,
            threads=threads,
            provenance=provenance(opened, model, warning=loaded.warning, plan=loaded.plan.fingerprint),
            progress=show,
        )
    warn(loaded.warning)
    refused = "".join(f", {count:,} {reason.replace('_', ' ')}" for reason, count in account.refused.items())
    say(f"{account.asked:,} asked = {account.scored:,} scored + {sum(account.refused.values()):,} refused{refused}.")
    say(
        f"The risks are in {output}: of a diagnosis within the horizon, for people alive and undiagnosed on the date. "
        "Caution, not panic."
    )
