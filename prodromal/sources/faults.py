"""What the database says when it cannot go on, as errors of ours; its words may hold values of rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from prodromal.errors import DataError, OutputError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["translated"]

_NOT_WRITTEN = re.compile(
    "Could not (write|f?truncate|fsync|seek|rename|remove)|Failed to create (directory|checkpoint)"
)


def translated(error: Exception, folder: Path) -> Exception:
    """An error as it is to be raised; `folder` is where the database writes."""
    import duckdb

    if isinstance(error, duckdb.OutOfMemoryException):
        return OutputError(f"staging ran out of memory or disk; raise --memory or free space in {folder}")
    if isinstance(error, duckdb.Error):
        line = str(error).splitlines()[0]
        if _NOT_WRITTEN.search(line):
            why = line.rpartition(": ")[2]
            return OutputError(f"cannot write {folder}: {why}; free space there and give the same command again")
        # What follows these words can be a value of a row.
        said = re.split(" with value | string '|\"", line)[0]
        return DataError(f"the delivery cannot be read: {said}")
    return error
