"""Small registers of consecutive people become the parts of one, cut where one machine cuts them."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from prodromal.distributed.dispatch import run_tasks
from prodromal.distributed.parts import private_folder
from prodromal.distributed.rows import read_rows
from prodromal.distributed.small_register import bucket_folder
from prodromal.files import sha256
from prodromal.register.counts import counts_of
from prodromal.register.order import with_sorted_dictionaries
from prodromal.register.parquet import read_table, write_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt
    from pyspark.sql import SparkSession

__all__ = ["first_people", "join_part", "join_parts", "pieces"]

_Pieces = list[tuple[int, int, int]]


def first_people(rows: npt.NDArray[np.int32], rows_per_part: int) -> list[int]:
    """First person of each part, by the dispensings of each person: a part has as many as fit, at least one person's.

    People without a dispensing go with those before them.
    """
    ends = np.cumsum(rows, dtype=np.int64)
    total = int(ends[-1]) if len(ends) else 0
    first, begun = [0], 0
    while total - begun > rows_per_part:
        person = int(np.searchsorted(ends, begun + rows_per_part, side="right"))
        begins = int(ends[person] - rows[person])
        # Someone with more than a part's rows has one alone.
        begun = begins if begins > begun else int(ends[person])
        if begun == total:
            break
        first.append(int(np.searchsorted(ends, begun, side="right")))
    return first


def pieces(rows_of_parts: Sequence[int], rows_of_buckets: Sequence[int]) -> list[_Pieces]:
    """For each part the rows that it takes from buckets: number of the bucket, first row, and how many."""
    starts = np.concatenate([[0], np.cumsum(rows_of_buckets)])
    found = []
    for low, high in pairwise(np.concatenate([[0], np.cumsum(rows_of_parts)]).tolist()):
        near = range(int(np.searchsorted(starts, low, side="right")) - 1, int(np.searchsorted(starts, high)))
        taken = [(b, max(low, int(starts[b])), min(high, int(starts[b + 1]))) for b in near]
        found.append([(b, begin - int(starts[b]), end - begin) for b, begin, end in taken if end > begin])
    return found


def join_parts(
    spark: SparkSession,
    folder: Path,
    rows: npt.NDArray[np.int32],
    rows_of_buckets: Mapping[int, int],
    *,
    rows_per_part: int,
    staged: Path,
    attempts: Path,
) -> list[dict[str, Any]]:
    """Write the parts of a register on the cluster, a task a part.

    Parameters
    ----------
    spark : SparkSession
    folder : Path
        Of the register.
    rows : ndarray of int32, shape (n_persons,)
        Dispensings of each person.
    rows_of_buckets : mapping of int to int
        Dispensings in the register of each bucket that there is.
    rows_per_part : int
        About how many go into a part.
    staged, attempts : Path
        Folder of the buckets' registers, and of what tasks have not finished.

    Returns
    -------
    list of dict
        What the manifest says of each part.
    """
    first = first_people(rows, rows_per_part)
    people = np.diff([*first, len(rows)])
    of_parts = [int(part.sum()) for part in np.split(rows.astype(np.int64), first[1:])]
    buckets = sorted(rows_of_buckets)
    taken = pieces(of_parts, [rows_of_buckets[bucket] for bucket in buckets])
    (folder / "dispensings").mkdir()
    job = {
        "pieces": [[(buckets[b], begin, count) for b, begin, count in part] for part in taken],
        "of_none": buckets[0],
        "staged": str(staged.absolute()),
        "attempts": str(attempts.absolute()),
        "folder": str(folder.absolute()),
    }
    found = run_tasks(spark, f"{__name__}:join_part", job, len(first))
    places = ({"first_person": f, "persons": int(n)} for f, n in zip(first, people, strict=True))
    return [{**json.loads(text), **place} for text, place in zip(found, places, strict=True)]


def join_part(job: Mapping[str, Any], position: int) -> bytes:
    """Write a part on an executor; done twice, it leaves the same file."""
    path = f"dispensings/part-{position:05d}.parquet"
    part = with_sorted_dictionaries(_joined(job, position))
    with private_folder(job["attempts"]) as private:
        file = private / "part.parquet"
        write_table(part, file)
        entry = {"path": path, "rows": part.num_rows, "bytes": file.stat().st_size, "sha256": sha256(file)}
        file.replace(Path(job["folder"]) / path)
    return json.dumps({**entry, **counts_of(part)}).encode()


def _joined(job: Mapping[str, Any], position: int) -> pa.Table:
    taken = job["pieces"][position]
    if not taken:
        return read_table(_file(job, job["of_none"])).slice(0, 0)
    return pa.concat_tables([read_rows((_file(job, b),), first, count) for b, first, count in taken]).combine_chunks()


def _file(job: Mapping[str, Any], bucket: int) -> Path:
    return bucket_folder(job["staged"], bucket) / "dispensings" / "part-00000.parquet"
