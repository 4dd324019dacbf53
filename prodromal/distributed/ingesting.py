"""From tables on a cluster to a register: the small ones on the driver, dispensings bucket by bucket on executors."""

from __future__ import annotations

import shutil
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.distributed.delivered import Delivered
from prodromal.distributed.joined import join_parts
from prodromal.distributed.manifest import add_dispensings
from prodromal.distributed.parts import new_attempts
from prodromal.distributed.read import open_spark_table
from prodromal.distributed.staged import refuse_faulty, stage
from prodromal.errors import DefinitionError
from prodromal.files import atomic_folder
from prodromal.held import beside, drop, held
from prodromal.sources import Ingested, Relation, Source, TableSource, ingest
from prodromal.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date
    from pathlib import Path

    from pyspark.sql import SparkSession

    from prodromal.tables import Account

__all__ = ["ingest_on_spark"]


def ingest_on_spark(
    spark: SparkSession,
    tables: Mapping[str, str],
    output: Path,
    *,
    extracted_on: date,
    rows_per_part: int = 2_000_000,
    memory: str = "1GB",
    max_rejected: float = 0.001,
    replace: bool = False,
    progress: Callable[[str], None] | None = None,
) -> Ingested:
    """Bring tables in canonical form to a register, whose files are those that ``ingest`` writes, byte for byte.

    Parameters
    ----------
    spark : SparkSession
    tables : mapping of str to str
        Canonical table, ``persons`` and ``dispensings`` at least, to the name of a Spark table or the path of a Parquet
        file, Parquet folder or Delta folder on storage that every executor sees. Other columns than the canonical ones
        count as on one machine: rows that differ in one are not duplicates.
    output : Path
        Folder of the register, on shared storage; it appears complete or not at all.
    extracted_on : date
        The last day that the delivery can contain.
    rows_per_part : int
        About how many dispensings a part holds, and a task works on.
    memory : str
        Memory of the driver's database, and of that in each task; what does not fit goes to disk.
    max_rejected : float
        Largest share of rejected rows (0-1) in any table; above it nothing is published.
    replace : bool
        Whether an existing register may be replaced.
    progress : callable, optional
        Called with one sentence at each step.

    Returns
    -------
    Ingested

    Raises
    ------
    DataError
        If a table is missing, damaged (the message names the file) or lacks a column, or more than `max_rejected` of
        its rows are rejected.
    DefinitionError
        If persons or dispensings are not given, or an executor lacks the package.
    OutputError
        If `output` exists and may not be replaced, cannot be written, or another run is writing it.

    Notes
    -----
    Only the manifest differs from that of one machine, in what it says of the source. The driver holds the persons as
    one machine does; dispensings cross the cluster once, to the task that has their person.
    """
    if missing := {"persons", "dispensings"} - set(tables):
        raise DefinitionError(f"no table given for {', '.join(sorted(missing))}")
    delivery = {name: Delivered.find(name, tables[name]) for name in TABLES if name in tables}
    with ExitStack() as stack:
        own = stack.enter_context(held(beside(output)))
        stack.callback(drop, own)
        scratch = _swept(own, output)
        folder = stack.enter_context(atomic_folder(output, replace=replace))
        job = _Job(spark, delivery, folder, scratch, extracted_on, rows_per_part, memory, max_rejected)
        accounts = job.run(progress or (lambda _: None))
    return Ingested(output, accounts, {})


@dataclass(frozen=True)
class _Job:
    spark: SparkSession
    delivery: Mapping[str, Delivered]
    folder: Path
    scratch: Path
    extracted_on: date
    rows_per_part: int
    memory: str
    max_rejected: float

    def run(self, say: Callable[[str], None]) -> dict[str, Account]:
        """Fill the folder."""
        for one in self.delivery.values():
            open_spark_table(self.spark, one.table, one.where)
        ingested = self._ingest_small(say)
        say("reading dispensings on the cluster")
        delivered = self.delivery["dispensings"]
        sources = delivered.sources(self.spark)
        staged = stage(
            self.spark,
            delivered,
            self.folder / "persons.parquet",
            self.scratch,
            extracted_on=self.extracted_on,
            rows_per_bucket=self.rows_per_part,
            memory=self.memory,
        )
        refuse_faulty(staged.account, self.max_rejected)
        say("writing dispensings on the cluster")
        parts = join_parts(
            self.spark,
            self.folder,
            staged.rows,
            staged.kept,
            rows_per_part=self.rows_per_part,
            staged=self.scratch,
            attempts=new_attempts(self.scratch),
        )
        add_dispensings(self.folder, parts, staged, sources, self.delivery)
        return {**ingested.accounts, "dispensings": staged.account}

    def _ingest_small(self, say: Callable[[str], None]) -> Ingested:
        """Make a register of all but the dispensings, as one machine does."""
        small = [one for name, one in self.delivery.items() if name != "dispensings"]
        tables = (TableSource(one.table, one.local_files(self.spark, self.scratch)) for one in small)
        source = Source(
            (*tables, TableSource("dispensings", relation=_ELSEWHERE)),
            self.extracted_on,
            max_rejected=self.max_rejected,
            name="spark",
            settings={"tables": {name: one.name for name, one in self.delivery.items()}},
        )
        made = self.scratch / "register"

        def of_small(step: str) -> None:
            if not step.endswith(" dispensings"):
                say(step)

        ingested = ingest(source, made, memory=self.memory, rows_per_part=self.rows_per_part, progress=of_small)
        self.folder.rmdir()
        made.rename(self.folder)
        shutil.rmtree(self.folder / "dispensings")
        return ingested


# One row that is left out: executors read the dispensings.
_ELSEWHERE = Relation(
    "SELECT '' AS person_id, DATE '2000-01-01' AS dispensed_on, '' AS atc, 'read_on_executors' AS _left_out_"
)


def _swept(own: Path, output: Path) -> Path:
    """An empty scratch folder; what a killed ingest of the same output left behind goes."""
    for left in [own / "scratch", *output.parent.glob(f".{output.name}.*.tmp")]:
        shutil.rmtree(left, ignore_errors=True)
    (own / "scratch").mkdir()
    return own / "scratch"
