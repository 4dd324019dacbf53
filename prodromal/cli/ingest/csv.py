"""``prodromal ingest csv``: CSV and Parquet files of any layout become a register."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

import typer

from prodromal.cli.common import Force, Output, Threads, refuse_existing
from prodromal.cli.ingest.shared import ExtractedOn, MaxRejected, Memory, last_day, say_step, share, tell
from prodromal.errors import DefinitionError
from prodromal.tables import TABLES, Table

__all__ = ["add_to"]

_EXAMPLE = (
    "Example: prodromal ingest csv --dispensings lmed.csv --persons people.csv --outcomes als.csv --preset sweden "
    "--set observed_from=2005-07-01 --set observed_to=2023-12-31 --output register"
)
_Files = list[Path] | None


def add_to(verb: typer.Typer) -> None:
    """Add the source."""
    columns = "\n\n".join(map(_columns_of, TABLES.values()))
    verb.command("csv", epilog=f"{_EXAMPLE}\n\nColumns that each table must have:\n\n{columns}")(csv)


def _columns_of(table: Table) -> str:
    others = [name for name in table.names if name not in table.required]
    return f"{table.name}: {', '.join(table.required)}" + (f" (and may have {', '.join(others)})" if others else "")


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
    preset: Annotated[
        str | None, typer.Option(help="Column names of a national register: sweden, denmark or norway.")
    ] = None,
    mapped: Annotated[
        list[str] | None, typer.Option("--map", help="[TABLE.]column=SOURCE, separated by commas or repeated.")
    ] = None,
    constants: Annotated[
        list[str] | None, typer.Option("--set", help="[TABLE.]column=VALUE for every row; dates as YYYY-MM-DD.")
    ] = None,
    derive_persons: Annotated[
        bool, typer.Option("--derive-persons", help="Make persons from the ids in the dispensings.")
    ] = False,
    atc_ddd: Annotated[
        Path | None,
        typer.Option(
            help="ATC/DDD index (CSV: atc_code, ddd, uom, adm_r) to compute missing DDDs from strength and packs."
        ),
    ] = None,
    date_format: Annotated[str, typer.Option(help="Form of dates in text.")] = "%Y-%m-%d",
    decimal: Annotated[str, typer.Option(help="Decimal mark: . or ,")] = ".",
    delimiter: Annotated[
        str | None, typer.Option(help="Between fields; by default the commonest of , ; | tab.")
    ] = None,
    encoding: Annotated[str, typer.Option(help="utf-8, latin-1 or utf-16.")] = "utf-8",
    extracted_on: ExtractedOn = None,
    max_rejected: MaxRejected = "0.1%",
    memory: Memory = "2GB",
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Read CSV or Parquet files of any layout, judge every row, and write a register."""
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
        extracted_on=last_day(extracted_on),
        date_format=date_format,
        decimal=decimal,
        delimiter="\t" if delimiter in {"tab", "\\t"} else delimiter,
        encoding=encoding,
        preset=preset,
        derive_persons=derive_persons,
        max_rejected=share(max_rejected),
        atc_ddd=atc_ddd,
    )
    tell(ingest(source, output, threads=threads, memory=memory, replace=force, progress=say_step))


def _expand(paths: Iterable[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.iterdir() if p.name.endswith((".csv", ".csv.gz", ".parquet")))
        else:
            found.append(path)
    return found


def _assignments(given: list[str] | None, option: str, present: list[str]) -> dict[str, dict[str, str]]:
    from prodromal.sources import AUXILIARY

    result: dict[str, dict[str, str]] = {}
    for item in (part for text in given or [] for part in text.split(",") if part.strip()):
        name, equals, value = item.strip().partition("=")
        if not equals or not value:
            raise DefinitionError(f"{option} '{item.strip()}': write it as column=NAME or table.column=NAME")
        table, dot, column = name.rpartition(".")
        known = {t: (*TABLES[t].names, *AUXILIARY.get(t, ())) for t in present if not dot or t == table}
        fitting = [t for t, columns in known.items() if column in columns]
        if not known:
            raise DefinitionError(f"{option} '{name}': no table {table} in this delivery; it has {', '.join(present)}")
        if not fitting:
            valid = "; ".join(f"{t} has {', '.join(columns)}" for t, columns in known.items())
            raise DefinitionError(f"{option} '{name}': no table of this delivery has such a column; {valid}")
        for fit in fitting:
            result.setdefault(fit, {})[column] = value
    return result
