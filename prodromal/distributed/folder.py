"""A Parquet folder with a file per part, each written by the task that made it; it appears complete or not at all."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.distributed.dispatch import run_tasks
from prodromal.distributed.parts import Shared, new_attempts, private_folder, slices_of
from prodromal.errors import NotEstimable
from prodromal.files import atomic_folder, write_text
from prodromal.scoring import ScoringAccount

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from prodromal.features import IndexFile
    from prodromal.features.index_dates import Everyone
    from prodromal.register import Register

__all__ = ["PROVENANCE", "told", "write_folder", "write_part"]

# Readers of Parquet folders leave out names that begin so.
PROVENANCE = "_provenance.json"


def write_folder(
    spark: SparkSession,
    task: str,
    job: Mapping[str, Any],
    register: Register,
    dates: Everyone | IndexFile,
    output: Path,
    *,
    replace: bool,
    facts: Mapping[str, str],
    beside: Mapping[str, str],
) -> ScoringAccount:
    """Run a task for every part of a register, and publish the folder that the tasks filled.

    Parameters
    ----------
    spark : SparkSession
    task : str
        ``module:function``; called with the job, to which ``shared``, ``slices``, ``folder`` and ``facts`` are added,
        and a position; gives what ``told`` makes.
    job : mapping
        Plain values.
    register, dates
        Whose parts.
    output : Path
        Folder, on storage that every executor may write to.
    replace : bool
        Whether an existing folder may be replaced.
    facts : mapping
        Written into the metadata of every file, and as ``_provenance.json``.
    beside : mapping
        Texts of further files.

    Raises
    ------
    NotEstimable
        If the tasks wrote no row.
    """
    with atomic_folder(output, replace=replace) as folder:
        attempts = new_attempts(folder)
        slices = slices_of(register, dates)
        shared = asdict(Shared.of(register, dates, attempts))
        whole = {**job, "shared": shared, "slices": slices, "folder": str(folder.absolute()), "facts": dict(facts)}
        accounts = [ScoringAccount(**json.loads(text)) for text in run_tasks(spark, task, whole, len(slices))]
        account = ScoringAccount.total(accounts)
        if not account.scored:
            raise NotEstimable(f"none of the {account.asked} index dates can be worked on ({dict(account.refused)})")
        shutil.rmtree(attempts)
        said = {**facts, "asked": account.asked, "written": account.scored, "refused": account.refused}
        write_text(folder / PROVENANCE, json.dumps(said, indent=1, sort_keys=True) + "\n")
        for name, text in beside.items():
            write_text(folder / name, text)
    return account


def write_part(job: Mapping[str, Any], number: int, schema: pa.Schema, tables: Iterable[pa.Table]) -> None:
    """Write the file of a part on an executor; done twice, it leaves the same file."""
    attempts, name = job["shared"]["attempts"], f"part-{number:05d}.parquet"
    whole = schema.with_metadata({f"prodromal.{key}": value for key, value in job["facts"].items()})
    with private_folder(attempts) as private:
        with pq.ParquetWriter(private / name, whole, compression="zstd", write_page_checksum=True) as writer:
            for table in tables:
                writer.write_table(table.cast(whole))
        (private / name).replace(f"{job['folder']}/{name}")


def told(account: ScoringAccount) -> bytes:
    """What a task gives back."""
    return json.dumps(asdict(account)).encode()
