"""Spark tables by name, Parquet folders, and Delta folders by the files that their log calls live."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from prodromal.distributed.delta import delta_files, is_delta
from prodromal.distributed.guard import spark_errors
from prodromal.errors import DataError, DefinitionError
from prodromal.tables import TABLES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

__all__ = ["read_spark_table"]


def read_spark_table(spark: SparkSession, name: str, where: str) -> DataFrame:
    """Open one of the canonical tables.

    Parameters
    ----------
    spark : SparkSession
    name : str
        Canonical table, such as ``dispensings``.
    where : str
        Name of a Spark table, or path of a Parquet file, Parquet folder or Delta folder.

    Returns
    -------
    DataFrame
        Its canonical columns; optional ones that are absent are left out.

    Raises
    ------
    DataError
        If there is no such table, or it lacks a required column.
    DefinitionError
        If there is no canonical table `name`, or a Delta folder needs more than its files.
    """
    if name not in TABLES:
        raise DefinitionError(f"there is no table '{name}'; the tables are {', '.join(TABLES)}")
    table = TABLES[name]
    frame = _opened(spark, where)
    if absent := [column for column in table.required if column not in frame.columns]:
        raise DataError(f"{where}: table {name} has no column {', '.join(absent)}; rename or add it")
    return frame.select(*(column for column in table.names if column in frame.columns))


def _opened(spark: SparkSession, where: str) -> DataFrame:
    path = Path(where)
    if not path.exists():
        if spark.catalog.tableExists(where):
            return spark.table(where)
        raise DataError(f"there is neither a file or folder nor a Spark table {where}")
    files = delta_files(path) if is_delta(path) else (path,)
    with spark_errors():
        return spark.read.parquet(*(str(file.absolute()) for file in files))
