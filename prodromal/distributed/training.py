"""A model of matched sets whose features a cluster computes: only the rows drawn come to the driver."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prodromal.design import read_cohort
from prodromal.distributed.feature_folder import features_on_spark
from prodromal.errors import DataError
from prodromal.features import FeatureMatrix, IndexFile
from prodromal.features.index_dates import IndexDates
from prodromal.register.parquet import read_table, write_table
from prodromal.risk import train

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import numpy.typing as npt
    import pandas as pd
    from pyspark.sql import SparkSession

    from prodromal.features import FeaturePlan
    from prodromal.register import Register
    from prodromal.risk import Population, RiskModel, SearchSpace

__all__ = ["build_on_spark", "train_on_spark"]


def build_on_spark(
    spark: SparkSession, plan: FeaturePlan, register: Register, index_dates: pd.DataFrame, scratch: Path
) -> FeatureMatrix:
    """Compute a plan's features on a cluster into the matrix of ``prodromal.build``, bit by bit.

    Parameters
    ----------
    spark : SparkSession
    plan : FeaturePlan
        What to measure.
    register : Register
        On storage that every executor sees.
    index_dates : DataFrame
        Columns ``person_id`` and ``index_date``; any order, several rows per person allowed.
    scratch : Path
        Folder on shared storage; nothing stays there.

    Returns
    -------
    FeatureMatrix
        One row per index date, in the order given.

    Raises
    ------
    DataError
        If a person is not in the register, or a part of it is damaged.
    """
    dates = IndexDates.of(register, index_dates)
    dates.require_known()
    distinct, place = _distinct(dates)
    with TemporaryDirectory(prefix=".features-", dir=scratch) as folder:
        asked = IndexFile(Path(folder) / "index_dates.parquet")
        days = pa.array(distinct.day).cast(pa.date32())
        ids = register.persons.ids
        write_table(pa.table({"person_id": ids[distinct.person_row], "index_date": days}), asked.path)
        features_on_spark(spark, plan, register, asked, Path(folder) / "features")
        values = _values(Path(folder) / "features", plan, ids[distinct.person_row])
    return FeatureMatrix(
        values[place], ids[dates.person_row], dates.day.astype("datetime64[D]"), plan, dates.person_row
    )


def train_on_spark(
    spark: SparkSession,
    register: Register,
    cohort: Path,
    plan: FeaturePlan,
    *,
    population: Population,
    seed: int,
    scratch: Path,
    search: SearchSpace | None = None,
    threads: int = 1,
    device: str = "cpu",
    progress: Callable[[int, int], None] | None = None,
    provenance: Mapping[str, str] | None = None,
) -> RiskModel:
    """Train on a cohort whose features a cluster computes; the model is that of ``prodromal.train``, bit by bit.

    Parameters
    ----------
    spark : SparkSession
    register : Register
        On storage that every executor sees.
    cohort : Path
        Matched sets or a landmark cohort of that register. Drawing them takes persons and outcomes only.
    plan : FeaturePlan
        What to measure.
    population, seed, search, threads, device, progress, provenance
        As of ``train``, which runs on the driver.
    scratch : Path
        Folder on shared storage; nothing stays there.

    Returns
    -------
    RiskModel

    Raises
    ------
    DataError
        If the cohort is of another register, or a part of the register is damaged.
    NotEstimable
        If there are too few cases.
    """
    drawn = read_cohort(cohort, register=register.fingerprint)
    matrix = build_on_spark(spark, plan, register, drawn.index_dates, scratch)
    return train(
        matrix,
        drawn,
        population=population,
        seed=seed,
        search=search,
        threads=threads,
        device=device,
        progress=progress,
        provenance=provenance,
        simulated=register.simulated,
        codes=register.codes,
    )


def _distinct(dates: IndexDates) -> tuple[IndexDates, npt.NDArray[np.int64]]:
    """Index dates once each, by person and day; and where each of those given stands among them."""
    order = np.lexsort((dates.day, dates.person_row))
    person, day = dates.person_row[order], dates.day[order]
    begins = np.ones(len(order), dtype=bool)
    begins[1:] = (person[1:] != person[:-1]) | (day[1:] != day[:-1])
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.cumsum(begins) - 1
    return IndexDates(person[begins], day[begins]), place


def _values(folder: Path, plan: FeaturePlan, ids: npt.NDArray[np.generic]) -> npt.NDArray[np.float32]:
    whole = pa.concat_tables(map(read_table, sorted(folder.glob("part-*.parquet"))))
    if not np.array_equal(whole.column("person_id").to_numpy(), ids):
        raise DataError("the features that the cluster computed are not those of the index dates asked for")
    return np.column_stack([whole.column(name).to_numpy() for name in plan.names])
