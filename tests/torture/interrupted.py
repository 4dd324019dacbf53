"""An ingest in a child process that can be killed, starved of disk or held up; its work is written down."""

from __future__ import annotations

import csv
import multiprocessing
import os
import resource
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from tests.torture.capped_ingest import source_of
from tests.torture.delivered import formats
from tests.torture.people import PEOPLE
from tests.writers.omop import omop_tables, save

__all__ = ["IngestJob", "deliver", "ingest_job", "run"]

_FORK = multiprocessing.get_context("forkserver")
_STEPS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "fcntl.flock"}
_FILES = 3


@dataclass(frozen=True)
class IngestJob:
    """Ingest a delivery; the last fields are what goes wrong.

    Parameters
    ----------
    form : str
        Of the delivery.
    delivery, output : Path
    kill_at_step : int, optional
        The step at which the process kills itself: a change of a folder, or a note of the journal.
    count_steps : Path, optional
        Where to write how many steps there were.
    most_bytes : int, optional
        Largest file that the disk takes.
    wait_seconds : float
        Rest at each sentence of the progress.
    """

    form: str
    delivery: Path
    output: Path
    kill_at_step: int | None = None
    count_steps: Path | None = None
    most_bytes: int | None = None
    wait_seconds: float = 0.0


def deliver(form: str, folder: Path) -> None:
    """The few people of all formats, and of a common data model in a DuckDB file.

    As CSV they come in several files, with rows repeated, mended, returned and faulty.
    """
    if form == "omop_duckdb":
        folder.rmdir()
        save(omop_tables(PEOPLE.tables), folder, "duckdb")
        return
    formats()[form].write(folder)
    if form != "csv":
        return
    with (folder / "dispensings.csv").open(newline="") as stream:
        header, *rows = csv.reader(stream)
    (folder / "dispensings.csv").unlink()
    rows += rows[::7]
    rows += [[*row[:2], row[2].lower(), "7", *row[4:]] for row in rows[::5]]
    rows += [[*row[:3], f"-{row[3]}", *row[4:]] for row in rows[::11]]
    rows += [[row[0], "2010-02-30", *row[2:]] for row in rows[::13]] + [[*row, "more"] for row in rows[::17]]
    for number in range(_FILES):
        with (folder / f"dispensings-{number}.csv").open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *rows[number::_FILES]])


def ingest_job(job: IngestJob, **settings: Any) -> Any:
    """Ingest in this process, in parts of a few rows, the work written down."""
    from prodromal.sources import Source, TableSource, ingest, work

    work._WORTH_KEEPING = 0
    if job.form == "csv":
        files = {name: tuple(sorted(job.delivery.glob(f"{name}*.csv"))) for name in ("persons", "dispensings")}
        tables = tuple(TableSource(name, found) for name, found in files.items())
        source = Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0)
    else:
        inside = "cdm.duckdb" if job.form == "omop_duckdb" else ""
        source = source_of(job.form, job.delivery / inside)
    given = {"rows_per_part": 25, "replace": True, "memory": "500MB", **settings}
    return ingest(source, job.output, **given)


def run(job: IngestJob, *, kill_after: float | None = None) -> int:
    """Do a job in a process of its own; its exit code, negative for a signal."""
    child = _FORK.Process(target=_ingest, args=(job,))
    child.start()
    child.join(kill_after)
    if child.is_alive() and kill_after is not None:
        os.kill(child.pid, signal.SIGKILL)
    child.join(120)
    assert child.exitcode is not None, "a child did not end within two minutes"
    return child.exitcode


def _ingest(job: IngestJob) -> None:
    from prodromal.errors import ProdromalError

    steps = _watch(job)
    most, limits = job.most_bytes, resource.getrlimit(resource.RLIMIT_FSIZE)
    if most is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (most, limits[1]))
    try:
        ingest_job(job, progress=lambda _: time.sleep(job.wait_seconds))
    except ProdromalError as error:
        # What is said may go to a file, too.
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    if job.count_steps is not None:
        job.count_steps.write_text(str(next(steps)))


def _watch(job: IngestJob) -> Iterator[int]:
    """Count the steps from here on, and die at the one that is asked for."""
    from prodromal.sources.steps import Steps

    folder, note = str(job.output.parent), Steps.note
    taken = iter(range(1 << 30))

    def step() -> None:
        if next(taken) == job.kill_at_step:
            os.kill(os.getpid(), signal.SIGKILL)

    def see(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS and (event == "fcntl.flock" or str(arguments[0]).startswith(folder)):
            step()

    def noted(*arguments: Any) -> None:
        step()
        note(*arguments)
        step()

    Steps.note = noted  # type: ignore[method-assign]
    sys.addaudithook(see)
    return taken
