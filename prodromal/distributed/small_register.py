"""The rows of a bucket become a small register on the executor that has them, by the ingest of one machine."""

from __future__ import annotations

import json
import shutil
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prodromal.distributed.dealing import BUCKET
from prodromal.distributed.parts import private_folder
from prodromal.distributed.rows import read_rows
from prodromal.errors import DataError
from prodromal.register import Register
from prodromal.sources import Relation, Source, TableSource, ingest
from prodromal.sources.relation import ROW as PLACE

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb
    import numpy as np
    import numpy.typing as npt

__all__ = ["bucket_folder", "ingest_bucket", "rows_of_people"]

_NEEDED = ("person_id", "sex", "birth_date", "observed_from", "observed_to", "death_date")
_ONE_PART = 2**62


def bucket_folder(staged: str | Path, bucket: int) -> Path:
    """Where the register of a bucket lies."""
    return Path(staged) / f"bucket-{bucket:05d}"


def ingest_bucket(job: Mapping[str, Any], rows: pa.Table) -> pa.Table:
    """Make the register of a bucket on an executor; done twice, the first one stays.

    Parameters
    ----------
    job : mapping
        ``persons`` (file), ``slices`` (first row and number of each bucket's people), ``witness``, ``extracted_on``,
        ``memory``, ``attempts``, ``staged``.
    rows : Table
        Dispensings with their place and bucket.

    Returns
    -------
    Table
        ``bucket``, and ``found``: the account as JSON.
    """
    bucket = int(rows.column(BUCKET)[0].as_py())
    first, count = job["slices"][bucket]
    people = _people(Path(job["persons"]), first, count, job["witness"])
    # The order in which one machine reads them: of rows that are equal the first counts.
    ordered = rows.drop_columns([BUCKET]).sort_by(PLACE)
    target = bucket_folder(job["staged"], bucket)
    with TemporaryDirectory() as local, private_folder(job["attempts"]) as private:
        made = Path(local) / "register"
        ingest(
            _source(people, ordered, job["extracted_on"]),
            made,
            threads=1,
            memory=job["memory"],
            rows_per_part=_ONE_PART,
        )
        if Register.open(made).manifest["persons"] != people.num_rows:
            raise DataError("persons that the driver kept were not kept by an executor: it has another prodromal")
        _publish(made, private, target)
    account = Register.open(target).manifest["account"]["dispensings"]
    return pa.table({"bucket": pa.array([bucket], pa.int64()), "found": [json.dumps(account)]})


def rows_of_people(staged: Path, bucket: int, people: int, *, witness_first: bool) -> npt.NDArray[np.int32]:
    """How many dispensings each of a bucket's people has, without the witness."""
    rows = Register.open(bucket_folder(staged, bucket)).rows_per_person
    return rows[1:] if witness_first and len(rows) > people else rows[:people]


def _people(file: Path, first: int, count: int, witness: int | None) -> pa.Table:
    """The people of a bucket; and one whose id is text, if any is, so that the ids are text in every bucket."""
    pieces = [read_rows((file,), first, count, columns=_NEEDED)]
    if witness is not None and not first <= witness < first + count:
        pieces.append(read_rows((file,), witness, 1, columns=_NEEDED))
    sexes = [piece.column("sex").cast(pa.string()) for piece in pieces]
    place = _NEEDED.index("sex")
    return pa.concat_tables([piece.set_column(place, "sex", sex) for piece, sex in zip(pieces, sexes, strict=True)])


def _source(people: pa.Table, rows: pa.Table, extracted_on: str) -> Source:
    def prepare(connection: duckdb.DuckDBPyConnection) -> None:
        connection.register("people_of_bucket", people)
        connection.register("rows_of_bucket", rows)

    return Source(
        (
            TableSource("persons", relation=Relation("SELECT * FROM people_of_bucket")),
            TableSource("dispensings", relation=Relation("SELECT * FROM rows_of_bucket")),
        ),
        extracted_on=date.fromisoformat(extracted_on),
        # Whether too many are rejected is told of all buckets together.
        max_rejected=1.0,
        name="spark",
        prepare=prepare,
    )


def _publish(made: Path, private: Path, target: Path) -> None:
    copied = Path(shutil.copytree(made, private / "register"))
    try:
        copied.rename(target)
    except OSError:
        if not target.is_dir():
            raise
