"""Tables on a cluster become a register."""

from __future__ import annotations

from typing import Annotated

import typer

from prodromal.cli.common import Force, Output, refuse_existing
from prodromal.cli.ingest.shared import ExtractedOn, MaxRejected, last_day, say_step, share
from prodromal.cli.ingest.shared import tell as tell_accounts
from prodromal.cli.spark.shared import Master, Settings, session

__all__ = ["ingest"]

_TABLE = "Spark table, Parquet file or folder, or Delta folder of"
_Table = str | None


def ingest(
    persons: Annotated[str, typer.Argument(help=f"{_TABLE} persons.")],
    dispensings: Annotated[str, typer.Argument(help="The same of dispensings.")],
    *,
    output: Output,
    outcomes: Annotated[_Table, typer.Option(help="The same of outcomes.")] = None,
    relatives: Annotated[_Table, typer.Option(help="The same of relatives.")] = None,
    follow_up: Annotated[_Table, typer.Option(help="The same of follow-up visits.")] = None,
    extracted_on: ExtractedOn = None,
    max_rejected: MaxRejected = "0.1%",
    rows_per_part: Annotated[int, typer.Option(min=1, help="About how many dispensings a task and a part have.")] = (
        2_000_000
    ),
    memory: Annotated[str, typer.Option(help="Memory of the driver's database, and of each task's.")] = "1GB",
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Read tables in canonical form, judge every row, and write the register that one machine would write."""
    from prodromal.distributed import ingest_on_spark

    refuse_existing(output, force)
    given = {
        "persons": persons,
        "dispensings": dispensings,
        "outcomes": outcomes,
        "relatives": relatives,
        "follow_up": follow_up,
    }
    with session(master, settings) as spark:
        done = ingest_on_spark(
            spark,
            {name: where for name, where in given.items() if where is not None},
            output,
            extracted_on=last_day(extracted_on),
            rows_per_part=rows_per_part,
            memory=memory,
            max_rejected=share(max_rejected),
            replace=force,
            progress=say_step,
        )
    tell_accounts(done)
