"""Features and contributions on a cluster, as Parquet folders."""

from __future__ import annotations

from typing import Annotated

import typer

from prodromal.cli.common import (
    Force,
    Model,
    Output,
    PlanFile,
    RegisterFolder,
    plan_of,
    provenance,
    refuse_existing,
    say,
    warn,
)
from prodromal.cli.scored import tell_account
from prodromal.cli.spark.shared import Dates, Master, On, Settings, asked_for, session
from prodromal.errors import DefinitionError

__all__ = ["explain", "features"]


def features(
    register: RegisterFolder,
    *,
    output: Output,
    plan: PlanFile = None,
    on: On = None,
    asked: Dates = None,
    master: Master = None,
    settings: Settings = None,
    force: Force = False,
) -> None:
    """Compute windowed features into a Parquet folder."""
    from prodromal.distributed import features_on_spark
    from prodromal.register import Register

    refuse_existing(output, force)
    opened = Register.open(register)
    chosen = plan_of(plan, opened)
    dates = asked_for(opened, on, asked)
    facts = provenance(opened, plan=chosen.fingerprint)
    with session(master, settings) as spark:
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
    opened, loaded = Register.open(register), load(model)
    dates = asked_for(opened, on, asked)
    facts = provenance(opened, model, warning=loaded.warning, plan=loaded.plan.fingerprint, by=by)
    with session(master, settings) as spark:
        account = explain_on_spark(spark, model, opened, dates, output, by=By(by), replace=force, provenance=facts)
    warn(loaded.warning)
    tell_account(account, "explained")
    say(f"The contributions are in {output}.")
