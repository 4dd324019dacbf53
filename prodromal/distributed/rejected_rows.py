"""Rejected rows of the driver and of all buckets, in one order, with the file and row that they come from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prodromal.distributed.delivered import PLACE_BITS
from prodromal.register.parquet import read_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from prodromal.distributed.delivered import Delivered

__all__ = ["rejected_rows"]


def rejected_rows(of_driver: pa.Table, of_buckets: Sequence[Path], delivery: Mapping[str, Delivered]) -> pa.Table:
    """Rejected rows as one machine has them; of Spark tables by name, no file and row are known.

    Parameters
    ----------
    of_driver : Table
        Rejected rows of the small tables.
    of_buckets : sequence of Path
        Files of rejected dispensings, whose ``row`` is a place.
    delivery : mapping of str to Delivered
        By table.

    Returns
    -------
    Table
        ``table, file, row, line, rule, raw``, sorted by them.
    """
    of_executors = [_with_files(read_table(path), delivery["dispensings"]) for path in of_buckets]
    whole = pa.concat_tables([of_driver, *of_executors])
    for name, delivered in delivery.items():
        if not delivered.files:
            whole = _without_rows(whole, name, delivered.name)
    return whole.sort_by([(column, "ascending") for column in whole.column_names])


def _with_files(rejected: pa.Table, delivered: Delivered) -> pa.Table:
    place = rejected.column("row").to_numpy()
    names = np.array([*(file.name for file in delivered.files), delivered.name], dtype=object)
    file = pa.array(names[place >> PLACE_BITS], pa.string())
    row = pa.array(place & ((1 << PLACE_BITS) - 1))
    return _replaced(rejected, file=file, row=row)


def _without_rows(rejected: pa.Table, table: str, name: str) -> pa.Table:
    mine = np.array(rejected.column("table").to_pylist(), dtype=object) == table
    file = np.where(mine, name, np.array(rejected.column("file").to_pylist(), dtype=object))
    row = pa.array(
        rejected.column("row").fill_null(0).to_numpy(), mask=mine | rejected.column("row").is_null().to_numpy()
    )
    return _replaced(rejected, file=pa.array(file, pa.string()), row=pa.array(row, pa.int64()))


def _replaced(table: pa.Table, **columns: pa.Array) -> pa.Table:
    for name, values in columns.items():
        place = table.schema.get_field_index(name)
        table = table.set_column(place, table.schema.field(place), values)
    return table
