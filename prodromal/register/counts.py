"""Dispensings of a part by code and by month, for the manifest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["counts_of"]


def counts_of(part: pa.Table) -> Mapping[str, Mapping[str, int]]:
    """``codes``: dispensings by ATC code; ``months``: by month, as YYYY-MM; of a table of dispensings."""
    return {"codes": _by_code(part.column("atc")), "months": _by_month(part.column("dispensed_on"))}


def _by_code(column: pa.ChunkedArray) -> dict[str, int]:
    counted = pc.value_counts(column.cast(pa.dictionary(pa.int32(), pa.string())).combine_chunks())
    codes = counted.field("values").cast(pa.string()).to_pylist()
    return dict(sorted(zip(codes, counted.field("counts").to_pylist(), strict=True)))


def _by_month(column: pa.ChunkedArray) -> dict[str, int]:
    days = column.cast(pa.int32()).to_numpy()
    if not len(days):
        return {}
    first = int(days.min())
    by_day = np.bincount(days - first)
    months = (first + np.arange(len(by_day))).astype("datetime64[D]").astype("datetime64[M]")
    distinct, start = np.unique(months, return_index=True)
    total = np.add.reduceat(by_day, start)
    return {str(month): rows for month, rows in zip(distinct, total.tolist(), strict=True) if rows}
