"""``prodromal ingest``: a delivery becomes a register, with an account of every row; one file per source."""

from __future__ import annotations

import typer

from prodromal.cli.ingest import csv, fhir, meds, omop

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help="Bring a delivery to a register; every row is accounted for.", no_args_is_help=True)
    for source in (csv, omop, fhir, meds):
        source.add_to(verb)
    app.add_typer(verb, name="ingest")
