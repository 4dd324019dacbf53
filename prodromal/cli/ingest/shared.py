"""What every source of `prodromal ingest` asks and tells alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import parse_date, say
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    from prodromal.sources import Ingested
    from prodromal.tables import Account

__all__ = ["ExtractedOn", "MaxRejected", "Memory", "account_line", "last_day", "say_step", "share", "tell"]

MaxRejected = Annotated[str, typer.Option(help="Largest share of rejected rows in a table, such as 0.1%.")]
Memory = Annotated[
    str, typer.Option(help="Memory of the whole job, from about 600MB up; what does not fit goes to disk.")
]
ExtractedOn = Annotated[str | None, typer.Option(help="Last day that the delivery can contain; today by default.")]


def last_day(extracted_on: str | None) -> date:
    """The day given, else today."""
    from datetime import UTC, datetime

    return parse_date(extracted_on) if extracted_on else datetime.now(tz=UTC).date()


def say_step(step: str) -> None:
    """One step of an ingest, on stderr."""
    typer.echo(f"  {step}", err=True)


def tell(done: Ingested) -> None:
    """The account of every table, whose facts are lost, and where the register is."""
    for account in done.accounts.values():
        say(account_line(account))
    if caution := _caution(done.folder):
        say(caution)
    say(f"The register is in {done.folder}.")


def _caution(register: Path) -> str:
    """How many persons no cohort takes for want of a fact; empty if none."""
    import pyarrow.compute as pc

    from prodromal.register import Register

    persons = Register.open(register).table("persons", ["sex", "birth_date"])
    no_birth = persons.column("birth_date").is_null()
    no_sex = pc.fill_null(pc.equal(persons.column("sex").cast("string"), "U"), fill_value=True)
    unborn, lost = (int(pc.sum(mask).as_py() or 0) for mask in (no_birth, pc.or_(no_birth, no_sex)))
    if not lost:
        return ""
    rest = f"; the {unborn:,} without birth date get no score" if unborn else ", and their scores say sex_unknown"
    facts = "sex or birth date" if unborn else "sex"
    return f"CAUTION: {lost:,} of {persons.num_rows:,} persons have no known {facts}: they are in no cohort{rest}."


def share(text: str) -> float:
    """A share such as ``0.1%`` or ``0.001`` as a number.

    Raises
    ------
    DefinitionError
        If it is neither, or a whole without a sign, which could be a hundredth.
    """
    try:
        found = float(text.removesuffix("%"))
    except ValueError:
        found = math.nan
    if not found >= 0 or (found >= 1 and not text.endswith("%")):
        raise DefinitionError(f"--max-rejected '{text}': write a share such as 0.1% or 0.001")
    return found / 100 if text.endswith("%") else found


def account_line(account: Account) -> str:
    """One table's account in a sentence."""
    added = f" + {account.expanded:,} added" if account.expanded else ""
    left_out = f" + {sum(account.left_out.values()):,} left out{_listed(account.left_out)}" if account.left_out else ""
    repaired = f" | kept{_listed(account.repaired, 'with ')}" if account.repaired else ""
    return (
        f"{account.table}: {account.read:,} rows read{added} = {account.kept:,} kept + {account.duplicate:,} duplicate "
        f"+ {sum(account.rejected.values()):,} rejected{_listed(account.rejected)}{left_out}{repaired}"
    )


def _listed(counts: Mapping[str, int], word: str = "") -> str:
    return "".join(f"; {rows:,} {word}{reason.replace('_', ' ')}" for reason, rows in sorted(counts.items()))
