"""``prodromal features``: the matrix as a table for the analyst."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import (
    Force,
    Output,
    PlanFile,
    RegisterFolder,
    Threads,
    asked_for,
    plan_of,
    provenance,
    refuse_existing,
    refuse_other_form,
    say,
)

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("features", epilog="Example: prodromal features register --on 2016-01-01 --output features.parquet")(
        features
    )


def features(
    register: RegisterFolder,
    *,
    output: Output,
    plan: PlanFile = None,
    on: Annotated[str | None, typer.Option(help="Everyone on this date, YYYY-MM-DD.")] = None,
    asked: Annotated[
        Path | None, typer.Option("--index-dates", help="CSV or Parquet with person_id and index_date.")
    ] = None,
    threads: Threads = 1,
    force: Force = False,
) -> None:
    """Compute windowed features and write them as Parquet, with [bold]features.json[/bold] beside it."""
    import json

    import pyarrow as pa
    import pyarrow.parquet as pq

    from prodromal.features import iterate
    from prodromal.features.compiled import is_compiled
    from prodromal.files import atomic_file, write_text
    from prodromal.register import Register

    refuse_existing(output, force)
    refuse_other_form(output)
    opened = Register.open(register)
    chosen = plan_of(plan, opened)
    dates = asked_for(opened, on=on, file=asked)
    if not is_compiled():
        typer.echo("Compiling the loops for this machine, once: half a minute.", err=True)
    facts = provenance(opened, plan=chosen.fingerprint)
    rows = 0
    meaning: list[dict[str, str]] = []
    with atomic_file(output) as partial:
        writer = None
        for _, matrix in iterate(chosen, opened, dates, threads=threads):
            table = pa.Table.from_pandas(matrix.to_frame(), preserve_index=False)
            schema = table.schema.with_metadata({f"prodromal.{name}": value for name, value in facts.items()})
            writer = writer or pq.ParquetWriter(partial, schema, compression="zstd", write_page_checksum=True)
            writer.write_table(table.cast(schema))
            rows, meaning = rows + len(matrix), matrix.describe()
        if writer is not None:
            writer.close()
    write_text(
        output.with_name("features.json"),
        json.dumps({**facts, "features": meaning}, indent=1) + "\n",
    )
    say(f"{rows:,} rows of {len(chosen.features)} features (plan {chosen.fingerprint}) are in {output}.")
