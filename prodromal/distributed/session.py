"""A Spark session, or one sentence about what is missing for one."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prodromal.distributed.guard import no_word_on_pandas
from prodromal.errors import DefinitionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql import SparkSession

__all__ = ["check_spark_version", "open_spark"]

_OLDEST = 4
_DEFAULTS = {
    "spark.app.name": "prodromal",
    # A failed task comes back as an exception; its Java traces would bury the sentence.
    "spark.log.level": "OFF",
}
_LOCAL = {"spark.driver.host": "127.0.0.1", "spark.driver.bindAddress": "127.0.0.1", "spark.ui.enabled": "false"}


@contextmanager
def open_spark(master: str | None = None, settings: Mapping[str, str] | None = None) -> Iterator[SparkSession]:
    """Open a Spark session, and stop it when the block ends; one that is there already is used, and left alone.

    Parameters
    ----------
    master : str, optional
        Such as ``local[4]`` or ``spark://host:7077``. Without it Spark decides, as under ``spark-submit``.
    settings : mapping, optional
        Spark's own settings, such as ``spark.executor.memory``.

    Raises
    ------
    DefinitionError
        If pyspark, a fitting version of it, or Java is missing, or the cluster does not answer.
    """
    local = _LOCAL if (master or "").startswith("local") else {}
    there = _there()
    spark = there or _started(master, {**_DEFAULTS, **local, **(settings or {})})
    try:
        if (spark.sparkContext.master or "").startswith("local"):
            # Local workers are this machine's; Spark would take the first python3 on the path.
            spark.sparkContext.pythonExec = sys.executable
        yield spark
    finally:
        if there is None:
            spark.stop()


def check_spark_version(version: str) -> None:
    """Raise DefinitionError if a version of Spark is too old."""
    if int(version.split(".", maxsplit=1)[0]) < _OLDEST:
        raise DefinitionError(
            f"Spark {version} is too old: {_OLDEST}.0 or newer is needed on the cluster and here "
            "(pip install 'prodromal[spark]')"
        )


def _there() -> SparkSession | None:
    try:
        import pyspark
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise DefinitionError("working on Spark needs the extra: pip install 'prodromal[spark]'") from error
    check_spark_version(pyspark.__version__)
    return SparkSession.getActiveSession()


def _started(master: str | None, settings: Mapping[str, str]) -> SparkSession:
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    builder = SparkSession.builder
    for name, value in settings.items():
        builder = builder.config(name, value)
    if master is not None:
        builder = builder.master(master)
    try:
        with no_word_on_pandas():
            spark = builder.getOrCreate()
    except PySparkException as error:
        if "JAVA_GATEWAY_EXITED" in str(error):
            raise DefinitionError(_NO_JAVA) from error
        raise DefinitionError(_no_cluster(master)) from error
    except Exception as error:  # py4j wraps whatever the cluster said
        raise DefinitionError(_no_cluster(master)) from error
    check_spark_version(spark.version)
    return spark


_NO_JAVA = (
    "Spark could not start Java: install Java 17 or newer (for Debian: apt-get install openjdk-17-jre-headless) and "
    "let JAVA_HOME name its folder, or unset JAVA_HOME where java is on the PATH"
)


def _no_cluster(master: str | None) -> str:
    return (
        f"Spark did not start with master {master or 'of its own settings'}: check its address and spark.* settings, "
        "or try --master 'local[2]'; --set spark.log.level=WARN shows what Spark says"
    )
