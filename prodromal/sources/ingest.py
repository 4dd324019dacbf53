"""From a delivery to a register: read, judge, account for and sort every row, then publish all of it or nothing."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from prodromal.errors import DataError, OutputError
from prodromal.files import atomic_folder, sha256
from prodromal.register.writer import RegisterWriter
from prodromal.sources.engine import connect
from prodromal.sources.returns import settle_returns
from prodromal.sources.staging import Staging
from prodromal.tables import TABLES, Account

if TYPE_CHECKING:
    from collections import Counter

    import duckdb

    from prodromal.sources.spec import Source

__all__ = ["Ingested", "ingest"]

Progress = Callable[[str], None]


@dataclass(frozen=True)
class Ingested:
    """What an ingest published: the folder and the account of each table."""

    folder: Path
    accounts: dict[str, Account]


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
        Memory for staging, such as ``"2GB"``; what does not fit goes to disk beside `output`.
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
    files = [file for table in source.tables for file in table.files]
    with ExitStack() as stack:
        folder = stack.enter_context(atomic_folder(output, replace=replace))
        scratch = Path(
            stack.enter_context(tempfile.TemporaryDirectory(dir=output.parent, prefix=f".{output.name}.scratch"))
        )
        connection = stack.enter_context(connect(readable=files, scratch=scratch, threads=threads, memory=memory))
        try:
            accounts = _fill(source, folder, connection, rows_per_part, say)
        except Exception as error:
            raise _translated(error) from error
    return Ingested(output, accounts)


def _translated(error: Exception) -> Exception:
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return OutputError("staging ran out of memory or disk; raise --memory or free space beside the output")
    if isinstance(error, duckdb.Error):
        return DataError(f"the delivery cannot be read: {str(error).splitlines()[0]}")
    return error


def _fill(
    source: Source, folder: Path, connection: duckdb.DuckDBPyConnection, rows_per_part: int, say: Progress
) -> dict[str, Account]:
    staging = Staging(connection, source)
    for name in TABLES:
        if source.table(name) is not None or (name == "persons" and source.derive_persons):
            say(f"reading {name}")
            staging.load(name)
    settle_returns(connection)
    _refuse_too_many_rejected(staging, source)
    writer = RegisterWriter(folder, person_id=staging.id_type, rows_per_part=rows_per_part)
    accounts = {}
    for name in staging.loaded:
        say(f"sorting and writing {name}")
        rows, duplicate = writer.write(TABLES[name], staging.sorted(name))
        counted = staging.count(name)
        accounts[name] = Account(
            name,
            sum(counted.values()),
            rows,
            duplicate + counted["duplicate"],
            _reasons(counted),
            staging.repaired(name),
        )
    writer.write_rejected(staging.rejected())
    sources = [
        {"table": table.table, "file": file.name, "bytes": file.stat().st_size, "sha256": sha256(file)}
        for table in source.tables
        for file in table.files
    ]
    writer.finish(
        accounts=accounts,
        sources=sources,
        settings={
            "preset": source.preset,
            "date_format": source.date_format,
            "extracted_on": source.extracted_on.isoformat(),
            "max_rejected": source.max_rejected,
            "simulated": _is_simulated(source),
        },
    )
    return accounts


def _is_simulated(source: Source) -> bool:
    """Whether a file comes from `prodromal simulate`, which leaves its account beside what it writes."""
    folders = {
        folder for table in source.tables for file in table.files for folder in (file.parent, file.parent.parent)
    }
    return any((folder / "simulation.json").is_file() for folder in folders)


def _reasons(counted: Counter[str]) -> dict[str, int]:
    return {rule: rows for rule, rows in counted.items() if rule not in {"", "duplicate"}}


def _refuse_too_many_rejected(staging: Staging, source: Source) -> None:
    for name in staging.loaded:
        counted = staging.count(name)
        read, rejected = sum(counted.values()), _reasons(counted)
        total = sum(rejected.values())
        if read == 0 and name in {"persons", "dispensings"}:
            raise DataError(f"table {name} has a header but no rows")
        if total > source.max_rejected * read:
            reasons = ", ".join(f"{rule} {rows}" for rule, rows in sorted(rejected.items(), key=lambda item: -item[1]))
            raise DataError(
                f"{name}: {total} of {read} rows would be rejected ({reasons}), more than the "
                f"{source.max_rejected:.3g} share allowed; mend the source or the column map, or raise --max-rejected "
                "to keep the rejected rows in rejected.parquet"
            )
