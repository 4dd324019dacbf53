"""What runs on an executor is checked there first, and its errors come back as ours."""

from __future__ import annotations

import json
import re
import warnings
from contextlib import contextmanager
from importlib.metadata import version
from platform import python_version_tuple
from typing import TYPE_CHECKING, Any

from prodromal import __version__, errors
from prodromal.errors import DefinitionError, ProdromalError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

__all__ = ["guarded", "no_word_on_pandas", "spark_errors", "versions"]

_MARK = "prodromal-error"
_TOLD = re.compile(rf"{_MARK} (\[.*\])\s*$", re.MULTILINE)
_PYTHONS = re.compile(r"different version: (\S+) than that in driver: ([^\s,]+)")
_MISSING = re.compile(r"ModuleNotFoundError: No module named '(\w+)")
# Results may differ in the last bit between versions of these.
_PACKAGES = ("numpy", "xgboost", "pyarrow")


def versions() -> dict[str, str]:
    """What executors must have as the driver has it."""
    packages = {name: version(name) for name in _PACKAGES}
    return {"python": ".".join(python_version_tuple()[:2]), "prodromal": __version__, **packages}


def guarded(task: str, job: Mapping[str, Any]) -> Callable[..., Any]:
    """A task as Spark may send it: nothing of ours is needed to unpack it.

    Parameters
    ----------
    task : str
        ``module:function``; it is called with `job` and what Spark hands over.
    job : mapping
        Plain values.

    Returns
    -------
    callable
        On the executor it compares versions, calls the task, and tells errors of ours in one marked line.
    """
    expected, mark = versions(), _MARK
    module, name = task.split(":")
    compared: list[bool] = []

    def call(*arguments: Any) -> Any:
        # A nested function travels by value; importing here lets an executor without the package say so.
        import importlib
        import json
        import platform
        from importlib import metadata

        def found(package: str) -> str:
            try:
                if package == "python":
                    return ".".join(platform.python_version_tuple()[:2])
                if package == "prodromal":
                    return str(importlib.import_module(package).__version__)
                return metadata.version(package)
            except (ImportError, AttributeError):
                return "missing"

        versions = {} if compared else expected
        wrong = [f"{p} {found(p)} instead of {wanted}" for p, wanted in versions.items() if found(p) != wanted]
        compared.append(True)
        if wrong:
            text = (
                f"executor {platform.node()} has {', '.join(wrong)}: install there what the driver has "
                f"(pip install 'prodromal[spark]=={expected['prodromal']}' and the same versions), "
                "or ship the driver's environment with spark.archives"
            )
            raise RuntimeError(f"{mark} {json.dumps(['DefinitionError', text])}")
        try:
            return getattr(importlib.import_module(module), name)(job, *arguments)
        except Exception as error:
            if not hasattr(error, "exit_code"):
                raise
            raise RuntimeError(f"{mark} {json.dumps([type(error).__name__, str(error)])}") from None

    return call


@contextmanager
def spark_errors() -> Iterator[None]:
    """Raise what a failed Spark job has to say as an error of ours, in one sentence."""
    from py4j.protocol import Py4JError  # type: ignore[import-untyped]
    from pyspark.errors import PySparkException

    with no_word_on_pandas():
        try:
            yield
        except (PySparkException, Py4JError) as error:
            raise _translated(str(error)) from error


@contextmanager
def no_word_on_pandas() -> Iterator[None]:
    """Keep Spark's advice on versions of pandas back: it is handed Arrow only."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="PySpark does not yet fully support pandas", category=FutureWarning)
        yield


def _translated(text: str) -> ProdromalError:
    if told := _TOLD.search(text):
        kind, message = json.loads(told[1])
        known = kind in errors.__all__
        return getattr(errors, kind)(message) if known else ProdromalError(message)
    if pythons := _PYTHONS.search(text):
        return DefinitionError(
            f"the executors run Python {pythons[1]}, the driver Python {pythons[2]}: let PYSPARK_PYTHON name a Python "
            f"{pythons[2]} with prodromal {__version__} on every machine"
        )
    if missing := _MISSING.search(text):
        return DefinitionError(
            f"an executor has no Python package {missing[1]}: install prodromal[spark] {__version__} on every machine"
        )
    if "Python worker exited unexpectedly" in text:
        return ProdromalError(
            "a Python worker died more often than Spark tries again, mostly for want of memory: raise "
            "spark.executor.memoryOverhead, give executors fewer cores, or ingest with fewer rows per part"
        )
    return ProdromalError("the Spark job failed; --set spark.log.level=WARN shows what Spark says")
