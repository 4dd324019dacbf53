"""What the verbs on a cluster share: the session, who is asked for, and the account."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import on_day, parse_date
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pyspark.sql import SparkSession

    from prodromal.features import IndexFile
    from prodromal.features.index_dates import Everyone
    from prodromal.register import Register

__all__ = ["Dates", "Master", "On", "Reasons", "Settings", "asked_for", "day_of", "session"]

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


@contextmanager
def session(master: str | None, settings: list[str] | None) -> Iterator[SparkSession]:
    """A session with the settings given on the command line."""
    from prodromal.distributed import open_spark

    pairs = [setting.partition("=") for setting in settings or []]
    if any(not equals or not name.startswith("spark.") for name, equals, _ in pairs):
        raise DefinitionError("--set takes spark.NAME=VALUE")
    shown = {"spark.ui.showConsoleProgress": str(sys.stderr.isatty()).lower()}
    with open_spark(master, {**shown, **{name: value for name, _, value in pairs}}) as spark:
        yield spark


def asked_for(register: Register, on: str | None, file: Path | None) -> Everyone | IndexFile:
    """Who is asked for: everyone on a date, or the rows of a sorted file."""
    from prodromal.features import IndexFile
    from prodromal.features.index_dates import Everyone

    if (on is None) == (file is None):
        raise DefinitionError("say who is asked for: either --on DATE (everyone) or --index-dates FILE")
    return IndexFile(file) if file is not None else Everyone(on_day(register, on or ""))


def day_of(text: str) -> int:
    """A date as days since 1970-01-01."""
    return (parse_date(text) - date(1970, 1, 1)).days
