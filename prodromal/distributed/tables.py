"""Risks straight from Spark tables: persons and dispensings meet by bucket, once; features stay where they arise."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from prodromal.distributed.canonical import dispensings_of, persons_of, rows_of
from prodromal.distributed.folder import PROVENANCE
from prodromal.distributed.guard import guarded, spark_errors
from prodromal.distributed.parts import id_type, new_attempts, private_folder
from prodromal.distributed.sent_model import SentModel
from prodromal.errors import DataError, DefinitionError, NotEstimable
from prodromal.features.index_dates import Asked
from prodromal.files import atomic_folder, write_text
from prodromal.register import Part
from prodromal.register.persons import UNKNOWN_DAY, to_days
from prodromal.risk import load
from prodromal.scoring import ScoringAccount
from prodromal.scoring.refusal import refuse_of_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt
    from pyspark.sql import DataFrame

    from prodromal.register import Persons

__all__ = ["score_bucket", "score_tables"]

_BUCKET, _ASKED = "prodromal_bucket", "prodromal_asked"


def score_tables(
    bundle: Path,
    persons: DataFrame,
    dispensings: DataFrame,
    dates: int | DataFrame,
    output: Path,
    *,
    buckets: int = 200,
    reasons: int = 0,
    replace: bool = False,
    provenance: Mapping[str, str] | None = None,
) -> ScoringAccount:
    """Score people from tables in canonical form, without a register.

    Parameters
    ----------
    bundle : Path
        Folder of the model; the driver reads it, executors get its bytes.
    persons, dispensings : DataFrame
        Columns of the canonical tables; see ``read_spark_table``.
    dates : int or DataFrame
        Everyone on a day, in days since 1970-01-01; or ``person_id`` and ``index_date``, see ``read_index_dates``.
    output : Path
        Folder of Parquet files on storage that every executor may write to, one a bucket, by person and date in each.
        The risks are those of a register with the same persons and dispensings, to the bit; nobody is known to have
        a diagnosis.
    buckets : int
        Into how many lots people are dealt; a lot must fit into a worker's memory.
    reasons : int
        How many columns ``reason_1..`` stand beside each risk.
    replace : bool
        Whether an existing folder may be replaced.
    provenance : mapping, optional
        Written into every file's metadata.

    Returns
    -------
    ScoringAccount

    Raises
    ------
    DataError
        If ids have other types in the two tables, or rows break a rule of the canonical tables: nothing is published.
    DefinitionError
        If `buckets` is not positive, or an executor lacks the package or has other versions than the driver.
    NotEstimable
        If nobody can be scored.
    OutputError
        If the output exists or cannot be written.
    """
    if buckets < 1:
        raise DefinitionError(f"{buckets} buckets: at least one is needed")
    sent = SentModel.of(bundle, load(bundle))
    facts = dict(provenance or {})
    with atomic_folder(output, replace=replace) as folder:
        attempts = new_attempts(folder)
        job = {
            "sent": (sent.files, sent.fingerprint),
            "day": dates if isinstance(dates, int) else None,
            "reasons": reasons,
            "folder": str(folder.absolute()),
            "attempts": str(attempts.absolute()),
            "facts": facts,
        }
        account = _run(_with_dates(persons, dates), dispensings, job, buckets)
        if not account.scored:
            raise NotEstimable(f"none of {account.asked} index dates can be scored ({dict(account.refused)})")
        shutil.rmtree(attempts)
        said = {**facts, **asdict(account)}
        write_text(folder / PROVENANCE, json.dumps(said, indent=1, sort_keys=True) + "\n")
    return account


def score_bucket(job: Mapping[str, Any], persons: pa.Table, dispensings: pa.Table) -> pa.Table:
    """Score a bucket on an executor into a file of its own; done twice, it leaves the same file."""
    bucket = _bucket_of(persons, dispensings)
    persons, dates = _apart(persons)
    people = persons_of(persons)
    batches, counts = dispensings_of(dispensings, people)
    part = Part(Path(f"bucket {bucket}"), int(counts.sum()), 0, len(people), "")
    asked, unknown = _asked(part, people, counts, dates if job["day"] is None else job["day"])
    kept, refused = refuse_of_part(asked, None)
    if len(kept.day):
        _write(job, bucket, kept, batches)
    account = ScoringAccount(len(asked.day) + sum(unknown.values()), len(kept.day), {**unknown, **refused})
    return pa.table({"bucket": pa.array([bucket], pa.int64()), "found": [json.dumps(asdict(account))]})


def _asked(
    part: Part, people: Persons, counts: npt.NDArray[np.int32], dates: int | pa.Table
) -> tuple[Asked, dict[str, int]]:
    """The index dates of a bucket by person and day, and how many are of people whom nobody knows."""
    if isinstance(dates, int):
        person, days = np.arange(len(people)), np.full(len(people), dates, dtype=np.int32)
        return Asked(part, people, counts, person, person, days), {}
    day = to_days(dates.column("index_date"), UNKNOWN_DAY)
    if missing := int((day == UNKNOWN_DAY).sum()):
        raise DataError(f"index dates: {missing} of {len(day)} rows of a bucket have no index_date")
    row = rows_of(dates.column("person_id"), people)
    unknown = int((row < 0).sum())
    order = np.lexsort((day, row))[unknown:]
    asked = Asked(part, people, counts, np.arange(len(order)), row[order], day[order])
    return asked, {"unknown_person": unknown} if unknown else {}


def _apart(persons: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Persons, and index dates where some came with them."""
    if _ASKED not in persons.column_names:
        return persons, persons.slice(0, 0)
    return persons.filter(pc.invert(persons.column(_ASKED))), persons.filter(persons.column(_ASKED))


def _write(job: Mapping[str, Any], bucket: int, kept: Asked, batches: list[pa.RecordBatch]) -> None:
    scorer = SentModel(*job["sent"]).scorer(job["reasons"])
    reader = scorer.builder.reader
    wanted = (batch.select(list(reader.columns)) for batch in batches)
    history = reader.gather(wanted, kept.rows, str(kept.part.path))
    facts = {f"prodromal.{key}": value for key, value in job["facts"].items()}
    schema = scorer.schema(id_type(kept.people)).with_metadata(facts)
    name = f"part-{bucket:05d}.parquet"
    with private_folder(job["attempts"]) as private:
        with pq.ParquetWriter(private / name, schema, compression="zstd", write_page_checksum=True) as writer:
            for table in scorer.tables(kept.people, history, kept.person, kept.day):
                writer.write_table(table.cast(schema))
        (private / name).replace(f"{job['folder']}/{name}")


def _run(persons: DataFrame, dispensings: DataFrame, job: Mapping[str, Any], buckets: int) -> ScoringAccount:
    _check_ids(persons, dispensings, "dispensings")
    with spark_errors():
        left, right = (_dealt(frame, buckets).groupBy(_BUCKET) for frame in (persons, dispensings))
        call = _of_pair(guarded(f"{__name__}:score_bucket", job))
        found = left.cogroup(right).applyInArrow(call, "bucket long, found string").toArrow().sort_by("bucket")
    return ScoringAccount.total(ScoringAccount(**json.loads(text)) for text in found.column("found").to_pylist())


def _dealt(frame: DataFrame, buckets: int) -> DataFrame:
    from pyspark.sql import functions

    return frame.withColumn(_BUCKET, functions.pmod(functions.xxhash64("person_id"), functions.lit(buckets)))


def _of_pair(call: Callable[..., pa.Table]) -> Callable[[pa.Table, pa.Table], pa.Table]:
    def run(persons: pa.Table, dispensings: pa.Table) -> pa.Table:
        return call(persons, dispensings)

    return run


def _with_dates(persons: DataFrame, dates: int | DataFrame) -> DataFrame:
    """Persons and, as further rows, index dates, so that both meet dispensings by one shuffle."""
    if isinstance(dates, int):
        return persons
    from pyspark.sql import functions

    _check_ids(persons, dates, "index dates")
    marked = (frame.withColumn(_ASKED, functions.lit(frame is dates)) for frame in (persons, dates))
    one, other = marked
    return one.unionByName(other, allowMissingColumns=True)


def _check_ids(persons: DataFrame, others: DataFrame, name: str) -> None:
    one, other = (dict(frame.dtypes)["person_id"] for frame in (persons, others))
    if one != other or one not in {"bigint", "string"}:
        raise DataError(f"person_id is {one} in persons and {other} in {name}; cast both to bigint, or both to string")


def _bucket_of(*tables: pa.Table) -> int:
    return next(int(table.column(_BUCKET)[0].as_py()) for table in tables if table.num_rows)
