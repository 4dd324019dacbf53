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

__all__ = ["open_spark_table", "read_index_dates", "read_spark_table"]


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
    frame = open_spark_table(spark, name, where)
    return frame.select(*(column for column in TABLES[name].names if column in frame.columns))


def open_spark_table(spark: SparkSession, name: str, where: str) -> DataFrame:
    """The same with all the columns that the table has."""
    if name not in TABLES:
        raise DefinitionError(f"there is no table '{name}'; the tables are {', '.join(TABLES)}")
    frame = _opened(spark, where)
    if absent := [column for column in TABLES[name].required if column not in frame.columns]:
        raise DataError(f"{where}: table {name} has no column {', '.join(absent)}; rename or add it")
    return frame


def read_index_dates(spark: SparkSession, where: str) -> DataFrame:
    """Open index dates: ``person_id`` and ``index_date``, in any order, several dates a person allowed.

    Raises
    ------
    DataError
        If there is no such table, or it lacks a column.
    """
    from pyspark.sql import functions

    frame = _opened(spark, where)
    if absent := [column for column in ("person_id", "index_date") if column not in frame.columns]:
        raise DataError(f"{where}: index dates have no column {', '.join(absent)}; rename or add it")
    return frame.select("person_id", functions.col("index_date").try_cast("date").alias("index_date"))


def _opened(spark: SparkSession, where: str) -> DataFrame:
    path = Path(where)
    if not path.exists():
        if spark.catalog.tableExists(where):
            return spark.table(where)
        raise DataError(f"there is neither a file or folder nor a Spark table {where}")
    files = delta_files(path) if is_delta(path) else (path,)
    with spark_errors():
        return spark.read.parquet(*(str(file.absolute()) for file in files))
