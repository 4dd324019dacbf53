"""A whole register to disk, block by block: the order of blocks is fixed, whoever draws them."""

from __future__ import annotations

import json
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from prodromal import __version__
from prodromal.errors import DefinitionError
from prodromal.files import atomic_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from prodromal.simulate.blocks import Block, BlockMaker
    from prodromal.simulate.config import SimulationConfig
    from prodromal.simulate.writers import FileFormat

__all__ = ["SimulationSummary", "simulate"]

_TABLES = ("persons", "outcomes", "relatives", "follow_up")
_TRUTHS = ("persons", "initiations")


@dataclass(frozen=True)
class SimulationSummary:
    """What a simulation wrote: people in the population and in the register, cases, dispensings and part files."""

    population: int
    persons: int
    cases: int
    dispensings: int
    parts: int


def simulate(
    config: SimulationConfig,
    output: Path,
    *,
    seed: int,
    file_format: FileFormat = "parquet",
    threads: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> SimulationSummary:
    """Write a synthetic register, and its truth apart in ``truth/``.

    Parameters
    ----------
    config
        What to simulate.
    output
        Folder to be made; it must not exist, or be empty.
    seed
        The same seed and configuration give the same bytes, whatever the number of threads.
    file_format
        "parquet" or "csv"; the truth is always Parquet.
    threads
        Blocks of people drawn at a time.
    progress
        Called with the number of blocks done and the number of all.

    Returns
    -------
    SimulationSummary
        Counts of what was written; ``simulation.json`` holds them too, with configuration, seed and version.

    Raises
    ------
    DefinitionError
        If the seed is negative, the format unknown, or the configuration's tables contradict each other.
    OutputError
        If the folder holds something already or cannot be written.

    Notes
    -----
    Frailty ``u ~ Gamma(k, k)``. Initiations of a psychiatric class form a Poisson process with rate ``u lambda(age,
    sex, year) m(t)``: ``m = 1 + rho`` within the prodrome, ``sigma`` more in the 365 days before the diagnosis, else
    1. The ALS hazard is proportional to ``u ** hazard_exponent``. Each initiation starts an episode of dispensings,
    drawn independently of everything else. Use begins up to 20 years before observation, so that episodes run when it
    starts.
    """
    from prodromal.simulate.blocks import BlockMaker
    from prodromal.simulate.law import resolve

    if not 0 <= seed < 2**63:
        raise DefinitionError("the seed of a simulation must be an integer from 0 to 2^63 - 1")
    if file_format not in ("parquet", "csv"):
        raise DefinitionError("file_format: a register can be written as parquet or csv")
    if threads < 1:
        raise DefinitionError("threads: a simulation needs at least 1")
    maker = BlockMaker(resolve(config), seed)
    with atomic_folder(output) as folder:
        summary = _write(maker, config, folder, file_format, threads, progress)
        account = {
            "made_by": f"prodromal {__version__}",
            "seed": seed,
            "file_format": file_format,
            "counts": asdict(summary),
            "config": config.model_dump(mode="json", by_alias=True),
        }
        (folder / "simulation.json").write_text(json.dumps(account, indent=2) + "\n", encoding="utf-8")
    return summary


def _write(
    maker: BlockMaker,
    config: SimulationConfig,
    folder: Path,
    file_format: FileFormat,
    threads: int,
    progress: Callable[[int, int], None] | None,
) -> SimulationSummary:
    from prodromal.simulate.census import Census
    from prodromal.simulate.writers import PartWriter, TableWriter

    (folder / "dispensings").mkdir()
    (folder / "truth").mkdir()
    census, persons = Census.empty(), 0
    with ExitStack() as files:
        parts = files.enter_context(PartWriter(folder / "dispensings", file_format, config.persons_per_part))
        tables = {name: files.enter_context(TableWriter(folder / name, file_format)) for name in _TABLES}
        truths = {name: files.enter_context(TableWriter(folder / "truth" / name, "parquet")) for name in _TRUTHS}
        for done, block in enumerate(_blocks(maker, threads), start=1):
            parts.append(block.dispensings, block.persons)
            for name, table in block.tables.items():
                tables[name].append(table)
            for name, table in block.truths.items():
                truths[name].append(table)
            census, persons = census + block.census, persons + block.persons
            if progress is not None:
                progress(done, maker.blocks)
    with TableWriter(folder / "truth" / "population", "parquet") as file:
        file.append(census.table())
    return SimulationSummary(config.persons, persons, tables["outcomes"].rows, parts.rows, parts.parts)


def _blocks(maker: BlockMaker, threads: int) -> Iterator[Block]:
    if threads == 1:
        yield from map(maker.make, range(maker.blocks))
        return
    with ThreadPoolExecutor(threads) as pool:
        ahead: deque[Future[Block]] = deque()
        for index in range(maker.blocks):
            ahead.append(pool.submit(maker.make, index))
            if len(ahead) > threads:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
