"""``prodromal ingest meds``: a MEDS dataset becomes a register."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodromal.cli.common import Force, Output, Threads, parse_date, refuse_existing, say
from prodromal.cli.ingest.fhir import ObservedFrom, ObservedTo, codes_of_outcomes
from prodromal.cli.ingest.shared import ExtractedOn, MaxRejected, Memory, last_day, say_step, share, tell

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["add_to"]

_EXAMPLE = "Example: prodromal ingest meds dataset/ --outcome 'ALS=DIAGNOSIS//ICD//10//G122*' --output register"
_Codes = list[str] | None


def add_to(verb: typer.Typer) -> None:
    """Add the source."""
    verb.command("meds", epilog=_EXAMPLE)(meds)


def meds(
    dataset: Annotated[Path, typer.Argument(help="Root of the dataset, with data/ and metadata/.")],
    *,
    output: Output,
    outcome: Annotated[
        _Codes, typer.Option(help="NAME=CODE[,CODE]; CODE* for all that begin so (repeat). OUTCOME//NAME by default.")
    ] = None,
    atc_prefix: Annotated[_Codes, typer.Option(help="What stands before ATC codes (repeat); ATC// by default.")] = None,
    sex_prefix: Annotated[_Codes, typer.Option(help="What stands before a sex (repeat); GENDER// by default.")] = None,
    numeric_value: Annotated[
        str | None, typer.Option(help="What the number of a dispensing is: ddd, days_supply or quantity.")
    ] = None,
    observed_from_code: Annotated[str | None, typer.Option(help="Code of the beginning of observation.")] = None,
    observed_to_code: Annotated[str | None, typer.Option(help="Code of the end of observation.")] = None,
    observed_from: ObservedFrom = None,
    observed_to: ObservedTo = None,
    splits: Annotated[
        Path | None, typer.Option(help="Write the subject splits as Parquet with person_id and split.")
    ] = None,
    extracted_on: ExtractedOn = None,
    max_rejected: MaxRejected = "0.1%",
    memory: Memory = "2GB",
    threads: Threads = 2,
    force: Force = False,
) -> None:
    """Read a MEDS 0.4 dataset, judge every event that counts, and write a register."""
    from prodromal.sources import ingest
    from prodromal.sources.meds import Meds, Vocabulary, read_splits

    for path in filter(None, (output, splits)):
        refuse_existing(path, force)
    given = {
        "atc": tuple(atc_prefix or ()),
        "sex": tuple(sex_prefix or ()),
        "observed_from": observed_from_code,
        "observed_to": observed_to_code,
    }
    source = Meds(
        dataset,
        last_day(extracted_on),
        outcomes=codes_of_outcomes(outcome),
        vocabulary=replace(Vocabulary(), **{name: value for name, value in given.items() if value}),  # type: ignore[arg-type]
        value=numeric_value,
        observed_from=parse_date(observed_from) if observed_from else None,
        observed_to=parse_date(observed_to) if observed_to else None,
        max_rejected=share(max_rejected),
    ).source()
    parts = read_splits(dataset)
    done = ingest(source, output, threads=threads, memory=memory, replace=force, progress=say_step)
    _tell_facts(done.facts)
    if parts is not None:
        _tell_splits(parts, splits)
    tell(done)


def _tell_splits(parts: Any, path: Path | None) -> None:
    counted = sorted((item["values"], item["counts"]) for item in parts.column("split").value_counts().to_pylist())
    told = ", ".join(f"{count:,} {name}" for name, count in counted)
    if path is None:
        say(f"The dataset splits its subjects: {told}; write the splits with --splits FILE.")
        return
    from prodromal.files import atomic_file
    from prodromal.register.parquet import write_table

    with atomic_file(path) as partial:
        write_table(parts, partial)
    say(f"The splits are in {path}: {told}.")


def _tell_facts(facts: Mapping[str, Any]) -> None:
    from prodromal.sources.codes import printable

    events = dict(facts["events"])
    read, used = events.pop("read"), sum(events.values())
    counts = ", ".join(f"{count:,} {name}" for name, count in events.items())
    say(f"{facts['subjects']:,} subjects, {read:,} events: {counts}, {read - used:,} others.")
    for name, codes in facts["outcomes"].items():
        say(f"Outcome {printable(name)}: {len(codes):,} codes")
    if facts["numeric_value"] == "not used":
        say("The numbers of dispensings are not used; say what they are with --numeric-value.")
    for end in ("observed_from", "observed_to"):
        if facts[end] == "first and last event":
            say(f"CAUTION: {end} is from everybody's own {facts[end]}; better give --{end.replace('_', '-')}.")
