"""``prodromal export``: a register or a cohort in another house's format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import Force, Output, RegisterFolder, read_frame, refuse_existing, say
from prodromal.errors import DataError

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help="Write a register or a cohort in another format.", no_args_is_help=True)
    verb.command("meds", epilog="Example: prodromal export meds register --output dataset")(meds)
    verb.command("meds-labels", epilog="Example: prodromal export meds-labels cohort.parquet --output labels.parquet")(
        meds_labels
    )
    app.add_typer(verb, name="export")


def meds(
    register: RegisterFolder,
    *,
    output: Output,
    splits: Annotated[
        Path | None, typer.Option(help="CSV or Parquet with person_id and split, written as subject splits.")
    ] = None,
    force: Force = False,
) -> None:
    """A register as a MEDS 0.4 dataset; 'prodromal ingest meds' reads it back to the same register."""
    import pyarrow as pa

    from prodromal.register import Register
    from prodromal.sources.meds import write_meds

    refuse_existing(output, force)
    parts = None
    if splits is not None:
        frame = read_frame(splits)
        if not {"person_id", "split"} <= set(frame):
            raise DataError(f"{splits} has no columns person_id and split")
        parts = pa.Table.from_pandas(frame[["person_id", "split"]], preserve_index=False)
    written = write_meds(Register.open(register), output, splits=parts, replace=force)
    say(f"{written.subjects:,} subjects and {written.events:,} events are in {output}.")


def meds_labels(
    cohort: Annotated[Path, typer.Argument(help="Cohort, made by 'prodromal cohort'.")],
    *,
    output: Output,
    force: Force = False,
) -> None:
    """Labels of a cohort in the MEDS label schema: whether the outcome comes within the horizon."""
    import pyarrow.parquet as pq

    from prodromal.design import read_cohort
    from prodromal.files import atomic_file
    from prodromal.sources.meds import labels

    refuse_existing(output, force)
    drawn = read_cohort(cohort)
    table = labels(drawn.frame, lag_days=drawn.outcome.lag_days, horizon_days=drawn.outcome.horizon_days)
    with atomic_file(output) as partial:
        pq.write_table(table, partial, compression="zstd", write_page_checksum=True)
    unknown = len(drawn.frame) - len(table)
    say(f"{len(table):,} labels are in {output}; {unknown:,} rows were censored before the horizon and have none.")
