"""``prodromal score``: risks for everyone asked for, part by part; a run that was killed goes on where it stopped."""

from __future__ import annotations

import os
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
    refuse_existing,
    refuse_other_form,
    warn,
)
from prodromal.cli.risk_file import risk_provenance
from prodromal.cli.scored import tell_drift, tell_risks

__all__ = ["add_to", "lean_memory"]


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
    from prodromal.scoring import Diagnosed, drift_beside, score_register

    refuse_existing(output, force)
    refuse_other_form(output)
    lean_memory()
    opened, loaded = Register.open(register), load(model, require_signature=signed_by)
    with progress("scoring") as show:
        account = score_register(
            loaded,
            opened,
            asked_for(opened, on=on, file=asked),
            output,
            reasons=reasons,
            threads=threads,
            provenance=risk_provenance(loaded, model, opened),
            progress=show,
        )
    warn(loaded.warning)
    tell_drift(drift_beside(output))
    tell_risks(account, output, loaded.outcome, diagnoses=Diagnosed.of(opened, loaded.outcome.name) is not None)


def lean_memory() -> None:
    """Take Arrow's buffers from jemalloc, if there is one and nobody chose otherwise.

    Of what it has been given back it keeps far less than Arrow's default does.
    """
    import pyarrow as pa

    if "ARROW_DEFAULT_MEMORY_POOL" not in os.environ and "jemalloc" in pa.supported_memory_backends():
        pa.set_memory_pool(pa.jemalloc_memory_pool())
