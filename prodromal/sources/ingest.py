"""From a delivery to a register: read, judge, account for and sort every row, then publish all of it or nothing."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError
from prodromal.files import atomic_folder
from prodromal.register.parts import PartDone
from prodromal.register.writer import RegisterWriter
from prodromal.sources.engine import connect, identifier, literal
from prodromal.sources.faults import translated
from prodromal.sources.job import files_of, job_of, seen
from prodromal.sources.manifest import settings_of, sources_of
from prodromal.sources.rejections import refuse_too_many
from prodromal.sources.staging import Staging
from prodromal.sources.steps import Steps, how_far
from prodromal.sources.work import working
from prodromal.tables import TABLES, Account

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import duckdb

    from prodromal.sources.spec import Source

__all__ = ["Ingested", "ingest"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Ingested:
    """What an ingest published.

    Parameters
    ----------
    folder : Path
        The register.
    accounts : dict of str to Account
        The account of each table.
    facts : mapping
        What the source had to say besides.
    """

    folder: Path
    accounts: dict[str, Account]
    facts: Mapping[str, Any]


def ingest(
    source: Source,
    output: Path,
    *,
    threads: int = 2,
    memory: str = "2GB",
    rows_per_part: int = 2_000_000,
    replace: bool = False,
    progress: Progress | None = None,
) -> Ingested:
    """Read a delivery into a register.

    The work on a large delivery is written down beside `output` as it goes: killed, or stopped by a full disk, the
    same call goes on where it stopped. Any other sweeps what was left.

    Parameters
    ----------
    source : Source
        Files, columns and how values are written.
    output : Path
        Folder of the register; it appears complete or not at all.
    threads : int
        Threads for reading and sorting.
    memory : str
        Memory of the whole job, such as ``"2GB"``; what does not fit goes to disk beside `output`. Below about 600 MB
        it is not kept: the parts that are being written take that.
    rows_per_part : int
        About how many dispensings a part holds; persons are never split.
    replace : bool
        Whether an existing register may be replaced.
    progress : callable, optional
        Called with one sentence at each step.

    Returns
    -------
    Ingested
        Folder and accounts.

    Raises
    ------
    DataError
        If a file or column is missing or unreadable, a file changes meanwhile, or more than ``source.max_rejected`` of
        a table's rows are rejected.
    OutputError
        If `output` exists and may not be replaced, or cannot be written.
    """
    say = progress or (lambda _: None)
    files = [*source.readable, *(file for table in source.tables for file in table.origins)]
    before = seen(source)
    with ExitStack() as stack:
        job = job_of(source, rows_per_part=rows_per_part)
        work = stack.enter_context(working(output, job, {file for _, file in files_of(source)}))
        folder = stack.enter_context(atomic_folder(output, replace=replace))
        try:
            connection = stack.enter_context(
                connect(readable=files, scratch=work.scratch, threads=threads, memory=memory, database=work.database)
            )
            hashes = stack.enter_context(ThreadPoolExecutor(1)).submit(sources_of, source)
            writer = RegisterWriter(work.register, rows_per_part=rows_per_part, threads=threads)
            steps = Steps(connection)
            if work.threw_away:
                say("starting anew: the delivery or what is asked of it is not what a killed run worked on")
            if steps.names:
                say(f"going on where a killed run stopped: {how_far(steps, source)}")
            facts = _prepared(source, connection, steps, say)
            accounts = _fill(source, writer, connection, steps, work.register, say)
            told = hashes.result()
        except Exception as error:
            raise translated(error, work.folder) from error
        if seen(source) != before:
            raise DataError("a file of the delivery was changed while it was read; ingest it again once it is at rest")
        writer.finish(accounts=accounts, sources=told, settings=settings_of(source, facts))
        folder.rmdir()
        work.register.rename(folder)
    return Ingested(output, accounts, facts)


_ATTACHED = "SELECT database_name, path FROM duckdb_databases() WHERE NOT internal AND readonly"


def _prepared(source: Source, connection: duckdb.DuckDBPyConnection, steps: Steps, say: Progress) -> dict[str, Any]:
    """What the source says of itself; its own steps are its own, and what they read stays open to later ones."""
    if source.prepare is None:
        return dict(source.settings)
    done = steps.told("prepared")
    if done is None:
        say("preparing")
        found = source.prepare(connection)
        attached = connection.execute(_ATTACHED).fetchall()
        steps.note("prepared", {"facts": {**source.settings, **(found or {})}, "attached": attached})
    else:
        for name, path in done["attached"]:
            connection.execute(f"ATTACH {literal(path)} AS {identifier(name)} (READ_ONLY, TYPE duckdb)")
    return dict((steps.told("prepared") or {})["facts"])


def _fill(
    source: Source,
    writer: RegisterWriter,
    connection: duckdb.DuckDBPyConnection,
    steps: Steps,
    folder: Path,
    say: Progress,
) -> dict[str, Account]:
    staging = Staging(connection, source, steps)
    for name in TABLES:
        if source.table(name) is not None or (name == "persons" and source.derive_persons):
            say(f"reading {name}")
            staging.load(name)
            _refuse_faulty(staging.account(name), source)
    accounts = {}
    for name in staging.loaded:
        say(f"sorting and writing {name}")
        done = _parts_done(steps, folder) if name == "dispensings" else []
        since = done[-1].next_id if done else None
        written = writer.write(
            TABLES[name],
            staging.sorted(name, since),
            person_id=staging.id_type,
            done=done,
            note=lambda part: steps.note(f"part: {part.entry['path']}", asdict(part), connection.cursor()),
        )
        if done:
            written.duplicate += staging.kept_before(name, since) - sum(part.entry["rows"] for part in done)
        accounts[name] = staging.account(name, written)
        if accounts[name].kept != written.rows:
            raise DataError(f"{name}: {written.rows} rows were written but {accounts[name].kept} should have been")
    writer.write_rejected(staging.rejected())
    return accounts


def _parts_done(steps: Steps, folder: Path) -> list[PartDone]:
    """The first parts that a killed run wrote, up to one that is not as it was written."""
    noted = [PartDone(**(steps.told(name) or {})) for name in steps.names if name.startswith("part: ")]
    return list(takewhile(lambda part: part.is_intact(folder), noted))


def _refuse_faulty(account: Account, source: Source) -> None:
    """Stop before anything is written if a table is empty or too many of its rows are rejected."""
    if account.read == 0 and account.table in {"persons", "dispensings"}:
        table = source.table(account.table)
        header = "a header but " if table is not None and table.files else ""
        raise DataError(f"table {account.table} has {header}no rows")
    refuse_too_many(account, source.max_rejected, of_text=source.name == "csv")
