"""Features on a cluster: a Parquet folder with the matrix of each part; features are never moved between machines."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prodromal.distributed.folder import told, write_folder, write_part
from prodromal.distributed.parts import Shared, asked_of, id_type
from prodromal.features import FeaturePlan
from prodromal.features.building import Builder
from prodromal.scoring import ScoringAccount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from prodromal.features import FeatureMatrix, IndexFile
    from prodromal.features.index_dates import Asked, Everyone
    from prodromal.register import Register

__all__ = ["features_of_part", "features_on_spark", "matrices"]

_ROWS_PER_BLOCK = 50_000


def features_on_spark(
    spark: SparkSession,
    plan: FeaturePlan,
    register: Register,
    dates: Everyone | IndexFile,
    output: Path,
    *,
    replace: bool = False,
    provenance: Mapping[str, str] | None = None,
) -> int:
    """Compute a plan's features into a Parquet folder, the values bit by bit those of ``prodromal.build``.

    Parameters
    ----------
    spark : SparkSession
    plan : FeaturePlan
    register : Register
        On storage that every executor sees.
    dates : Everyone or IndexFile
        Who is looked at when.
    output : Path
        Folder: ``person_id, index_date`` and one float32 column per feature; ``_features.json`` says what they mean.
    replace : bool
        Whether an existing folder may be replaced.
    provenance : mapping, optional
        Written into every file's metadata.

    Returns
    -------
    int
        Rows written.

    Raises
    ------
    DataError
        If a part of the register is damaged; the message names it.
    DefinitionError
        If an executor lacks the package, or has other versions than the driver.
    OutputError
        If the output exists or cannot be written.
    """
    meaning = [{"name": f.name, "unit": f.unit, "class": f.family, "sentence": f.sentence} for f in plan.features]
    account = write_folder(
        spark,
        f"{__name__}:features_of_part",
        {"plan": plan.to_toml(), "plan_fingerprint": plan.fingerprint},
        register,
        dates,
        output,
        replace=replace,
        facts=provenance or {},
        beside={"_features.json": json.dumps({"plan": plan.fingerprint, "features": meaning}, indent=1) + "\n"},
    )
    return account.scored


def features_of_part(job: Mapping[str, Any], position: int) -> bytes:
    """Write the matrix of a part on an executor."""
    shared = Shared(**job["shared"])
    asked = asked_of(shared, job["slices"][position])
    shared.open().verify_part(asked.part)
    builder = _builder(job["plan"])
    keys = [("person_id", id_type(asked.people)), ("index_date", pa.timestamp("s"))]
    schema = pa.schema([*keys, *((name, pa.float32()) for name in builder.plan.names)])
    write_part(job, position, schema, (_table(matrix) for matrix in matrices(builder, asked)))
    return told(ScoringAccount(len(asked.day), len(asked.day), {}))


def matrices(builder: Builder, asked: Asked) -> Iterator[FeatureMatrix]:
    """Matrices of bounded size of a part's index dates, in their order."""
    history = builder.reader.read(asked.part, asked.rows)
    for low in range(0, len(asked.day), _ROWS_PER_BLOCK):
        rows = slice(low, low + _ROWS_PER_BLOCK)
        yield builder.matrix(asked.people, history, asked.person[rows], asked.day[rows])


def _table(matrix: FeatureMatrix) -> pa.Table:
    keys = {"person_id": matrix.person_id, "index_date": matrix.index_date.astype("datetime64[s]")}
    return pa.table({**keys, **dict(zip(matrix.plan.names, matrix.values.T, strict=True))})


@lru_cache(maxsize=2)
def _builder(plan: str) -> Builder:
    return Builder(FeaturePlan.parse(plan, "plan of the Spark job"))
