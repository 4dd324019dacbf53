"""A DuckDB connection that can read the named folders, spill to one, and nothing else."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    import duckdb

__all__ = ["as_text", "connect", "identifier", "literal"]


def literal(text: str) -> str:
    """A SQL string literal."""
    return "'" + text.replace("'", "''") + "'"


def identifier(name: str) -> str:
    """A quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def as_text(columns: Iterable[str]) -> str:
    """SQL for the named columns as one JSON text, for rows that are rejected after they were typed."""
    return f"CAST(to_json({{{', '.join(f'{literal(name)}: {name}' for name in columns)}}}) AS VARCHAR)"


@contextmanager
def connect(
    *, readable: Iterable[Path], scratch: Path, threads: int, memory: str
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database file under `scratch`, lock its configuration, and close it at the end.

    Parameters
    ----------
    readable : iterable of Path
        Files that may be read.
    scratch : Path
        Folder for the database and for what does not fit in memory.
    threads : int
        Threads.
    memory : str
        Memory limit, such as ``"2GB"``.
    """
    import duckdb

    connection = duckdb.connect(str(scratch / "staging.duckdb"))
    folders = sorted({str(file.resolve().parent) + "/" for file in readable} | {str(scratch.resolve()) + "/"})
    try:
        for setting in (
            f"threads = {int(threads)}",
            f"memory_limit = {literal(memory)}",
            f"temp_directory = {literal(str(scratch.resolve()))}",
            "preserve_insertion_order = true",
            "autoinstall_known_extensions = false",
            "autoload_known_extensions = false",
            "enable_progress_bar = false",
            f"allowed_directories = [{', '.join(literal(folder) for folder in folders)}]",
            "enable_external_access = false",
            "lock_configuration = true",
        ):
            connection.execute(f"SET {setting}")
        yield connection
    finally:
        connection.close()
