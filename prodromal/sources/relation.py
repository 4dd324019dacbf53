"""Rows that a source prepares itself: a relation inside the staging connection, and the files that it comes from."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["COPY", "FILE", "LEFT_OUT", "RAW", "RESERVED", "ROW", "RULE", "Relation"]

ROW, FILE, COPY = "_row_", "_file_", "_copy_"
LEFT_OUT, RULE, RAW = "_left_out_", "_rule_", "_raw_"
RESERVED = (ROW, FILE, COPY, LEFT_OUT, RULE, RAW)


@dataclass(frozen=True)
class Relation:
    """Rows of one table as SQL.

    Its columns are those that the table source names, and any of six reserved ones. Two rows are duplicates if all
    columns but the reserved ones are equal (numbers and dates by value).

    ============== ======== ============================================================================================
    ``_row_``      BIGINT   1-based number of the row within its file; without it rows are numbered as they come,
                            and a large file is read on all threads
    ``_file_``     INTEGER  0-based place in `files`; 0 without it
    ``_copy_``     INTEGER  0 for a source row, 1, 2, ... for the rows added to it (one ingredient with several codes)
    ``_left_out_`` VARCHAR  why the row is deliberately not wanted, such as ``unmapped_code``; NULL if it is wanted.
                            Such a row is counted and not judged
    ``_rule_``     VARCHAR  why the reader rejects the row (``duplicate``: it repeats another); NULL to leave it to the
                            table's rules
    ``_raw_``      VARCHAR  text of the row for ``rejected.parquet``; without it the columns used, as JSON
    ============== ======== ============================================================================================

    Parameters
    ----------
    sql : str
        A SELECT, or the name of a view or table, valid in the staging connection once ``Source.prepare`` has run.
    types : mapping of str to str
        Each column, the reserved ones too, with its DuckDB type. Empty: the connection is asked.
    files : tuple of Path
        Files whose hashes go into the manifest.
    rejects : str, optional
        A SELECT of lines that could not be split: ``file, line, rule, raw``.
    """

    sql: str
    types: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    rejects: str | None = None

    @property
    def columns(self) -> dict[str, str]:
        """Columns and types without the reserved ones."""
        return {name: kind for name, kind in self.types.items() if name not in RESERVED}
