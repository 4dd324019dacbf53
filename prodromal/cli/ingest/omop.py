"""``prodromal ingest omop``: an OMOP common data model becomes a register."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodromal.cli.common import Force, Output, Threads, refuse_existing, say
from prodromal.cli.ingest.shared import ExtractedOn, MaxRejected, Memory, last_day, say_step, share, tell
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["add_to"]

_EXAMPLE = (
    "Example: prodromal ingest omop --cdm cdm/ --outcome ALS=cohort:1 --mapping rxcui_to_atc.csv --output register\n\n"
    "Or: prodromal ingest omop --cdm postgresql://reader@localhost/omop --schema cdm --outcome bleed=192671 "
    "--output register (the password comes from PGPASSWORD or the password file)."
)
_QUANTITIES = ("units", "packages", "ddd")


def add_to(verb: typer.Typer) -> None:
    """Add the source."""
    verb.command("omop", epilog=_EXAMPLE)(omop)


def omop(
    *,
    cdm: Annotated[str, typer.Option(help="Folder of CSV or Parquet files, DuckDB file, or postgresql:// URI.")],
    output: Output,
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="NAME=CONCEPT_ID[,CONCEPT_ID] with descendants, or NAME=cohort:ID (repeat the option)."),
    ] = None,
    schema: Annotated[str | None, typer.Option(help="Schema of the tables in a database.")] = None,
    vocabulary: Annotated[
        str | None, typer.Option(help="Folder or database of the vocabulary, if not beside the people.")
    ] = None,
    vocabulary_schema: Annotated[str | None, typer.Option(help="Schema of the vocabulary.")] = None,
    cohort_table: Annotated[str, typer.Option(help="Table of cohorts.")] = "cohort",
    cohort_schema: Annotated[str | None, typer.Option(help="Schema of the table of cohorts.")] = None,
    mapping: Annotated[
        list[Path] | None,
        typer.Option(help="CSV file with columns rxcui or in_rxcui, and atc (repeat the option)."),
    ] = None,
    several_codes: Annotated[
        str,
        typer.Option(help="A drug with several ATC codes becomes a dispensing of: all, first, or single-only (none)."),
    ] = "all",
    drug_types: Annotated[
        str | None, typer.Option(help="Values of drug_type_concept_id to take, separated by commas; all by default.")
    ] = None,
    quantity: Annotated[
        str, typer.Option(help="What drug_exposure.quantity counts: units, packages, or ddd.")
    ] = "units",
    atc_ddd: Annotated[
        Path | None,
        typer.Option(help="CSV of WHO's DDDs (atc_code, ddd, uom); units become DDDs by the table drug_strength."),
    ] = None,
    extracted_on: ExtractedOn = None,
    max_rejected: MaxRejected = "0.1%",
    memory: Memory = "2GB",
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Read an OMOP common data model (5.3, 5.4), find ATC codes, judge every row, and write a register."""
    from prodromal.sources import ingest
    from prodromal.sources.codes import SeveralCodes
    from prodromal.sources.omop import OmopOutcome, omop_source

    refuse_existing(output, force)
    source = omop_source(
        cdm,
        [OmopOutcome.parse(text) for text in outcome or []],
        extracted_on=last_day(extracted_on),
        schema=schema,
        vocabulary=vocabulary,
        vocabulary_schema=vocabulary_schema,
        cohort_table=cohort_table,
        cohort_schema=cohort_schema,
        mapping=mapping or (),
        several_codes=SeveralCodes(_one_of("--several-codes", several_codes, tuple(SeveralCodes))),
        drug_types=_numbers(drug_types),
        quantity=_one_of("--quantity", quantity, _QUANTITIES),  # type: ignore[arg-type]
        doses=atc_ddd,
        max_rejected=share(max_rejected),
    )
    done = ingest(source, output, threads=threads, memory=memory, replace=force, progress=say_step)
    tell_coverage(source.settings)
    tell(done)


def _one_of(option: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise DefinitionError(f"{option} '{given}': it is one of {', '.join(known)}")
    return given


def _numbers(text: str | None) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(",")) if text else ()
    except ValueError as error:
        raise DefinitionError("--drug-types: write concept ids separated by commas") from error


def tell_coverage(found: Mapping[str, Any]) -> None:
    """How codes were found, what had none, and what became of observation and outcomes."""
    codes, periods = found["codes"], found["observation"]["observation_periods"]
    say("ATC codes of drug exposures, by the way they were found")
    for way in codes["ways"]:
        say(f"  {way['way']:<28}{_count(way['exposures']):>14} exposures {_count(way['people']):>12} people")
    if codes["exposures_with_ddd"] != 0:
        say(f"  with defined daily doses by strength: {_count(codes['exposures_with_ddd'])} exposures")
    several = codes["several_codes"]
    say(f"  with several codes: {_count(several['exposures'])} exposures; policy '{several['policy']}'")
    for title, key in (("products of several ingredients", "combinations"), ("without an ATC code", "unmapped")):
        part = codes[key]
        say(f"  {title}: {_count(part['exposures'])} exposures of {part['concepts']:,} concepts")
        for item in part["top"][:8]:
            say(f"    {_count(item['exposures']):>12}  {_printable(item['name'])}")
    for kind in codes["drug_types"][:5]:
        say(f"  of type {kind['concept_id']}: {_count(kind['exposures'])} exposures  {_printable(kind['name'])}")
    if codes["vocabulary_tables_missing"]:
        say(f"  not there: {', '.join(codes['vocabulary_tables_missing'])}")
    say(
        f"Observation periods: {_count(periods['read'])} read, {_count(periods['in_the_observation'])} in the longest "
        f"spell of their person, {_count(periods['in_other_spells'])} in others, "
        f"{_count(periods['of_unknown_people'])} of people not in person"
    )
    for item in found.get("outcomes", ()):
        say(f"Outcome {_printable(item['outcome'])}: {_count(item['rows'])} rows of {_count(item['people'])} people")


def _count(number: int | None) -> str:
    return "fewer than 5" if number is None else f"{number:,}"


def _printable(name: str) -> str:
    """A name from the data without what would command a terminal, cut to a line."""
    shown = "".join(sign if sign.isprintable() else "?" for sign in name)
    return shown if len(shown) <= 90 else f"{shown[:89]}…"
