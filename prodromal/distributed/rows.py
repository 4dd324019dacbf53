"""Some rows of Parquet files; only the row groups that hold them are decoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prodromal.errors import DataError
from prodromal.register.parquet import UNREADABLE, open_parquet

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

__all__ = ["read_rows"]


def read_rows(paths: Sequence[Path], first: int, count: int, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read `count` rows from row `first` on, counted over all files in their order.

    Raises
    ------
    DataError
        If a file is missing or damaged, or there are too few rows.
    """
    pieces = list(_pieces(paths, first, first + count, columns))
    table = pa.concat_tables(pieces).combine_chunks() if pieces else None
    if table is None or table.num_rows != count:
        raise DataError(f"{paths[0]} has too few rows: {first + count} are needed")
    return table


def _pieces(paths: Sequence[Path], first: int, end: int, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    before = 0
    for path in paths:
        with open_parquet(path) as file:
            sizes = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
            starts = before + np.concatenate([[0], np.cumsum(sizes)])
            wanted = [i for i in range(len(sizes)) if starts[i] < end and starts[i + 1] > first]
            if wanted:
                low = int(starts[wanted[0]])
                yield _read(file, path, wanted, columns).slice(max(first - low, 0), end - max(first, low))
            before = int(starts[-1])


def _read(file: pa.parquet.ParquetFile, path: Path, groups: list[int], columns: Sequence[str] | None) -> pa.Table:
    names = None if columns is None else list(columns)
    try:
        return file.read_row_groups(groups, columns=names, use_threads=False)
    except UNREADABLE as error:
        raise DataError(f"{path} is damaged: a page does not match its checksum or cannot be decoded") from error
