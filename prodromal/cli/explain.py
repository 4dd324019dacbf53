"""``prodromal explain``: contributions of every person, or a page about chosen ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import (
    Force,
    Model,
    Output,
    RegisterFolder,
    index_dates,
    provenance,
    refuse_existing,
    say,
    warn,
    write_table,
)
from prodromal.errors import DefinitionError

__all__ = ["add_to"]

_MOST_PEOPLE = 50


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command(
        "explain", epilog="Example: prodromal explain register model --index-dates chosen.csv --output chosen.html"
    )(explain)


def explain(
    register: RegisterFolder,
    model: Model,
    *,
    output: Output,
    on: Annotated[str | None, typer.Option(help="Everyone on this date, YYYY-MM-DD.")] = None,
    asked: Annotated[
        Path | None, typer.Option("--index-dates", help="CSV or Parquet with person_id and index_date.")
    ] = None,
    by: Annotated[str, typer.Option(help="class, feature, window or 'class x window'.")] = "class",
    force: Force = False,
) -> None:
    """Write exact contributions to each score (.parquet), or a page about up to 50 people (.html)."""
    from prodromal.explain import explain as explain_rows
    from prodromal.features import build
    from prodromal.files import atomic_file
    from prodromal.register import Register
    from prodromal.risk import load
    from prodromal.risk.score import refuse

    if output.suffix not in {".parquet", ".html"}:
        raise DefinitionError(f"{output.name}: explanations are written as .parquet or .html")
    refuse_existing(output, force)
    opened, loaded = Register.open(register), load(model)
    chosen, refused = refuse(opened, index_dates(opened, on=on, file=asked))
    if output.suffix == ".html" and not 0 < len(chosen) <= _MOST_PEOPLE:
        raise DefinitionError(
            f"a page is about 1 to {_MOST_PEOPLE} people, {len(chosen):,} were chosen; name them with --index-dates"
        )
    matrix = build(loaded.plan, opened, chosen)
    explained = explain_rows(loaded, matrix, opened.persons, by=by)
    facts = provenance(opened, model, warning=loaded.warning, plan=loaded.plan.fingerprint)
    warn(loaded.warning)
    if output.suffix == ".parquet":
        with atomic_file(output) as partial:
            write_table(explained.to_frame(), partial, {**facts, "by": by})
    else:
        from prodromal.explain.people import people_page

        people_page(opened, loaded, matrix, provenance=facts).write(output)
    say(f"{len(matrix):,} people explained, {sum(refused.values()):,} refused; {output} is written.")
