"""``prodromal ingest fhir``: a FHIR R4 bulk export becomes a register."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodromal.cli.common import Force, Output, Threads, parse_date, refuse_existing, say
from prodromal.cli.ingest.shared import ExtractedOn, MaxRejected, Memory, last_day, say_step, share, tell
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ObservedFrom", "ObservedTo", "add_to", "codes_of_outcomes"]

_EXAMPLE = (
    "Example: prodromal ingest fhir export/ --outcome 'ALS=http://hl7.org/fhir/sid/icd-10|G12.2*' "
    "--observed-from 2008-01-01 --observed-to 2023-12-31 --output register"
)
ObservedFrom = Annotated[str | None, typer.Option(help="First day of everybody's observation, YYYY-MM-DD.")]
ObservedTo = Annotated[str | None, typer.Option(help="Last day of everybody's observation, YYYY-MM-DD.")]


def add_to(verb: typer.Typer) -> None:
    """Add the source."""
    verb.command("fhir", epilog=_EXAMPLE)(fhir)


def fhir(
    export: Annotated[list[Path], typer.Argument(help="Folders or files: .ndjson, .jsonl, with or without .gz.")],
    *,
    output: Output,
    outcome: Annotated[
        list[str] | None,
        typer.Option(help="NAME=SYSTEM|CODE[,SYSTEM|CODE] of conditions; CODE* for all that begin so (repeat)."),
    ] = None,
    resources: Annotated[
        str, typer.Option(help="auto (dispenses, else requests), MedicationDispense or MedicationRequest.")
    ] = "auto",
    atc_system: Annotated[
        list[str] | None, typer.Option(help="Further code system of ATC codes, beside WHO's (repeat the option).")
    ] = None,
    mapping: Annotated[
        list[Path] | None, typer.Option(help="CSV file with columns rxcui (or code) and atc (repeat the option).")
    ] = None,
    mapping_system: Annotated[
        str | None, typer.Option(help="Code system that the mapping is from; RxNorm by default.")
    ] = None,
    several_codes: Annotated[
        str,
        typer.Option(help="A drug with several ATC codes becomes a dispensing of: all, first, or single-only (none)."),
    ] = "all",
    quantity: Annotated[
        str, typer.Option(help="What quantities count that do not say DDD: units (not used), packages, or ddd.")
    ] = "units",
    by_record: Annotated[bool, typer.Option("--by-record", help="Date conditions by record, not by onset.")] = False,
    observed_from: ObservedFrom = None,
    observed_to: ObservedTo = None,
    extracted_on: ExtractedOn = None,
    max_rejected: MaxRejected = "0.1%",
    memory: Memory = "2GB",
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Read patients, dispenses or requests, and conditions; find ATC codes, judge every row, and write a register."""
    from prodromal.sources import ingest
    from prodromal.sources.codes import SeveralCodes
    from prodromal.sources.fhir import ATC_SYSTEMS, RXNORM, Fhir, Resources, find_files

    refuse_existing(output, force)
    source = Fhir(
        find_files(export),
        last_day(extracted_on),
        outcomes=codes_of_outcomes(outcome),
        resources=Resources(_one_of("--resources", resources, tuple(Resources))),
        atc_systems=(*ATC_SYSTEMS, *(atc_system or ())),
        mapping=tuple(mapping or ()),
        mapped_system=mapping_system or RXNORM,
        several_codes=SeveralCodes(_one_of("--several-codes", several_codes, tuple(SeveralCodes))),
        quantity=quantity,
        by_record=by_record,
        observed_from=parse_date(observed_from) if observed_from else None,
        observed_to=parse_date(observed_to) if observed_to else None,
        max_rejected=share(max_rejected),
        processes=threads,
    ).source()
    done = ingest(source, output, threads=threads, memory=memory, replace=force, progress=say_step)
    _tell_facts(done.facts)
    tell(done)


def codes_of_outcomes(given: list[str] | None) -> dict[str, tuple[str, ...]]:
    """Outcomes written as NAME=CODE[,CODE]; a name may be given again with more codes."""
    outcomes: dict[str, tuple[str, ...]] = {}
    for text in given or []:
        name, equals, codes = text.partition("=")
        listed = tuple(code.strip() for code in codes.split(",") if code.strip())
        if not equals or not name.strip() or not listed:
            raise DefinitionError(f"--outcome '{text}': write it as NAME=CODE[,CODE]")
        outcomes[name.strip()] = (*outcomes.get(name.strip(), ()), *listed)
    return outcomes


def _one_of(option: str, given: str, known: tuple[str, ...]) -> str:
    if given not in known:
        raise DefinitionError(f"{option} '{given}': it is one of {', '.join(known)}")
    return given


def _tell_facts(facts: Mapping[str, Any]) -> None:
    read = ", ".join(f"{count:,} {kind or 'lines that are no resource'}" for kind, count in facts["read"].items())
    say(f"Resources read: {read}. Dispensings are taken from {facts['dispensings_from']}.")
    for kind, count in facts["files_not_read"].items():
        say(f"  not read: {count:,} files of {kind}")
    say("ATC codes, by the way they were found")
    for way, found in facts["coverage"]["ways"].items():
        say(f"  {way.replace('_', ' '):<20}{found['rows']:>14,} rows {found['people']:>12,} people")
    for codings, rows in facts["coverage"]["commonest_without_atc"].items():
        say(f"    {rows:>12,}  {' + '.join(codings.splitlines())}")
    if merged := facts["links"].get("merged"):
        say(f"{merged:,} replaced records of patients were merged into the records that stand for them.")
    if undated := facts["deceased_undated"]:
        say(f"{undated:,} patients died on a day that is not told; their observation does not end with it.")
    for end in ("observed_from", "observed_to"):
        if facts[end].endswith("event"):
            option = f"--{end.replace('_', '-')}"
            say(f"CAUTION: {end} is everybody's own {facts[end]}, for FHIR tells no observation; better give {option}.")
