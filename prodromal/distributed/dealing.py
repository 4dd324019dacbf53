"""Rows dealt to buckets of consecutive people: each bucket has all rows of its people, in the order of ids."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prodromal.distributed.delivered import FILE, ROW, places
from prodromal.distributed.guard import guarded
from prodromal.errors import DefinitionError
from prodromal.sources.relation import ROW as PLACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import numpy.typing as npt
    from pyspark.sql import DataFrame

__all__ = ["BUCKET", "Buckets", "deal", "dealt", "is_whole_number"]

BUCKET = "prodromal_bucket"
# As ids are told to be numbers when persons are staged, and what is trimmed off them there.
_WHOLE_NUMBER = "^(?:0|-?[1-9][0-9]{0,17})$"
_BLANKS = "".join(map(chr, (0x20, 0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
_ID_TYPES = {"bigint", "int", "smallint", "tinyint", "string"}


@dataclass(frozen=True)
class Buckets:
    """Consecutive people of the persons table, about equally many in each bucket.

    Parameters
    ----------
    first_rows : tuple of int
        Row of the first person of each bucket.
    people : int
        In all.
    """

    first_rows: tuple[int, ...]
    people: int

    @classmethod
    def of(cls, people: int, number: int) -> Buckets:
        """Divide people into at most `number` buckets."""
        number = max(1, min(number, people))
        return cls(tuple(people * bucket // number for bucket in range(number)), people)

    def slice_(self, bucket: int) -> tuple[int, int]:
        """First row of a bucket's people, and how many they are."""
        first = self.first_rows[bucket]
        end = self.first_rows[bucket + 1] if bucket + 1 < len(self.first_rows) else self.people
        return first, end - first

    def __len__(self) -> int:
        return len(self.first_rows)


def is_whole_number(text: str) -> bool:
    """Whether an id may be one of a register whose ids are numbers."""
    return re.fullmatch(_WHOLE_NUMBER, text) is not None


def dealt(frame: DataFrame, first_ids: list[Any], files: tuple[str, ...]) -> DataFrame:
    """Rows with their place and bucket.

    Parameters
    ----------
    frame : DataFrame
        From ``Delivered.frame``.
    first_ids : list of int or str
        First id of each bucket, as the persons table has them.
    files : tuple of str
        Of the table.

    Raises
    ------
    DefinitionError
        If ids are neither whole numbers nor text.
    """
    from pyspark.sql.types import LongType, StructField, StructType

    kind = dict(frame.dtypes)["person_id"]
    if kind not in _ID_TYPES:
        raise DefinitionError(f"person_id of dispensings is {kind}; cast it to bigint or string")
    kept = [field for field in frame.schema.fields if field.name not in {FILE, ROW}]
    schema = StructType([*kept, StructField(PLACE, LongType()), StructField(BUCKET, LongType())])
    call = guarded(f"{__name__}:deal", {"first_ids": first_ids, "files": files})
    return frame.mapInArrow(_by_batch(call), schema)


def deal(job: Mapping[str, Any], batch: pa.RecordBatch) -> pa.RecordBatch:
    """Tell the places and buckets of rows on an executor."""
    place = places(job["files"], batch.column(FILE), batch.column(ROW))
    bucket = _buckets(batch.column("person_id"), job["first_ids"])
    kept = batch.drop_columns([FILE, ROW])
    return kept.append_column(PLACE, pa.array(place)).append_column(BUCKET, pa.array(bucket))


def _by_batch(call: Callable[..., Any]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield call(batch)

    return run


def _buckets(ids: pa.Array, first_ids: list[Any]) -> npt.NDArray[np.int64]:
    """Bucket of each id; rows whose id names nobody go anywhere, for they are rejected there."""
    if isinstance(first_ids[0], str):
        distinct = pc.utf8_trim(ids.cast(pa.string()), characters=_BLANKS).dictionary_encode()
        found = _places(np.array(first_ids, dtype=object), distinct.dictionary.to_numpy(zero_copy_only=False))
        buckets: npt.NDArray[np.int64] = np.append(found, 0)[pc.fill_null(distinct.indices, -1).to_numpy()]
        return buckets
    if pa.types.is_string(ids.type) or pa.types.is_large_string(ids.type):
        text = pc.utf8_trim(ids, characters=_BLANKS)
        whole = pc.fill_null(pc.match_substring_regex(text, _WHOLE_NUMBER), False)
        ids = pc.if_else(whole, text, pa.scalar(None, text.type))
    numbers = pc.fill_null(ids.cast(pa.int64()), first_ids[0]).to_numpy()
    return _places(np.array(first_ids, dtype=np.int64), numbers)


def _places(first_ids: npt.NDArray[Any], ids: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.maximum(np.searchsorted(first_ids, ids, side="right") - 1, 0).astype(np.int64)
