"""Dispensings in parts of whole persons: where they are cut, and what is noted of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prodromal.files import sha256

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["PartDone", "rows_per_person", "whole_persons"]


@dataclass(frozen=True)
class PartDone:
    """A part that is written.

    Parameters
    ----------
    entry : mapping
        What the manifest says of it.
    next_id : int or str, optional
        First id of the next part; None for the last.
    repairs : mapping of str to int
        Its rows by their bits of repairs.
    """

    entry: Mapping[str, Any]
    next_id: int | str | None
    repairs: Mapping[str, int]

    def is_intact(self, folder: Path) -> bool:
        """Whether the file is still there as it was written."""
        file = folder / self.entry["path"]
        return file.is_file() and bool(sha256(file) == self.entry["sha256"])


def rows_per_person(sorted_ids: pa.ChunkedArray, ids: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """How many rows each person has; features find a person's rows by it without reading an id."""
    runs = pc.run_end_encode(sorted_ids.combine_chunks(), run_end_type=pa.int64())
    counts = np.zeros(len(ids), dtype=np.int32)
    for run in [runs] if isinstance(runs, pa.Array) else runs.chunks:
        places = np.searchsorted(ids, run.values.to_numpy(zero_copy_only=False))
        counts[places] += np.diff(run.run_ends.to_numpy(), prepend=0).astype(np.int32)
    return counts


def whole_persons(
    chunks: Iterable[pa.Table], schema: pa.Schema, rows_per_part: int
) -> Iterator[tuple[pa.Table, Any | None]]:
    """Parts of about `rows_per_part` rows that split no person, each with the first id of the next part.

    Where a part ends does not depend on the rows before it, so that the rest can be cut by itself.
    """
    pending = schema.empty_table()
    for chunk in chunks:
        pending = pa.concat_tables([pending, chunk])
        while pending.num_rows > rows_per_part:
            ids = pending.column("person_id").combine_chunks()
            boundary = pc.index(ids, ids[rows_per_part]).as_py()
            if boundary == 0:
                others = pc.not_equal(ids, ids[0])
                boundary = pc.index(others, value=True).as_py()
            if boundary < 0:
                break
            yield pending.slice(0, boundary).combine_chunks(), ids[boundary].as_py()
            pending = pending.slice(boundary).combine_chunks()
    yield pending.combine_chunks(), None
