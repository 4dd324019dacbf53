"""From a delivery to a register: read, judge, account for and sort every row, then publish all of it or nothing."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError, OutputError
from prodromal.files import atomic_folder, sha256
from prodromal.held import beside, drop, held
from prodromal.register.writer import RegisterWriter
from prodromal.sources.engine import connect
from prodromal.sources.staging import Staging
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

    Parameters
    ----------
    source : Source
        Files, columns and how values are written.
    output : Path
        Folder of the register; it appears complete or not at all.
    threads : int
        Threads for reading and sorting.
    memory : str
        Memory of the whole job, such as ``"2GB"``; what does not fit goes to disk beside `output`.
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
        If a file or column is missing or unreadable, or more than ``source.max_rejected`` of a table's rows are
        rejected.
    OutputError
        If `output` exists and may not be replaced, or cannot be written.
    """
    say = progress or (lambda _: None)
    files = [*source.readable, *(file for table in source.tables for file in table.origins)]
    with ExitStack() as stack:
        own = stack.enter_context(held(beside(output)))
        stack.callback(drop, own)
        scratch = _swept(own, output)
        folder = stack.enter_context(atomic_folder(output, replace=replace))
        connection = stack.enter_context(connect(readable=files, scratch=scratch, threads=threads, memory=memory))
        hashes = stack.enter_context(ThreadPoolExecutor(1)).submit(_sources, source)
        writer = RegisterWriter(folder, rows_per_part=rows_per_part, threads=threads)
        try:
            facts = _prepared(source, connection, say)
            accounts = _fill(source, writer, connection, say)
        except Exception as error:
            raise _translated(error) from error
        writer.finish(accounts=accounts, sources=hashes.result(), settings=_settings(source, facts))
    return Ingested(output, accounts, facts)


def _prepared(source: Source, connection: duckdb.DuckDBPyConnection, say: Progress) -> dict[str, Any]:
    if source.prepare is None:
        return dict(source.settings)
    say("preparing")
    found = source.prepare(connection)
    return {**source.settings, **(found or {})}


def _swept(own: Path, output: Path) -> Path:
    """An empty scratch folder; what a killed ingest of the same output left behind goes."""
    for left in [own / "scratch", *output.parent.glob(f".{output.name}.*.tmp")]:
        shutil.rmtree(left, ignore_errors=True)
    (own / "scratch").mkdir()
    return own / "scratch"


def _translated(error: Exception) -> Exception:
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return OutputError("staging ran out of memory or disk; raise --memory or free space beside the output")
    if isinstance(error, duckdb.Error):
        # What follows these words can be a value of a row.
        said = re.split(" with value | string '|\"", str(error).splitlines()[0])[0]
        return DataError(f"the delivery cannot be read: {said}")
    return error


def _fill(
    source: Source, writer: RegisterWriter, connection: duckdb.DuckDBPyConnection, say: Progress
) -> dict[str, Account]:
    staging = Staging(connection, source)
    for name in TABLES:
        if source.table(name) is not None or (name == "persons" and source.derive_persons):
            say(f"reading {name}")
            staging.load(name)
            _refuse_faulty(staging.account(name), source)
    accounts = {}
    for name in staging.loaded:
        say(f"sorting and writing {name}")
        written = writer.write(TABLES[name], staging.sorted(name), person_id=staging.id_type)
        accounts[name] = staging.account(name, written)
        if accounts[name].kept != written.rows:
            raise DataError(f"{name}: {written.rows} rows were written but {accounts[name].kept} should have been")
    writer.write_rejected(staging.rejected())
    return accounts


def _sources(source: Source) -> list[dict[str, Any]]:
    """Name, size and hash of every file, one entry for each table that it serves."""
    hashes: dict[Path, str] = {}
    found = []
    named = [(table.table, file) for table in source.tables for file in table.origins]
    named += [(source.name, path) for path in source.readable]
    named += [("atc_ddd", source.atc_ddd)] if source.atc_ddd else []
    for table, file in named:
        if file.is_file():
            hashes[file] = hashes.get(file) or sha256(file)
            found.append({"table": table, "file": file.name, "bytes": file.stat().st_size, "sha256": hashes[file]})
    return found


def _settings(source: Source, facts: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "preset": source.preset,
        "date_format": source.date_format,
        "extracted_on": source.extracted_on.isoformat(),
        "max_rejected": source.max_rejected,
        "simulated": _is_simulated(source),
        "source": source.name,
        source.name: dict(facts),
    }


def _is_simulated(source: Source) -> bool:
    """Whether a file comes from `prodromal simulate`, which leaves its account beside what it writes."""
    folders = {
        folder for table in source.tables for file in table.origins for folder in (file.parent, file.parent.parent)
    }
    return any((folder / "simulation.json").is_file() for folder in folders)


def _refuse_faulty(account: Account, source: Source) -> None:
    """Stop before anything is written if a table is empty or too many of its rows are rejected."""
    if account.read == 0 and account.table in {"persons", "dispensings"}:
        table = source.table(account.table)
        header = "a header but " if table is not None and table.files else ""
        raise DataError(f"table {account.table} has {header}no rows")
    total = sum(account.rejected.values())
    if total > source.max_rejected * account.read:
        by_size = sorted(account.rejected.items(), key=lambda item: (-item[1], item[0]))
        reasons = ", ".join(f"{rule} {rows}" for rule, rows in by_size)
        raise DataError(
            f"{account.table}: {total} of {account.read} rows would be rejected ({reasons}), more than the "
            f"{source.max_rejected:.3g} share allowed; mend the source or the column map, or raise --max-rejected "
            "to keep the rejected rows in rejected.parquet"
        )
