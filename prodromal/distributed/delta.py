"""Which Parquet files of a Delta folder are live, by its log; what needs more than its files is refused."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError, DefinitionError
from prodromal.register.parquet import read_table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["decoded", "delta_files", "is_delta"]

_LOG = "_delta_log"
_COMMIT = re.compile(r"(\d{20})\.json")
_CHECKPOINT = re.compile(r"(\d{20})\.checkpoint(?:\.(\d{10})\.(\d{10}))?\.parquet")
_ACTIONS = ("protocol", "metaData", "add", "remove")
# What a reader may ignore because it only tells how dates and times, which are read here as dates, may be typed.
_HARMLESS = {"timestampNtz"}


def is_delta(folder: Path) -> bool:
    """Whether a folder is a Delta table."""
    return (folder / _LOG).is_dir()


def delta_files(folder: Path) -> tuple[Path, ...]:
    """Live files of a Delta table, by name.

    Raises
    ------
    DataError
        If the log is damaged, has a gap, or names no file.
    DefinitionError
        If the table uses deletion vectors, column mapping or another feature that changes what its files mean.
    """
    live: set[str] = set()
    try:
        for action in _actions(folder):
            _refuse_features(folder, action)
            if add := action.get("add"):
                live.add(add["path"])
            if remove := action.get("remove"):
                live.discard(remove["path"])
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, (DataError, DefinitionError)):
            raise
        raise DataError(f"{folder / _LOG} is damaged: it is no log of a Delta table") from error
    if not live:
        raise DataError(f"{folder}: the log of the Delta table names no live file")
    paths = sorted(decoded(path) for path in live)
    if any(path.startswith("/") or ".." in path.split("/") or ":" in path for path in paths):
        raise DataError(f"{folder}: the log of the Delta table names a file outside the folder")
    return tuple(folder / path for path in paths)


def decoded(path: str) -> str:
    """An address with its percent signs resolved."""
    return re.sub("(?:%[0-9a-fA-F]{2})+", lambda found: bytes.fromhex(found[0].replace("%", "")).decode(), path)


def _actions(folder: Path) -> Iterator[dict[str, Any]]:
    """Actions from the newest whole checkpoint on, in their order."""
    names = sorted(file.name for file in (folder / _LOG).iterdir())
    version, files = _newest_checkpoint(names)
    for name in files:
        table = read_table(folder / _LOG / name)
        yield from table.select([c for c in _ACTIONS if c in table.column_names]).to_pylist()
    commits = [int(found[1]) for name in names if (found := _COMMIT.fullmatch(name)) and int(found[1]) > version]
    if commits != list(range(version + 1, version + 1 + len(commits))):
        raise DataError(f"{folder / _LOG} has a gap: of {len(commits)} versions after {version} some are missing")
    for number in commits:
        for line in (folder / _LOG / f"{number:020d}.json").read_text("utf-8").splitlines():
            if line.strip():
                yield json.loads(line)


def _newest_checkpoint(names: list[str]) -> tuple[int, list[str]]:
    """Its version and files; -1 and none without one."""
    found: dict[int, list[str]] = {}
    wanted: dict[int, int] = {}
    for name in names:
        if match := _CHECKPOINT.fullmatch(name):
            found.setdefault(int(match[1]), []).append(name)
            wanted[int(match[1])] = int(match[3] or 1)
    whole = [version for version, files in found.items() if len(files) == wanted[version]]
    return (max(whole), found[max(whole)]) if whole else (-1, [])


def _refuse_features(folder: Path, action: dict[str, Any]) -> None:
    features = set((action.get("protocol") or {}).get("readerFeatures") or ()) - _HARMLESS
    configuration = dict((action.get("metaData") or {}).get("configuration") or {})
    if configuration.get("delta.columnMapping.mode", "none") != "none":
        features.add("columnMapping")
    if (action.get("add") or {}).get("deletionVector"):
        features.add("deletionVectors")
    used = features & {"columnMapping", "deletionVectors"} or features - {"columnMapping", "deletionVectors"}
    if used:
        raise DefinitionError(
            f"{folder}: the Delta table uses {', '.join(sorted(used))}; add Delta to Spark (--set spark.jars.packages="
            "io.delta:delta-spark_2.13:VERSION) and give the table by its Spark name"
        )
    if partitions := (action.get("metaData") or {}).get("partitionColumns"):
        _refuse_partitions(folder, list(partitions))


def _refuse_partitions(folder: Path, columns: list[str]) -> None:
    from prodromal.tables import TABLES

    canonical = {name for table in TABLES.values() for name in table.names}
    if kept := sorted(canonical & set(columns)):
        raise DefinitionError(f"{folder}: the Delta table keeps {', '.join(kept)} in folder names; give it by its name")
