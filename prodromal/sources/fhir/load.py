"""From NDJSON files to tables in the staging connection, a block at a time, on one process or on several."""

from __future__ import annotations

import gc
from collections import Counter, deque
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from itertools import groupby
from multiprocessing import get_context
from typing import TYPE_CHECKING, Any

from prodromal.sources.fhir.lines import Block, read_blocks
from prodromal.sources.fhir.parse import Parsed, parse
from prodromal.sources.fhir.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from prodromal.sources.fhir.pick import Picks
    from prodromal.sources.steps import Steps

__all__ = ["Loaded", "load"]

_BATCH_ROWS = 100_000
# Below this size the start of processes costs more than they save; text shrinks about tenfold.
_WORTH_PROCESSES, _TEXT_PER_GZIP = 64 << 20, 10


class Loaded:
    """What was read: resources by type, and servers that absolute references to patients name."""

    def __init__(self) -> None:
        self.read: Counter[str] = Counter()
        self.servers: set[str] = set()


def load(
    connection: duckdb.DuckDBPyConnection, usual: Mapping[Path, str], picks: Picks, *, processes: int, steps: Steps
) -> Loaded:
    """Make and fill the tables of ``tables.TABLES``, a file a step.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Where the tables are made.
    usual : mapping of Path to str
        Files, and the type of resource of each.
    picks : Picks
        What is read from a resource.
    processes : int
        How many processes read JSON; the rows and their order do not depend on it.
    steps : Steps
        What a killed run has done; it is not done again.
    """
    steps.once("made: fhir", partial(_make, connection))
    left = {number: item for number, item in enumerate(usual.items()) if steps.told(_step(number)) is None}
    jobs = ((b, number, kind, picks) for number, (file, kind) in left.items() for b in read_blocks(file))
    text = sum(file.stat().st_size * (_TEXT_PER_GZIP if file.suffix == ".gz" else 1) for file, _ in left.values())
    with _parser(1 if text < _WORTH_PROCESSES else processes) as parser:
        for number, parsed in groupby(parser(jobs), key=lambda found: found[0]):
            steps.once(_step(number), partial(_store, connection, (tables for _, tables in parsed)))
    loaded = Loaded()
    for told in filter(None, (steps.told(_step(number)) for number in range(len(usual)))):
        loaded.read.update(told["read"])
        loaded.servers.update(told["servers"])
    return loaded


def _step(number: int) -> str:
    return f"read: fhir: {number}"


def _make(connection: duckdb.DuckDBPyConnection) -> None:
    for name, columns in TABLES.items():
        connection.execute(f"CREATE TABLE {name} ({', '.join(f'{c} {t}' for c, t in columns.items())})")


def _store(connection: duckdb.DuckDBPyConnection, file: Iterable[Parsed]) -> dict[str, Any]:
    read, servers = Counter[str](), set[str]()
    pending: dict[str, list[pa.Table]] = {name: [] for name in TABLES}
    for parsed in file:
        read += parsed.read
        servers |= parsed.servers
        for name, table in parsed.tables.items():
            pending[name].append(table)
            if sum(map(len, pending[name])) >= _BATCH_ROWS:
                _insert(connection, name, pending[name])
    for name, tables in pending.items():
        _insert(connection, name, tables)
    return {"read": read, "servers": sorted(servers)}


Job = tuple[Block, int, str, "Picks"]


@contextmanager
def _parser(processes: int) -> Iterator[Callable[[Iterable[Job]], Iterator[tuple[int, Parsed]]]]:
    if processes == 1:
        yield lambda jobs: ((job[1], parse(*job)) for job in jobs)
        return
    # What is parsed holds no circles, so that looking for them is time lost.
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn"), initializer=gc.disable) as pool:
        yield lambda jobs: _in_order(pool, jobs, 2 * processes + 1)


def _in_order(pool: ProcessPoolExecutor, jobs: Iterable[Job], ahead: int) -> Iterator[tuple[int, Parsed]]:
    """What was parsed, with the number of its file."""
    waiting: deque[tuple[int, Future[Parsed]]] = deque()
    for job in jobs:
        waiting.append((job[1], pool.submit(parse, *job)))
        if len(waiting) > ahead:
            number, first = waiting.popleft()
            yield number, first.result()
    for number, parsed in waiting:
        yield number, parsed.result()


def _insert(connection: duckdb.DuckDBPyConnection, name: str, tables: list[pa.Table]) -> None:
    import pyarrow as pa

    if tables:
        connection.register("batch", pa.concat_tables(tables))
        connection.execute(f"INSERT INTO {name} SELECT * FROM batch")
        connection.unregister("batch")
        tables.clear()
