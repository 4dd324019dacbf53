"""What verbs share: options, progress, provenance, and reading who is asked for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from prodromal import __version__
from prodromal.errors import DataError, DefinitionError

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.features import FeaturePlan
    from prodromal.features.index_dates import Everyone, IndexDates
    from prodromal.register import Register

__all__ = [
    "OUTPUT_HELP",
    "SEED_HELP",
    "Force",
    "Model",
    "Output",
    "PlanFile",
    "RegisterFolder",
    "RequireSignature",
    "Seed",
    "Threads",
    "asked_for",
    "index_dates",
    "on_day",
    "parse_date",
    "plan_of",
    "progress",
    "provenance",
    "read_frame",
    "refuse_existing",
    "refuse_other_form",
    "say",
    "warn",
    "write_table",
]

RegisterFolder = Annotated[Path, typer.Argument(help="Folder of a register, made by 'prodromal ingest'.")]
Model = Annotated[Path, typer.Argument(help="Folder of a model bundle, made by 'prodromal train'.")]
RequireSignature = Annotated[
    Path | None,
    typer.Option("--require-signature", help="Public key (PEM): refuse a bundle that it did not sign."),
]
OUTPUT_HELP = "Where to write; appears complete or not at all."
SEED_HELP = "Seed of everything random; the same seed gives the same result."
Output = Annotated[Path, typer.Option("--output", "-o", help=OUTPUT_HELP)]
PlanFile = Annotated[Path | None, typer.Option("--plan", help="TOML plan; the psychiatric plan by default.")]
Seed = Annotated[int, typer.Option("--seed", min=0, help=SEED_HELP)]
Threads = Annotated[int, typer.Option("--threads", min=1, help="Threads; results do not depend on it.")]
Force = Annotated[bool, typer.Option("--force", help="Replace an existing output.")]


def say(text: str = "") -> None:
    """Print a line on stdout."""
    typer.echo(text)


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, a line per tenth otherwise; yields a function of done and in all."""
    if not sys.stderr.isatty():
        yield _plain(title)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f} %"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _plain(title: str) -> Callable[[int, int], None]:
    shown, begun = -1, time.monotonic()

    def show(done: int, total: int) -> None:
        nonlocal shown
        tenth = 10 * done // max(total, 1)
        if tenth > shown:
            shown = tenth
            left = (time.monotonic() - begun) * (total - done) / max(done, 1)
            rest = f", about {left:.0f} s left" if 0 < done < total else ""
            typer.echo(f"  {title}: {done} of {total}{rest}", err=True)

    return show


def parse_date(text: str) -> date:
    """Read YYYY-MM-DD."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise DefinitionError(f"'{text}' is no date of the form YYYY-MM-DD") from error


def refuse_existing(path: Path, force: bool) -> None:
    """Raise OutputError before any work if an output is in the way."""
    from prodromal.errors import OutputError

    if path.exists() and not force:
        raise OutputError(f"{path} exists; name another output, or replace it with --force")


def refuse_other_form(path: Path) -> None:
    """Raise DefinitionError before any work if an output's name says that it is no Parquet."""
    if path.suffix.lower() not in {"", ".parquet"}:
        raise DefinitionError(f"{path}: this is written as Parquet; let its name end in .parquet")


def plan_of(file: Path | None, register: Register) -> FeaturePlan:
    """The plan of a file, or the psychiatric one; names its groups to which no dispensing of the register belongs."""
    from prodromal.features import FeaturePlan

    plan = FeaturePlan.read(file) if file else FeaturePlan.psychiatric()
    unused = [group.name for group in plan.groups if not any(map(group.matches, register.codes))]
    if unused:
        say(f"CAUTION: no dispensing of the register belongs to {', '.join(unused)}: nothing can be learned from it.")
    return plan


def on_day(register: Register, text: str) -> int:
    """A date for everyone, in days since 1970-01-01; refused where the data are long over by then."""
    from prodromal.scoring.refusal import last_day

    day = (parse_date(text) - date(1970, 1, 1)).days
    if day > last_day(register):
        last = register.last_observed
        raise DefinitionError(f"{text} is after the end of the data: nobody was observed after {last}")
    return day


def warn(warning: str) -> None:
    """Print what the outputs of a model have to say first, if there is anything."""
    if warning:
        typer.secho(warning, bold=True)


def provenance(
    register: Register | None = None, model: Path | None = None, *, warning: str = "", **facts: Any
) -> dict[str, str]:
    """Version, fingerprints of inputs, and facts such as the seed; a model's warning comes first."""
    found = {**({"warning": warning} if warning else {}), "prodromal": __version__}
    if register is not None:
        found["register"] = register.fingerprint
    if model is not None:
        from prodromal.risk.bundle import fingerprint

        found["model"] = fingerprint(model)
    return {**found, **{name: str(value) for name, value in facts.items()}}


def read_frame(path: Path) -> pd.DataFrame:
    """Read a CSV or Parquet file."""
    import pandas as pd

    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        is_parquet = path.suffix == ".parquet"
        frame = pd.read_parquet(path) if is_parquet else pd.read_csv(path, dtype={"person_id": str})
    except (ValueError, OSError) as error:
        raise DataError(f"{path} is no readable CSV or Parquet file") from error
    if "person_id" in frame and (blank := frame["person_id"].isna()).any():
        raise DataError(f"{path}: {int(blank.sum()):,} of {len(frame):,} rows have no person_id")
    if is_parquet:
        return frame
    # Ids are numbers only where all of them are, as in a register: "007" stays text.
    if "person_id" in frame and frame["person_id"].str.fullmatch(r"-?(0|[1-9][0-9]{0,17})").all():
        frame["person_id"] = frame["person_id"].astype("int64")
    return frame


def write_table(frame: pd.DataFrame, path: Path, facts: dict[str, str]) -> None:
    """Write a frame as Parquet with its provenance in the metadata."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    named = {f"prodromal.{name}": value for name, value in facts.items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **named})
    pq.write_table(table, path, compression="zstd", write_page_checksum=True)


def asked_for(register: Register, *, on: str | None, file: Path | None) -> Everyone | IndexDates:
    """Who is asked for: everyone on a date, or the rows of a file."""
    from prodromal.features.index_dates import Everyone, IndexDates

    if (on is None) == (file is None):
        raise DefinitionError("say who is asked for: either --on DATE (everyone) or --index-dates FILE")
    if on is not None:
        return Everyone(on_day(register, on))
    assert file is not None
    frame = read_frame(file)
    if {"subject_id", "prediction_time"} <= set(frame):
        from prodromal.sources.meds import read_labels

        # MEDS: the time itself counts; whether a midnight is a whole day depends on the dataset.
        facts = register.manifest["settings"].get("meds", {})
        frame = read_labels(file, times_of_day=facts.get("times_of_day", False))
    return IndexDates.of(register, frame)


def index_dates(register: Register, *, on: str | None, file: Path | None) -> IndexDates:
    """Who is asked for, with all persons in memory."""
    import numpy as np

    from prodromal.features.index_dates import IndexDates

    asked = asked_for(register, on=on, file=file)
    if isinstance(asked, IndexDates):
        return asked
    return IndexDates.on(np.arange(len(register.persons), dtype=np.int64), asked.day)
