"""The last of the sorting: rows that agree in the first sort columns are put in order, and repeated rows dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

__all__ = ["Written", "in_order", "with_sorted_dictionaries"]

_FINGERPRINT, _REPAIRS = "fingerprint", "repairs"
_SORTED = 3


@dataclass
class Written:
    """What became of the rows handed over: rows kept, duplicates dropped, and kept rows by their bits of repairs."""

    rows: int = 0
    duplicate: int = 0
    repairs: Counter[int] = field(default_factory=Counter)

    def repaired(self, bit: int) -> int:
        """Kept rows that have the bit."""
        return sum(rows for bits, rows in self.repairs.items() if bits & bit)


def in_order(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, sort: Sequence[str], written: Written
) -> Iterator[pa.Table]:
    """Put batches in the full order and drop rows identical to the row before.

    Parameters
    ----------
    batches : iterable of RecordBatch
        Rows by the first three columns of `sort`; columns of `schema`, ``fingerprint`` and ``repairs``.
    schema : Schema
        Types to be written.
    sort : sequence of str
        Columns of the full order; the fingerprint comes after them.
    written : Written
        Counts are added to it.

    Yields
    ------
    Table
        Rows in full order, as `schema` has them.
    """
    for batch in _between_ties(batches, sort[:_SORTED]):
        typed = pa.table([batch.column(f.name).cast(f.type) for f in schema], schema=schema)
        tied = _tied([typed.column(name).chunk(0) for name in sort[:_SORTED]])
        order = _without_ties(typed, tied, sort[_SORTED:], batch.column(_FINGERPRINT).to_numpy())
        repairs = batch.column(_REPAIRS).to_numpy(zero_copy_only=False)
        if order is not None:
            typed, repairs = typed.take(pa.array(order)), repairs[order]
        bits, rows = np.unique(repairs[repairs > 0], return_counts=True)
        written.repairs.update(dict(zip(bits.tolist(), rows.tolist(), strict=True)))
        written.rows += typed.num_rows
        written.duplicate += len(tied) - typed.num_rows
        yield typed


def with_sorted_dictionaries(table: pa.Table) -> pa.Table:
    """The same rows with dictionaries of the values that occur, sorted: they no longer tell how the rows came."""
    for place, column in enumerate(table.schema):
        if pa.types.is_dictionary(column.type) and table.num_rows:
            one = table.column(place).unify_dictionaries().combine_chunks()
            array = one.chunk(0) if isinstance(one, pa.ChunkedArray) else one
            table = table.set_column(place, column, _sorted_dictionary(array, column.type))
    return table


def _sorted_dictionary(array: pa.DictionaryArray, kind: pa.DictionaryType) -> pa.DictionaryArray:
    values = array.dictionary.to_numpy(zero_copy_only=False)
    places = np.asarray(pc.fill_null(array.indices, -1))
    occurs = np.bincount(places[places >= 0], minlength=len(values)) > 0
    kept = np.flatnonzero(occurs)[np.argsort(values[occurs])] if len(values) else np.empty(0, dtype=np.int64)
    rank = np.full(len(values) + 1, -1, dtype=np.int64)
    rank[kept] = np.arange(len(kept))
    ranks = rank[places]
    indices = pa.array(ranks, mask=ranks < 0).cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, pa.array(values[kept], pa.string())).cast(kind)


def _between_ties(batches: Iterable[pa.RecordBatch], keys: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Batches that end where a key changes."""
    held: pa.RecordBatch | None = None
    for batch in batches:
        if not batch.num_rows:
            continue
        if held is not None and all(held.column(key)[-1] == batch.column(key)[0] for key in keys):
            held = pa.concat_batches([held, batch])
            continue
        if held is not None:
            yield held
        held = batch
    if held is not None:
        yield held


def _tied(columns: Sequence[pa.Array]) -> npt.NDArray[np.bool_]:
    """Whether a row agrees with the row before; no value is missing."""
    tied = np.zeros(len(columns[0]), dtype=bool)
    tied[1:] = True
    for column in columns:
        values = column.indices if pa.types.is_dictionary(column.type) else column
        if pa.types.is_string(values.type):
            tied[1:] &= pc.equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
        else:
            plain = values.to_numpy(zero_copy_only=False)
            tied[1:] &= plain[1:] == plain[:-1]
    return tied


def _without_ties(
    typed: pa.Table, tied: npt.NDArray[np.bool_], others: Sequence[str], fingerprint: npt.NDArray[np.uint64]
) -> npt.NDArray[np.int64] | None:
    """Rows in full order without repeated ones; None if that changes nothing."""
    rows = np.flatnonzero(tied | np.append(tied[1:], [False]))
    if not len(rows):
        return None
    few = typed.select(list(others)).take(pa.array(rows)).combine_chunks()
    keys = [_sortable(few.column(name).chunk(0)) for name in others]
    keys = [np.cumsum(~tied)[rows], *keys, fingerprint[rows]]
    by_value = np.lexsort(keys[::-1])
    repeated = np.zeros(len(rows), dtype=bool)
    repeated[1:] = True
    for key in keys:
        repeated[1:] &= key[by_value][1:] == key[by_value][:-1]
    if not repeated.any() and np.array_equal(by_value, np.arange(len(rows))):
        return None
    order = np.arange(len(tied), dtype=np.int64)
    order[rows] = rows[by_value]
    wanted = np.ones(len(tied), dtype=bool)
    wanted[rows] = ~repeated
    return order[wanted]


def _sortable(array: pa.Array) -> npt.NDArray[Any]:
    """Numbers in the order of the values, missing ones first."""
    if pa.types.is_string(array.type):
        array = array.dictionary_encode()
    if pa.types.is_dictionary(array.type):
        rank = np.argsort(np.argsort(array.dictionary.to_numpy(zero_copy_only=False)))
        return np.append(rank, -1)[np.asarray(pc.fill_null(array.indices, -1))]
    if pa.types.is_floating(array.type):
        return np.asarray(pc.fill_null(array, -np.inf))
    if pa.types.is_date(array.type):
        array = array.cast(pa.int32())
    return np.asarray(pc.fill_null(array.cast(pa.int64()), np.iinfo(np.int64).min))
