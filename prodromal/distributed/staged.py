"""Dispensings staged on a cluster: dealt to the buckets of their people, and each bucket made a small register."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.distributed.dealing import BUCKET, Buckets, dealt, is_whole_number
from prodromal.distributed.guard import guarded, spark_errors
from prodromal.distributed.parts import new_attempts
from prodromal.distributed.small_register import bucket_folder, rows_of_people
from prodromal.errors import DataError
from prodromal.register.parquet import read_table
from prodromal.sources.rejections import refuse_too_many
from prodromal.tables import Account

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import date
    from pathlib import Path

    import numpy.typing as npt
    import pyarrow as pa
    from pyspark.sql import SparkSession

    from prodromal.distributed.delivered import Delivered

__all__ = ["Staged", "refuse_faulty", "stage", "total"]

_TASK = "prodromal.distributed.small_register:ingest_bucket"


@dataclass(frozen=True)
class Staged:
    """Registers of buckets.

    Parameters
    ----------
    account : Account
        Of all dispensings.
    rows : ndarray of int32, shape (n_persons,)
        Dispensings of each person.
    kept : mapping of int to int
        Dispensings in the register of each bucket that has one, by bucket.
    rejected : tuple of Path
        Files of rejected rows, where there are any.
    """

    account: Account
    rows: npt.NDArray[np.int32]
    kept: Mapping[int, int]
    rejected: tuple[Path, ...]


def stage(
    spark: SparkSession,
    delivered: Delivered,
    persons: Path,
    folder: Path,
    *,
    extracted_on: date,
    rows_per_bucket: int,
    memory: str,
) -> Staged:
    """Stage a delivery's dispensings.

    Parameters
    ----------
    spark : SparkSession
    delivered : Delivered
        The dispensings.
    persons : Path
        Persons of the register, on storage that every executor sees.
    folder : Path
        For the buckets' registers, on the same storage.
    extracted_on : date
        The last day that the delivery can contain.
    rows_per_bucket : int
        About how many rows a task works on.
    memory : str
        Memory of a task's database.

    Raises
    ------
    DataError
        If there are no persons, or rows went missing on the way.
    """
    ids = read_table(persons, ["person_id"]).column("person_id")
    if not len(ids):
        raise DataError("persons: no row is kept")
    frame = delivered.frame(spark)
    with spark_errors():
        rows = frame.count()
    buckets = Buckets.of(len(ids), -(-rows // rows_per_bucket))
    witness = _witness(ids)
    job = {
        "persons": str(persons.absolute()),
        "slices": [buckets.slice_(bucket) for bucket in range(len(buckets))],
        "witness": witness,
        "extracted_on": extracted_on.isoformat(),
        "memory": memory,
        "attempts": str(new_attempts(folder).absolute()),
        "staged": str(folder.absolute()),
    }
    first_ids = [ids[row].as_py() for row in buckets.first_rows]
    with spark_errors():
        of_bucket = dealt(frame, first_ids, tuple(map(str, delivered.files))).groupBy(BUCKET)
        call = _of_bucket(guarded(_TASK, job))
        found = of_bucket.applyInArrow(call, "bucket long, found string").toArrow()
    told = zip(found.column("bucket").to_pylist(), found.column("found").to_pylist(), strict=True)
    accounts = {bucket: Account("dispensings", **json.loads(text)) for bucket, text in sorted(told)}
    whole = total("dispensings", accounts.values())
    if whole.read != rows:
        raise DataError(f"dispensings: {rows} rows were counted but {whole.read} read; the table changed meanwhile")
    return Staged(
        whole,
        _rows(folder, buckets, accounts, witness),
        {bucket: account.kept for bucket, account in accounts.items()},
        tuple(bucket_folder(folder, b) / "rejected.parquet" for b, account in accounts.items() if account.rejected),
    )


def refuse_faulty(account: Account, max_rejected: float) -> None:
    """Stop before anything is published if there are no rows or too many of them are rejected.

    Raises
    ------
    DataError
        With the reasons and how many rows each has.
    """
    if account.read == 0:
        raise DataError("table dispensings has no rows")
    refuse_too_many(account, max_rejected)


def total(table: str, accounts: Iterable[Account]) -> Account:
    """The account of rows that were accounted for in several lots."""
    several = list(accounts)

    def rows(name: str) -> int:
        return sum(getattr(account, name) for account in several)

    def by_reason(name: str) -> dict[str, int]:
        return dict(sum((Counter(getattr(account, name)) for account in several), Counter()))

    return Account(
        table,
        read=rows("read"),
        kept=rows("kept"),
        duplicate=rows("duplicate"),
        rejected=by_reason("rejected"),
        repaired=by_reason("repaired"),
        left_out=by_reason("left_out"),
        expanded=rows("expanded"),
    )


def _witness(ids: pa.ChunkedArray) -> int | None:
    """Row of a person whose id is text, if there is one; all ids are text then."""
    if str(ids.type) == "int64":
        return None
    return next(row for row, id_ in enumerate(ids) if not is_whole_number(id_.as_py()))


def _rows(
    folder: Path, buckets: Buckets, accounts: Mapping[int, Account], witness: int | None
) -> npt.NDArray[np.int32]:
    """Dispensings of each person; none where a bucket got no row."""
    whole = np.zeros(buckets.people, dtype=np.int32)
    for bucket in accounts:
        first, count = buckets.slice_(bucket)
        before = witness is not None and witness < first
        whole[first : first + count] = rows_of_people(folder, bucket, count, witness_first=before)
    return whole


def _of_bucket(call: Callable[..., pa.Table]) -> Callable[[pa.Table], pa.Table]:
    def run(rows: pa.Table) -> pa.Table:
        return call(rows)

    return run
