"""``prodromal export``: a register, a cohort or risks in another house's format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import Force, Output, RegisterFolder, provenance, read_frame, refuse_existing, say
from prodromal.errors import DataError

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["add_to"]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help="Write a register, a cohort or risks in another format.", no_args_is_help=True)
    verb.command("meds", epilog="Example: prodromal export meds register --output dataset")(meds)
    verb.command("meds-labels", epilog="Example: prodromal export meds-labels cohort.parquet --output labels.parquet")(
        meds_labels
    )
    verb.command(
        "meds-predictions",
        epilog="Example: prodromal export meds-predictions risks.parquet held.parquet --output predictions.parquet",
    )(meds_predictions)
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


def meds_predictions(
    risks: Annotated[Path, typer.Argument(help="Risks, made by 'prodromal score': person_id, index_date, risk.")],
    cohort: Annotated[
        Path | None,
        typer.Argument(help="Landmark cohort with their outcomes: adds labels, leaves out whom censoring hides."),
    ] = None,
    *,
    output: Output,
    force: Force = False,
) -> None:
    """Risks in the MEDS prediction schema, beside the labels that a cohort knows."""
    import pyarrow.parquet as pq

    from prodromal.evaluate import meds_predictions as predictions
    from prodromal.files import atomic_file, sha256

    refuse_existing(output, force)
    frame, lag, horizon = _with_outcomes(read_frame(risks), cohort)
    inputs = {"risks": risks} | ({"cohort": cohort} if cohort else {})
    facts = provenance() | {name: sha256(path)[:16] for name, path in inputs.items()}
    told = _told_of(risks) | {f"prodromal.{name}": value for name, value in facts.items()}
    table = predictions(frame, lag_days=lag, horizon_days=horizon).replace_schema_metadata(told)
    with atomic_file(output) as partial:
        pq.write_table(table, partial, compression="zstd", write_page_checksum=True)
    say(f"{len(table):,} predictions are in {output}.")
    if unknown := len(frame) - len(table):
        say(f"{unknown:,} more were censored before the horizon: they have no label and are left out.")


def _with_outcomes(risks: pd.DataFrame, cohort: Path | None) -> tuple[pd.DataFrame, int, int]:
    """Risks with what became of their people, and the lag and horizon of the question."""
    if cohort is None:
        return risks.drop(columns=["event", "time_days"], errors="ignore"), 0, 0
    from prodromal.design import read_cohort
    from prodromal.evaluate import join_outcomes

    followed = read_cohort(cohort)
    outcomes = followed.frame[["person_id", "index_date", "event", "time_days"]]
    return join_outcomes(risks, outcomes), followed.outcome.lag_days, followed.outcome.horizon_days


def _told_of(risks: Path) -> dict[str, str]:
    """What 'prodromal score' wrote into the file about the model and its register, such as a warning."""
    import pyarrow.parquet as pq

    if risks.suffix != ".parquet":
        return {}
    facts: dict[bytes, bytes] = pq.read_schema(risks).metadata or {}
    return {name.decode(): value.decode() for name, value in facts.items() if name.startswith(b"prodromal.")}
