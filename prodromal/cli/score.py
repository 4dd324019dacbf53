"""``prodromal score``: risks for everyone asked for, part by part; a run that was killed goes on where it stopped."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import (
    Force,
    Model,
    Output,
    RegisterFolder,
    RequireSignature,
    Threads,
    asked_for,
    progress,
    provenance,
    refuse_existing,
    say,
    warn,
)

__all__ = ["add_to"]


_NAMED = 5
_SHIFTS = {
    "use": "used much more or less than among the people trained on, of the same age and sex",
    "flag": "more than a tenth of those scored are flagged",
    "code": "codes that the training hardly saw",
    "month": "months with far fewer dispensings than those around them",
}


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
    signed_by: RequireSignature = None,
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Score people: rate ratio against their age and sex, absolute risk, percentile, flags, reasons."""
    from prodromal.register import Register
    from prodromal.risk import load
    from prodromal.scoring import drift_beside, score_register

    refuse_existing(output, force)
    opened, loaded = Register.open(register), load(model, require_signature=signed_by)
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
    _tell_drift(drift_beside(output))
    refused = "".join(f", {count:,} {reason.replace('_', ' ')}" for reason, count in account.refused.items())
    say(f"{account.asked:,} asked = {account.scored:,} scored + {sum(account.refused.values()):,} refused{refused}.")
    say(
        f"The risks are in {output}: of a diagnosis within the horizon, for people alive and undiagnosed on the date. "
        "Caution, not panic."
    )


def _tell_drift(table: Path) -> None:
    """One line for each kind of shift, and where the table is."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    for kind, meaning in _SHIFTS.items():
        names = [row["name"] for row in rows if row["kind"] == kind and row["shifted"] == "True"]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            say(f"CAUTION: {meaning}: {', '.join(names[:_NAMED])}{more}. See {table}.")
