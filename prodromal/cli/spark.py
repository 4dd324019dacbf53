"""``prodromal spark``: the verbs that a cluster can do, with the results of one machine."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import (
    Force,
    Model,
    Output,
    RegisterFolder,
    parse_date,
    provenance,
    refuse_existing,
    say,
    warn,
)
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from prodromal.features import IndexFile
    from prodromal.features.index_dates import Everyone
    from prodromal.scoring import ScoringAccount

__all__ = ["add_to"]

Master = Annotated[
    str | None, typer.Option(help="local[4], spark://host:7077, yarn, k8s://...; else as spark-submit has it.")
]
Settings = Annotated[list[str] | None, typer.Option("--set", help="A setting of Spark, spark.NAME=VALUE (repeat).")]
On = Annotated[str | None, typer.Option(help="Everyone on this date, YYYY-MM-DD.")]
Dates = Annotated[
    Path | None,
    typer.Option("--index-dates", help="Parquet with person_id and index_date, sorted by both, on shared storage."),
]
Reasons = Annotated[int, typer.Option("--explain", min=0, max=10, help="Reasons beside each risk.")]
_HELP = (
    "Work on a Spark cluster, with the results of one machine. The register and the outputs lie on storage that every "
    "executor sees; every machine has prodromal[spark] in the driver's versions."
)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help=_HELP, no_args_is_help=True)
    for name, command, example in (
        ("score", score, "register model --on 2018-01-01 --master spark://host:7077 -o risks.parquet"),
        ("tables", tables, "db.persons db.dispensings model --on 2018-01-01 -o risks/"),
        ("features", features, "register --on 2018-01-01 -o features/"),
        ("explain", explain, "register model --on 2018-01-01 -o contributions/"),
        ("tally", tally, "register model held.parquet -o tally.parquet"),
    ):
        verb.command(name, epilog=f"Example: prodromal spark {name} {example}")(command)
    app.add_typer(verb, name="spark")


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

    refuse_existing(output, force)
    dates, opened, loaded = _dates(on, asked), Register.open(register), load(model)
    facts = provenance(opened, model, warning=loaded.warning, plan=loaded.plan.fingerprint)
    with _spark(master, settings) as spark:
        account = score_on_spark(spark, model, opened, dates, output, reasons=reasons, provenance=facts)
    warn(loaded.warning)
    _tell(account, "scored", f"The risks are in {output}.")


def tables(
    persons: Annotated[str, typer.Argument(help="Spark table, Parquet file or folder, or Delta folder of persons.")],
    dispensings: Annotated[str, typer.Argument(help="The same of dispensings.")],
    model: Model,
    *,
    output: Output,
    on: Annotated[str, typer.Option(help="Everyone on this date, YYYY-MM-DD.")],
    reasons: Reasons = 0,
    buckets: Annotated[int, typer.Option(min=1, help="Lots of people; one must fit into a worker's memory.")] = 200,
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Score everyone straight from tables in canonical form into a Parquet folder, without a register."""
    from prodromal.distributed import read_spark_table, score_tables
    from prodromal.risk import load

    refuse_existing(output, force)
    day, loaded = _day(on), load(model)
    facts = provenance(None, model, warning=loaded.warning, plan=loaded.plan.fingerprint)
    with _spark(master, settings) as spark:
        account = score_tables(
            model,
            read_spark_table(spark, "persons", persons),
            read_spark_table(spark, "dispensings", dispensings),
            day,
            output,
            buckets=buckets,
            reasons=reasons,
            replace=force,
            provenance=facts,
        )
    warn(loaded.warning)
    _tell(account, "scored", f"The risks are in {output}.")


def features(
    register: RegisterFolder,
    *,
    output: Output,
    plan: Annotated[Path | None, typer.Option(help="TOML plan; the psychiatric plan by default.")] = None,
    on: On = None,
    asked: Dates = None,
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Compute windowed features into a Parquet folder."""
    from prodromal.distributed import features_on_spark
    from prodromal.features import FeaturePlan
    from prodromal.register import Register

    refuse_existing(output, force)
    chosen = FeaturePlan.read(plan) if plan else FeaturePlan.psychiatric()
    dates, opened = _dates(on, asked), Register.open(register)
    facts = provenance(opened, plan=chosen.fingerprint)
    with _spark(master, settings) as spark:
        rows = features_on_spark(spark, chosen, opened, dates, output, replace=force, provenance=facts)
    say(f"{rows:,} rows of {len(chosen.features)} features (plan {chosen.fingerprint}) are in {output}.")


def explain(
    register: RegisterFolder,
    model: Model,
    *,
    output: Output,
    on: On = None,
    asked: Dates = None,
    by: Annotated[str, typer.Option(help="class, feature, window or 'class x window'.")] = "class",
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Write exact contributions to everyone's score into a Parquet folder."""
    from prodromal.distributed import explain_on_spark
    from prodromal.explain import By
    from prodromal.register import Register
    from prodromal.risk import load

    refuse_existing(output, force)
    if by not in {each.value for each in By}:
        raise DefinitionError(f"explanations by '{by}': it is one of {', '.join(each.value for each in By)}")
    dates, opened, loaded = _dates(on, asked), Register.open(register), load(model)
    facts = provenance(opened, model, warning=loaded.warning, plan=loaded.plan.fingerprint, by=by)
    with _spark(master, settings) as spark:
        account = explain_on_spark(spark, model, opened, dates, output, by=By(by), replace=force, provenance=facts)
    warn(loaded.warning)
    _tell(account, "explained", f"The contributions are in {output}.")


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
    with _spark(master, settings) as spark:
        found = tally_on_spark(spark, model, opened, cohort).table
    named = found.replace_schema_metadata({f"prodromal.{name}": value for name, value in facts.items()})
    with atomic_file(output) as partial:
        pq.write_table(named, partial, compression="zstd", write_page_checksum=True)
    warn(loaded.warning)
    say(f"{pc.sum(found.column('n')).as_py() or 0:,} people in {found.num_rows:,} rows of {output}.")


@contextmanager
def _spark(master: str | None, settings: list[str] | None) -> Iterator[SparkSession]:
    from prodromal.distributed import open_spark

    pairs = [setting.partition("=") for setting in settings or []]
    if any(not equals or not name.startswith("spark.") for name, equals, _ in pairs):
        raise DefinitionError("--set takes spark.NAME=VALUE")
    shown = {"spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower()}
    with open_spark(master, {**shown, **{name: value for name, _, value in pairs}}) as spark:
        yield spark


def _dates(on: str | None, file: Path | None) -> Everyone | IndexFile:
    from prodromal.features import IndexFile
    from prodromal.features.index_dates import Everyone

    if (on is None) == (file is None):
        raise DefinitionError("say who is asked for: either --on DATE (everyone) or --index-dates FILE")
    return IndexFile(file) if file is not None else Everyone(_day(on or ""))


def _day(text: str) -> int:
    return (parse_date(text) - date(1970, 1, 1)).days


def _tell(account: ScoringAccount, done: str, where: str) -> None:
    refused = "".join(f", {count:,} {reason.replace('_', ' ')}" for reason, count in account.refused.items())
    say(
        f"{account.asked:,} asked = {account.scored:,} {done} + {sum(account.refused.values()):,} refused{refused}. "
        f"{where}"
    )
