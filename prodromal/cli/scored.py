"""What is said once people are scored, here or on a cluster."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from prodromal.cli.common import say

if TYPE_CHECKING:
    from pathlib import Path

    from prodromal.design import Outcome
    from prodromal.scoring import ScoringAccount

__all__ = ["tell_account", "tell_drift", "tell_risks"]

_NAMED = 5
_EXTRACT = "The register is an extract with unequal sampling weights, which may be the reason."
_SHIFTS = {
    "use": "used much more or less than among the people trained on, of the same age and sex",
    "flag": "more than a tenth of those scored are flagged",
    "code": "codes that the training hardly saw",
    "month": "months with far fewer dispensings than those around them",
}


def tell_drift(table: Path) -> None:
    """One line for each kind of shift, and where the table is."""
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    extract = any(row["kind"] == "extract" for row in rows)
    for kind, meaning in _SHIFTS.items():
        names = [row["name"] for row in rows if row["kind"] == kind and row["shifted"] == "True"]
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            why = f" {_EXTRACT}" if extract and kind == "use" else ""
            say(f"CAUTION: {meaning}: {', '.join(names[:_NAMED])}{more}.{why} See {table}.")


def tell_account(account: ScoringAccount, done: str) -> None:
    """What became of everyone asked for."""
    refused = "".join(f", {count:,} {reason.replace('_', ' ')}" for reason, count in account.refused.items())
    say(f"{account.asked:,} asked = {account.scored:,} {done} + {sum(account.refused.values()):,} refused{refused}.")


def tell_risks(account: ScoringAccount, output: Path, outcome: Outcome, *, diagnoses: bool) -> None:
    """The account, where the risks are, and what they are; whether people with a diagnosis were known and refused."""
    tell_account(account, "scored")
    say(
        f"The risks are in {output}: of a first diagnosis of {outcome.name} more than {outcome.lag_days:,} and up to "
        f"{outcome.horizon_days:,} days after the date, for people alive and undiagnosed then. Caution, not panic."
    )
    if not diagnoses:
        say(f"CAUTION: no diagnosis of {outcome.name} is known here, so people who have it already are scored, too.")
