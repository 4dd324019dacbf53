"""``prodromal ingest``: a delivery becomes a register, with an account of every row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from prodromal.cli.common import Force, Output, Threads, parse_date, refuse_existing, say
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from prodromal.tables import Account

__all__ = ["add_to"]

_EXAMPLE = (
    "Example: prodromal ingest csv --dispensings lmed.csv --persons people.csv --outcomes als.csv --preset sweden "
    "--set observed_from=2005-07-01 --set observed_to=2023-12-31 --output register"
)
_Files = list[Path] | None


def add_to(app: typer.Typer) -> None:
    """Add the verb."""
    verb = typer.Typer(help="Bring a delivery to a register; every row is accounted for.", no_args_is_help=True)
    verb.command("csv", epilog=_EXAMPLE)(csv)
    app.add_typer(verb, name="ingest")


def csv(
    *,
    output: Output,
    dispensings: Annotated[
        _Files, typer.Option(help="CSV or Parquet files (repeat the option); a folder means all in it.")
    ] = None,
    persons: Annotated[_Files, typer.Option(help="File of persons.")] = None,
    outcomes: Annotated[_Files, typer.Option(help="File of outcomes.")] = None,
    relatives: Annotated[_Files, typer.Option(help="File of relatives.")] = None,
    follow_up: Annotated[_Files, typer.Option(help="File of follow-up visits.")] = None,
    preset: Annotated[str | None, typer.Option(help="Column names of a national register: sweden or denmark.")] = None,
    mapped: Annotated[
        list[str] | None, typer.Option("--map", help="[TABLE.]column=SOURCE, separated by commas or repeated.")
    ] = None,
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="[TABLE.]column=VALUE for every row; dates as YYYY-MM-DD.")
    ] = None,
    derive_persons: Annotated[
        bool, typer.Option("--derive-persons", help="Make persons from the ids in the dispensings.")
    ] = False,
    date_format: Annotated[str, typer.Option(help="Form of dates in text.")] = "%Y-%m-%d",
    decimal: Annotated[str, typer.Option(help="Decimal mark: . or ,")] = ".",
    delimiter: Annotated[
        str | None, typer.Option(help="Between fields; by default the commonest of , ; | tab.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="utf-8, latin-1 or utf-16.")] = "utf-8",
    extracted_on: Annotated[
        str | None, typer.Option(help="Last day that the delivery can contain; today by default.")
    ] = None,
    max_rejected: Annotated[
        str, typer.Option(help="Largest share of rejected rows in a table, such as 0.1%.")
    ] = "0.1%",
    memory: Annotated[str, typer.Option(help="Memory for sorting; what does not fit goes to disk.")] = "2GB",
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Read CSV or Parquet files of any layout, judge every row, and write a register."""
    from datetime import UTC, datetime

    from prodromal.sources import PRESETS, Source, TableSource, ingest

    if preset is not None and preset not in PRESETS:
        raise DefinitionError(f"there is no preset '{preset}'; there are {', '.join(PRESETS)}")
    refuse_existing(output, force)
    files = {
        "persons": persons,
        "dispensings": dispensings,
        "outcomes": outcomes,
        "relatives": relatives,
        "follow_up": follow_up,
    }
    present = [name for name, given in files.items() if given or (name == "persons" and derive_persons)]
    columns, values = _assignments(mapped, "--map", present), _assignments(constants, "--set", present)
    source = Source(
        tuple(
            TableSource(name, tuple(_expand(files[name] or [])), columns.get(name, {}), values.get(name, {}))
            for name in present
        ),
        extracted_on=parse_date(extracted_on) if extracted_on else datetime.now(tz=UTC).date(),
        date_format=date_format,
        decimal=decimal,
        delimiter="\t" if delimiter in {"tab", "\\t"} else delimiter,
        encoding=encoding,
        preset=preset,
        derive_persons=derive_persons,
        max_rejected=_share(max_rejected),
    )
    done = ingest(
        source,
        output,
        threads=threads,
        memory=memory,
        replace=force,
        progress=lambda step: typer.echo(f"  {step}", err=True),
    )
    for account in done.accounts.values():
        say(_account(account))
    say(f"The register is in {output}.")


def _expand(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.name.endswith((".csv", ".csv.gz", ".parquet")))
        else:
            found.append(path)
    return found


def _assignments(given: list[str] | None, option: str, present: list[str]) -> dict[str, dict[str, str]]:
    from prodromal.tables import TABLES

    result: dict[str, dict[str, str]] = {}
    for item in (part for text in given or [] for part in text.split(",") if part.strip()):
        name, equals, value = item.strip().partition("=")
        if not equals or not value:
            raise DefinitionError(f"{option} '{item.strip()}': write it as column=NAME or table.column=NAME")
        table, dot, column = name.rpartition(".")
        fitting = [t for t in present if (not dot or t == table) and column in TABLES[t].names]
        if not fitting:
            raise DefinitionError(f"{option} '{name}': no table of this delivery has such a column")
        for fit in fitting:
            result.setdefault(fit, {})[column] = value
    return result


def _share(text: str) -> float:
    try:
        return float(text[:-1]) / 100 if text.endswith("%") else float(text)
    except ValueError as error:
        raise DefinitionError(f"--max-rejected '{text}': write a share such as 0.1% or 0.001") from error


def _account(account: Account) -> str:
    reasons = "".join(f"; {rows:,} {rule.replace('_', ' ')}" for rule, rows in sorted(account.rejected.items()))
    repaired = "".join(f"; {rows:,} with {what.replace('_', ' ')}" for what, rows in sorted(account.repaired.items()))
    rejected = sum(account.rejected.values())
    return (
        f"{account.table}: {account.read:,} rows read = {account.kept:,} kept + {account.duplicate:,} duplicate + "
        f"{rejected:,} rejected{reasons}{' | kept' + repaired if repaired else ''}"
    )
