"""How every Parquet file is written and read: zstd, page checksums written and verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["ROW_GROUP_ROWS", "UNREADABLE", "open_parquet", "read_batches", "read_table", "write_table"]

# What the library raises at a damaged file; a name of a column that is no text is met late.
UNREADABLE = (OSError, UnicodeDecodeError, pa.ArrowException)
ROW_GROUP_ROWS = 500_000
# Small enough that a consumer finds the batch in the processor's cache.
_BATCH_ROWS = 65_536


def write_table(table: pa.Table, path: Path) -> None:
    """Write `table` with page checksums; whole-number ids as differences, every other column as a dictionary.

    A dictionary of days is decoded twice as fast as the days themselves, and there are never many.
    """
    deltas = [field.name for field in table.schema if field.name == "person_id" and pa.types.is_integer(field.type)]
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        write_page_checksum=True,
        use_dictionary=[name for name in table.schema.names if name not in deltas],
        column_encoding=dict.fromkeys(deltas, "DELTA_BINARY_PACKED"),
        store_schema=True,
    )


def open_parquet(path: Path, *, dictionaries: Sequence[str] = ()) -> pq.ParquetFile:
    """Open a file for reading with its page checksums verified.

    Raises
    ------
    DataError
        If it is missing or no Parquet file.
    """
    try:
        return pq.ParquetFile(
            path, page_checksum_verification=True, read_dictionary=list(dictionaries), pre_buffer=False
        )
    except UNREADABLE as error:
        raise DataError(f"{path} is missing or no readable Parquet file") from error


def read_table(path: Path, columns: Sequence[str] | None = None, *, dictionaries: Sequence[str] = ()) -> pa.Table:
    """Read columns of a file on one thread.

    Raises
    ------
    DataError
        If the file is missing, damaged, or lacks a column.
    """
    with open_parquet(path, dictionaries=dictionaries) as file:
        _require(file, path, columns or ())
        try:
            return file.read(columns=None if columns is None else list(columns), use_threads=False)
        except UNREADABLE as error:
            raise _damaged(path) from error


def read_batches(path: Path, columns: Sequence[str], *, dictionaries: Sequence[str] = ()) -> Iterator[pa.RecordBatch]:
    """Read columns of a file piece by piece on one thread.

    Raises
    ------
    DataError
        If the file is missing, damaged, or lacks a column.
    """
    with open_parquet(path, dictionaries=dictionaries) as file:
        _require(file, path, columns)
        try:
            yield from file.iter_batches(_BATCH_ROWS, columns=list(columns), use_threads=False)
        except UNREADABLE as error:
            raise _damaged(path) from error


def _require(file: pq.ParquetFile, path: Path, columns: Sequence[str]) -> None:
    if missing := set(columns) - set(file.schema_arrow.names):
        raise DataError(f"{path} has no column {', '.join(sorted(missing))}")


def _damaged(path: Path) -> DataError:
    return DataError(f"{path} is damaged: a page does not match its checksum or cannot be decoded")
