"""Risks straight from Spark tables: persons and dispensings meet by bucket, once; features stay where they arise."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.distributed.canonical import dispensings_of, persons_of
from prodromal.distributed.folder import PROVENANCE
from prodromal.distributed.guard import guarded, spark_errors
from prodromal.distributed.parts import id_type, new_attempts, private_folder
from prodromal.distributed.sent_model import SentModel
from prodromal.errors import DataError, DefinitionError, NotEstimable
from prodromal.features.index_dates import Asked
from prodromal.files import atomic_folder, write_text
from prodromal.register import Part
from prodromal.risk import load
from prodromal.scoring import ScoringAccount
from prodromal.scoring.refusal import refuse_of_part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pyspark.sql import DataFrame

__all__ = ["score_bucket", "score_tables"]

_BUCKET = "prodromal_bucket"


def score_tables(
    bundle: Path,
    persons: DataFrame,
    dispensings: DataFrame,
    day: int,
    output: Path,
    *,
    buckets: int = 200,
    reasons: int = 0,
    replace: bool = False,
    provenance: Mapping[str, str] | None = None,
) -> ScoringAccount:
    """Score everyone on a day from tables in canonical form, without a register.

    Parameters
    ----------
    bundle : Path
        Folder of the model; the driver reads it, executors get its bytes.
    persons, dispensings : DataFrame
        Columns of the canonical tables; see ``read_spark_table``.
    day : int
        Days since 1970-01-01.
    output : Path
        Folder of Parquet files on storage that every executor may write to, one a bucket, persons by id in each. The
        risks are those of a register with the same rows, to the bit.
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
            "day": day,
            "reasons": reasons,
            "folder": str(folder.absolute()),
            "attempts": str(attempts.absolute()),
            "facts": facts,
        }
        account = _run(persons, dispensings, job, buckets)
        if not account.scored:
            raise NotEstimable(f"none of {account.asked} people can be scored ({dict(account.refused)})")
        shutil.rmtree(attempts)
        said = {**facts, **asdict(account)}
        write_text(folder / PROVENANCE, json.dumps(said, indent=1, sort_keys=True) + "\n")
    return account


def score_bucket(job: Mapping[str, Any], persons: pa.Table, dispensings: pa.Table) -> pa.Table:
    """Score a bucket on an executor into a file of its own; done twice, it leaves the same file."""
    bucket = _bucket_of(persons, dispensings)
    people = persons_of(persons)
    batches, counts = dispensings_of(dispensings, people)
    person, day = np.arange(len(people)), np.full(len(people), job["day"], dtype=np.int32)
    part = Part(Path(f"bucket {bucket}"), int(counts.sum()), 0, len(people), "")
    asked = Asked(part, people, counts, person, person, day)
    kept, refused = refuse_of_part(asked)
    if len(kept.day):
        _write(job, bucket, kept, batches)
    account = ScoringAccount(len(asked.day), len(kept.day), refused)
    return pa.table({"bucket": pa.array([bucket], pa.int64()), "found": [json.dumps(asdict(account))]})


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
    _check_ids(persons, dispensings)
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


def _check_ids(persons: DataFrame, dispensings: DataFrame) -> None:
    one, other = (dict(frame.dtypes)["person_id"] for frame in (persons, dispensings))
    if one != other or one not in {"bigint", "string"}:
        raise DataError(
            f"person_id is {one} in persons and {other} in dispensings; cast both to bigint, or both to string"
        )


def _bucket_of(*tables: pa.Table) -> int:
    return next(int(table.column(_BUCKET)[0].as_py()) for table in tables if table.num_rows)
