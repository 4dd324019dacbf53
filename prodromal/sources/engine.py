"""A DuckDB connection that can read the named folders, spill to one, and nothing else."""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

__all__ = ["as_text", "connect", "identifier", "literal"]


# The rest is for the parts that are being written, and for what the database does not count.
_DATABASE_SHARE = 0.6


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def as_text(columns: Iterable[str]) -> str:
    """SQL for the named columns as one JSON text, for rows that are rejected after they were typed."""
    return f"CAST(to_json({{{', '.join(f'{literal(name)}: {name}' for name in columns)}}}) AS VARCHAR)"


def _share_of(memory: str) -> str:
    size = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?(KB|MB|GB|TB|KiB|MiB|GiB|TiB)", memory)
    if size is None or not float(size[1]):
        raise DefinitionError(f"memory '{memory}': write a size such as 2GB or 800MB")
    return f"{float(size[1]) * _DATABASE_SHARE:.6g}{size[2]}"


@contextmanager
def connect(
    *, readable: Iterable[Path], scratch: Path, threads: int, memory: str, database: Path | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that spills to `scratch`, lock its configuration, and close it at the end.

    Parameters
    ----------
    readable : iterable of Path
        Files that may be read, and folders with all in them.
    scratch : Path
        Folder for what does not fit in memory.
    threads : int
        Threads.
    memory : str
        Memory of the whole job, such as ``"2GB"``; a part of it is the database's.
    database : Path, optional
        The file of the database; without it the database is in memory.

    Raises
    ------
    DefinitionError
        If `memory` is no size.
    """
    import duckdb

    limit = _share_of(memory)

    connection = duckdb.connect(str(database) if database else ":memory:")
    places = [path.resolve() for path in (*readable, scratch, *([database] if database else []))]
    folders = [f"{place}/" for place in places if place.is_dir()]
    # A database's log is looked for beside it, also where it is opened for reading.
    files = [f"{place}{ending}" for place in places if not place.is_dir() for ending in ("", ".wal")]
    try:
        connection.execute("PRAGMA disable_checkpoint_on_shutdown")
        for setting in (
            f"threads = {int(threads)}",
            f"memory_limit = {literal(limit)}",
            f"temp_directory = {literal(str(scratch.resolve()))}",
            "preserve_insertion_order = true",
            "TimeZone = 'UTC'",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "enable_progress_bar = false",
            # To find the best compression takes longer than to write without.
            "force_compression = 'uncompressed'",
            f"allowed_directories = [{', '.join(map(literal, folders))}]",
            f"allowed_paths = [{', '.join(map(literal, files))}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        yield connection
    finally:
        connection.close()
