"""One task per part, each told by its number alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prodromal.distributed.guard import guarded, spark_errors

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import pyarrow as pa
    from pyspark.sql import SparkSession

__all__ = ["run_tasks"]


def run_tasks(spark: SparkSession, task: str, job: Mapping[str, Any], number: int) -> list[bytes]:
    """Run a task for every position from 0 to `number` - 1.

    Parameters
    ----------
    spark : SparkSession
    task : str
        ``module:function``, called on an executor with `job` and a position; gives bytes.
    job : mapping
        Plain values; sent once to each executor where they are large.
    number : int
        How many.

    Returns
    -------
    list of bytes
        What the tasks gave, by position.

    Raises
    ------
    ProdromalError
        As a task raised it, or about what an executor lacks.
    """
    if number == 0:
        return []
    with spark_errors():
        frame = spark.range(0, number, 1, number)
        found = frame.mapInArrow(_by_position(guarded(task, job)), "position long, found binary").toArrow()
    told = dict(zip(found.column("position").to_pylist(), found.column("found").to_pylist(), strict=True))
    return [told[position] for position in range(number)]


def _by_position(call: Callable[[int], bytes]) -> Callable[[Iterator[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    def run(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in batches:
            for position in batch.column(0).to_pylist():
                yield pa.RecordBatch.from_pydict({"position": [position], "found": [call(position)]})

    return run
