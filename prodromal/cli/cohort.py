"""``prodromal cohort``: who is looked at, when, and at risk of what."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import (
    Force,
    Output,
    RegisterFolder,
    Seed,
    parse_date,
    refuse_existing,
    refuse_other_form,
    say,
)
from prodromal.cli.splits import Splitting
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from datetime import date

    from prodromal.design import Cohort, Outcome
    from prodromal.register import Register

__all__ = ["add_to"]

_Name = Annotated[str, typer.Option("--outcome", help="Outcome in the register.")]
_Lag = Annotated[int, typer.Option(help="Days after the index date that do not count.")]
_Horizon = Annotated[float, typer.Option(help="Years after the index date at which the question ends.")]
_History = Annotated[int, typer.Option(help="Days that must have been observed before the index date.")]
_Split = Annotated[float | None, typer.Option("--split", help="Share of families held out, such as 0.3.")]
_SplitSeed = Annotated[int, typer.Option("--split-seed", help="Seed of the split; use the same for both parts.")]
_Splits = Annotated[
    Path | None, typer.Option("--splits", help="MEDS dataset, or CSV or Parquet with person_id and split.")
]
_Part = Annotated[
    str | None,
    typer.Option("--part", help="With --split or --split-date: train or held-out. With --splits: the split's name."),
]
_SplitDate = Annotated[
    str | None,
    typer.Option("--split-date", help="Train: answered before YYYY-MM-DD. Held-out: index dates from it on."),
]


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(
        help="Draw matched sets for training, or a landmark cohort for evaluation.", no_args_is_help=True
    )
    verb.command(
        "sets",
        epilog="Example: prodromal cohort sets register --split 0.4 --part train --seed 1 --output train.parquet",
    )(sets)
    verb.command(
        "landmark",
        epilog="Example: prodromal cohort landmark register --on 2016-01-01 --split 0.4 --part held-out -o held",
    )(landmark)
    verb.command(
        "anchored",
        epilog="Example: prodromal cohort anchored register --comparator sibling --seed 1 --output siblings.parquet",
    )(anchored)
    app.add_typer(verb, name="cohort")


def sets(
    register: RegisterFolder,
    *,
    output: Output,
    seed: Seed,
    outcome: _Name = "ALS",
    lag_days: _Lag = 365,
    horizon_years: _Horizon = 5.0,
    min_history_days: _History = 730,
    controls_per_case: Annotated[int, typer.Option(min=1, help="Controls for each case.")] = 5,
    split: _Split = None,
    split_seed: _SplitSeed = 1,
    split_date: _SplitDate = None,
    splits: _Splits = None,
    part: _Part = None,
    force: Force = False,
) -> None:
    """Matched sets: each case at a random date before diagnosis, controls of the same age and sex at risk."""
    from prodromal.design import Outcome, draw_landmark_sets
    from prodromal.register import Register

    refuse_existing(output, force)
    refuse_other_form(output)
    opened = Register.open(register)
    question = Outcome(outcome, lag_days, round(horizon_years * 365.25), min_history_days)
    asked = Splitting(split, split_seed, splits, part, split_date)
    among = asked.of(opened)
    drawn = draw_landmark_sets(opened, question, seed=seed, controls_per_case=controls_per_case, among=among)
    _finish(opened, _in_time(drawn, split_date, part), output, asked.named)


def landmark(
    register: RegisterFolder,
    *,
    output: Output,
    on: Annotated[str, typer.Option(help="Index date of all, YYYY-MM-DD.")],
    outcome: _Name = "ALS",
    lag_days: _Lag = 365,
    horizon_years: _Horizon = 5.0,
    min_history_days: _History = 730,
    split: _Split = None,
    split_seed: _SplitSeed = 1,
    splits: _Splits = None,
    part: _Part = None,
    force: Force = False,
) -> None:
    """Landmark cohort: everyone alive, undiagnosed and observed on one date, followed up to the horizon."""
    from prodromal.design import Outcome, draw_landmark_cohort
    from prodromal.register import Register

    refuse_existing(output, force)
    refuse_other_form(output)
    opened = Register.open(register)
    question = Outcome(outcome, lag_days, round(horizon_years * 365.25), min_history_days)
    asked = Splitting(split, split_seed, splits, part)
    among = asked.of(opened)
    day = parse_date(on)
    drawn = draw_landmark_cohort(opened, question, on=day, among=among)
    _finish(opened, drawn, output, asked.named)
    _caution_of_end(opened, day, question)


def anchored(
    register: RegisterFolder,
    *,
    output: Output,
    seed: Seed,
    comparator: Annotated[str, typer.Option(help="population, sibling or spouse.")] = "population",
    outcome: _Name = "ALS",
    min_history_days: _History = 730,
    controls_per_case: Annotated[int, typer.Option(min=1, help="Population controls for each case.")] = 5,
    force: Force = False,
) -> None:
    """Diagnosis-anchored sets for the association study: the index date is the diagnosis of the case."""
    from prodromal.design import Outcome, draw_anchored_sets
    from prodromal.register import Register

    refuse_existing(output, force)
    refuse_other_form(output)
    opened = Register.open(register)
    question = Outcome(outcome, min_history_days=min_history_days)
    drawn = draw_anchored_sets(opened, question, comparator=comparator, seed=seed, controls_per_case=controls_per_case)
    _finish(opened, drawn, output, {})


def _in_time(cohort: Cohort, split_date: str | None, part: str | None) -> Cohort:
    from prodromal.design.split import before, since

    if split_date is None:
        return cohort
    if part not in {"train", "held-out"}:
        given = f"--part '{part}'" if part else "no --part"
        raise DefinitionError(f"{given}: with --split-date it is train or held-out")
    return (before if part == "train" else since)(cohort, parse_date(split_date))


def _caution_of_end(register: Register, on: date, question: Outcome) -> None:
    end, last = on + timedelta(days=question.horizon_days), register.last_observed
    if last is not None and end > last:
        say(f"CAUTION: the data end on {last}: nobody is followed to the end of the horizon, {end}.")


def _finish(register: Register, cohort: Cohort, output: Path, splits: dict[str, str]) -> None:
    from prodromal.design import write_cohort

    write_cohort(cohort, output, register=register.fingerprint, simulated=register.simulated, splits=splits)
    for step, cases, others in cohort.attrition.itertuples(index=False):
        say(f"  {cases:>9,} cases {others:>10,} others  {step}")
    say(f"The cohort of {len(cohort.frame):,} rows is in {output}.")
