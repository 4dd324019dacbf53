"""``prodromal spark``: the verbs that a cluster can do, with the results of one machine."""

from __future__ import annotations

import typer

from prodromal.cli.spark.matrices import explain, features
from prodromal.cli.spark.models import train
from prodromal.cli.spark.registers import ingest
from prodromal.cli.spark.scores import score, tables, tally

__all__ = ["add_to"]

_HELP = (
    "Work on a Spark cluster, with the results of one machine. The register and the outputs lie on storage that every "
    "executor sees; every machine has prodromal[spark] in the driver's versions."
)


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help=_HELP, no_args_is_help=True)
    for command, example in (
        (ingest, "db.persons db.dispensings --outcomes db.outcomes --extracted-on 2025-12-31 -o register"),
        (train, "register train.parquet --seed 1 -o model"),
        (score, "register model --on 2018-01-01 --master spark://host:7077 -o risks.parquet"),
        (tables, "db.persons db.dispensings model --on 2018-01-01 -o risks/"),
        (features, "register --on 2018-01-01 -o features/"),
        (explain, "register model --on 2018-01-01 -o contributions/"),
        (tally, "register model held.parquet -o tally.parquet"),
    ):
        name = command.__name__
        verb.command(name, epilog=f"Example: prodromal spark {name} {example}")(command)
    app.add_typer(verb, name="spark")
