"""A table of a delivery to a cluster: where it lies, its files, and the place of each of its rows in them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prodromal.distributed.delta import decoded, delta_files, is_delta
from prodromal.distributed.dispatch import run_tasks
from prodromal.distributed.guard import spark_errors
from prodromal.distributed.read import open_spark_table
from prodromal.errors import DataError
from prodromal.files import sha256

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["FILE", "PLACE_BITS", "ROW", "Delivered", "places", "source_file"]

FILE, ROW = "prodromal_file", "prodromal_row"
# A place is the number of the file, shifted by so many bits, and the number of the row in it, from 1.
PLACE_BITS = 40


@dataclass(frozen=True)
class Delivered:
    """A table of a delivery.

    Parameters
    ----------
    table : str
        Canonical table.
    where : str
        Name of a Spark table, or path of a Parquet file, Parquet folder or Delta folder.
    files : tuple of Path
        Its files in their order; none of a table by name.
    """

    table: str
    where: str
    files: tuple[Path, ...]

    @classmethod
    def find(cls, table: str, where: str) -> Delivered:
        """Look for the files.

        Raises
        ------
        DataError
            If a folder holds no Parquet file.
        """
        path = Path(where)
        if not path.exists():
            return cls(table, where, ())
        if is_delta(path):
            return cls(table, where, tuple(file.absolute() for file in delta_files(path)))
        found = (
            (path,) if path.is_file() else tuple(sorted(f for f in path.rglob("*.parquet") if f.name[0] not in "._"))
        )
        if not found:
            raise DataError(f"{where} holds no Parquet file of table {table}")
        return cls(table, where, tuple(file.absolute() for file in found))

    @property
    def name(self) -> str:
        """How the manifest calls it."""
        return Path(self.where).name if self.files else self.where

    @property
    def is_simulated(self) -> bool:
        """Whether it comes from ``prodromal simulate``, which leaves its account beside what it writes."""
        folders = {folder for file in self.files for folder in (file.parent, file.parent.parent)}
        return any((folder / "simulation.json").is_file() for folder in folders)

    def frame(self, spark: SparkSession) -> DataFrame:
        """All its columns, and for each row its file and its number there, from 0; missing in a table by name."""
        from pyspark.sql import functions

        frame = open_spark_table(spark, self.table, self.where)
        if self.files:
            frame = spark.read.parquet(*map(str, self.files))
            place = functions.col("_metadata.file_path"), functions.col("_metadata.row_index")
        else:
            place = functions.lit(None).cast("string"), functions.lit(None).cast("long")
        return frame.select("*", place[0].alias(FILE), place[1].alias(ROW))

    def local_files(self, spark: SparkSession, scratch: Path) -> tuple[Path, ...]:
        """Its files; of a table by name, those that the cluster writes to `scratch`."""
        if self.files:
            return self.files
        place = scratch / self.table
        with spark_errors():
            open_spark_table(spark, self.table, self.where).write.parquet(str(place.absolute()))
        return tuple(sorted(place.glob("*.parquet")))

    def sources(self, spark: SparkSession) -> list[dict[str, Any]]:
        """What the manifest says of it: its files, hashed on the cluster where every page is verified, or its name.

        Raises
        ------
        DataError
            Naming a file that is damaged or would unpack to far more than its size.
        """
        job = {"files": tuple(map(str, self.files))}
        found = run_tasks(spark, f"{__name__}:source_file", job, len(self.files))
        return [{"table": self.table, **json.loads(text)} for text in found] or [self.by_name]

    @property
    def by_name(self) -> dict[str, Any]:
        """What the manifest says of a table by name."""
        return {"table": self.table, "spark_table": self.where}


def source_file(job: Mapping[str, Any], position: int) -> bytes:
    """Verify and hash a file on an executor."""
    from prodromal.sources.pages import verify_pages

    file = Path(job["files"][position])
    verify_pages(file)
    facts = {"file": file.name, "bytes": file.stat().st_size, "sha256": sha256(file)}
    return json.dumps(facts).encode()


def places(files: tuple[str, ...], file: pa.Array, row: pa.Array) -> npt.NDArray[np.int64]:
    """Places of rows, by the file and number that Spark tells; 0, 1, ... where it tells none.

    Parameters
    ----------
    files : tuple of str
        Absolute paths, in their order.
    file, row : Array
        Columns ``FILE`` and ``ROW``.
    """
    if not files:
        return np.arange(len(row), dtype=np.int64)
    named = file.dictionary_encode()
    known = _numbers(files)
    numbers = np.array([known[_path(text)] for text in named.dictionary.to_pylist()], dtype=np.int64)
    found: npt.NDArray[np.int64] = (numbers[named.indices.to_numpy()] << PLACE_BITS) + pc.add(row, 1).to_numpy()
    return found


@lru_cache(maxsize=4)
def _numbers(files: tuple[str, ...]) -> dict[str, int]:
    return {path: number for number, path in enumerate(files)}


def _path(address: str) -> str:
    return "/" + decoded(address.removeprefix("file:")).lstrip("/")
