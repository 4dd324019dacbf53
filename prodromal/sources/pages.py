"""Parquet files from outside: what they claim to hold is bounded, and the checksums of their pages are verified."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["verify_pages"]

_UNPACKED_BYTES, _UNPACKED_RATIO = 1 << 30, 1000
_BATCH_ROWS = 65_536


def verify_pages(file: Path) -> None:
    """Read every page of a Parquet file once with its checksum verified, which the database does not do.

    Raises
    ------
    DataError
        If it is damaged, no Parquet file, or would unpack to more than 1,000 times its size (and more than 1 GiB).
    """
    import pyarrow.parquet as pq

    from prodromal.register.parquet import UNREADABLE

    try:
        with pq.ParquetFile(file, page_checksum_verification=True, pre_buffer=False) as parquet:
            size = sum(parquet.metadata.row_group(n).total_byte_size for n in range(parquet.num_row_groups))
            if size > max(_UNPACKED_BYTES, _UNPACKED_RATIO * file.stat().st_size):
                raise DataError(
                    f"{file} would unpack to {size / 1e9:.0f} GB, more than {_UNPACKED_RATIO} times its size"
                )
            for _ in parquet.iter_batches(_BATCH_ROWS):
                pass
    except UNREADABLE as error:
        raise DataError(f"{file} is damaged, or no readable Parquet file") from error
