"""Risks on a cluster: of a register, of tables, and counted for an evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import (
    Force,
    Model,
    Output,
    RegisterFolder,
    provenance,
    refuse_existing,
    refuse_other_form,
    say,
    warn,
)
from prodromal.cli.risk_file import risk_provenance
from prodromal.cli.scored import tell_drift, tell_risks
from prodromal.cli.spark.shared import Dates, Master, On, Reasons, Settings, asked_for, day_of, session
from prodromal.errors import DefinitionError

__all__ = ["score", "tables", "tally"]


def score(
    register: RegisterFolder,
    model: Model,
    *,
    output: Output,
    on: On = None,
    asked: Dates = None,
    reasons: Reasons = 0,
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Score people, a task a part; the bytes of the output are those of 'prodromal score'."""
    from prodromal.distributed import score_on_spark
    from prodromal.register import Register
    from prodromal.risk import load
    from prodromal.scoring import Diagnosed, drift_beside

    refuse_existing(output, force)
    refuse_other_form(output)
    opened, loaded = Register.open(register), load(model)
    dates = asked_for(opened, on, asked)
    facts = risk_provenance(loaded, model, opened)
    with session(master, settings) as spark:
        account = score_on_spark(spark, model, opened, dates, output, reasons=reasons, provenance=facts)
    warn(loaded.warning)
    tell_drift(drift_beside(output))
    tell_risks(account, output, loaded.outcome, diagnoses=Diagnosed.of(opened, loaded.outcome.name) is not None)


def tables(
    persons: Annotated[str, typer.Argument(help="Spark table, Parquet file or folder, or Delta folder of persons.")],
    dispensings: Annotated[str, typer.Argument(help="The same of dispensings.")],
    model: Model,
    *,
    output: Output,
    on: On = None,
    asked: Annotated[
        str | None,
        typer.Option("--index-dates", help="Spark table, Parquet or Delta of person_id and index_date, in any order."),
    ] = None,
    reasons: Reasons = 0,
    buckets: Annotated[int, typer.Option(min=1, help="Lots of people; one must fit into a worker's memory.")] = 200,
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Score people straight from tables in canonical form into a Parquet folder, without a register."""
    from prodromal.distributed import read_index_dates, read_spark_table, score_tables
    from prodromal.risk import load

    refuse_existing(output, force)
    if (on is None) == (asked is None):
        raise DefinitionError("say who is asked for: either --on DATE (everyone) or --index-dates TABLE")
    loaded = load(model)
    facts = risk_provenance(loaded, model)
    with session(master, settings) as spark:
        account = score_tables(
            model,
            read_spark_table(spark, "persons", persons),
            read_spark_table(spark, "dispensings", dispensings),
            day_of(on) if on is not None else read_index_dates(spark, asked or ""),
            output,
            buckets=buckets,
            reasons=reasons,
            replace=force,
            provenance=facts,
        )
    warn(loaded.warning)
    tell_risks(account, output, loaded.outcome, diagnoses=False)


def tally(
    register: RegisterFolder,
    model: Model,
    cohort: Annotated[Path, typer.Argument(help="Landmark cohort with outcomes, from 'prodromal cohort landmark'.")],
    *,
    output: Output,
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Score a cohort and count observed and expected by cell: rows that 'evaluate' takes in place of people."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    from prodromal.distributed import tally_on_spark
    from prodromal.files import atomic_file
    from prodromal.register import Register
    from prodromal.risk import load

    refuse_existing(output, force)
    opened, loaded = Register.open(register), load(model)
    facts = provenance(opened, model, warning=loaded.warning)
    with session(master, settings) as spark:
        found = tally_on_spark(spark, model, opened, cohort).table
    named = found.replace_schema_metadata({f"prodromal.{name}": value for name, value in facts.items()})
    with atomic_file(output) as partial:
        pq.write_table(named, partial, compression="zstd", write_page_checksum=True)
    warn(loaded.warning)
    say(f"{pc.sum(found.column('n')).as_py() or 0:,} people in {found.num_rows:,} rows of {output}.")
