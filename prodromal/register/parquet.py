"""How every Parquet file is written and read: zstd, page checksums written and verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

__all__ = ["ROW_GROUP_ROWS", "open_parquet", "read_table", "write_table"]

ROW_GROUP_ROWS = 500_000


def write_table(table: pa.Table, path: Path) -> None:
    """Write `table` with page checksums; ATC codes and regions as dictionaries, ids and dates as differences."""
    deltas = [field.name for field in table.schema if pa.types.is_integer(field.type) or pa.types.is_date32(field.type)]
    pq.write_table(
        table,
        path,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        write_page_checksum=True,
        use_dictionary=[field.name for field in table.schema if field.name not in deltas],
        column_encoding=dict.fromkeys([name for name in deltas if name == "person_id"], "DELTA_BINARY_PACKED"),
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
            path, page_checksum_verification=True, read_dictionary=list(dictionaries), memory_map=False
        )
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is missing or no readable Parquet file") from error


def read_table(path: Path, columns: Sequence[str] | None = None, *, dictionaries: Sequence[str] = ()) -> pa.Table:
    """Read columns of a file on one thread.

    Raises
    ------
    DataError
        If the file is missing, damaged, or lacks a column.
    """
    with open_parquet(path, dictionaries=dictionaries) as file:
        if columns is not None and (missing := set(columns) - set(file.schema_arrow.names)):
            raise DataError(f"{path} has no column {', '.join(sorted(missing))}")
        try:
            return file.read(columns=None if columns is None else list(columns), use_threads=False)
        except (OSError, pa.ArrowException) as error:
            raise DataError(f"{path} is damaged: a page does not match its checksum or cannot be decoded") from error
