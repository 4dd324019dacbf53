"""The folder in which an ingest works: what a killed run of the same job left there is taken up, all else is swept."""

from __future__ import annotations

import glob
import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from prodromal.errors import OutputError
from prodromal.files import write_text
from prodromal.held import LOCK, beside, drop, held

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["Work", "working"]

# Less than this is read again in seconds, and fits in memory; other forms are smaller than their text.
_WORTH_KEEPING = 512 << 20
_TEXT_PER_BYTE = {".gz": 10, ".parquet": 5}
_JOB, _STAGED, _REGISTER, _SCRATCH = "job", "staged.duckdb", "register", "scratch"
# All else of a register is soon written anew.
_PARTS = "dispensings"
# Behind these the same command can go on.
_PASSING = (OutputError, KeyboardInterrupt, SystemExit)


@dataclass(frozen=True)
class Work:
    """What lies in the folder that an ingest holds.

    Parameters
    ----------
    folder : Path
        ``.NAME.run`` beside the register NAME.
    is_kept : bool
        Whether the work is written down as it goes, so that it outlives a killed run.
    threw_away : bool
        Whether the work of another job lay there.
    """

    folder: Path
    is_kept: bool
    threw_away: bool = False

    @property
    def database(self) -> Path | None:
        """Of the staging; None for one in memory."""
        return self.folder / _STAGED if self.is_kept else None

    @property
    def scratch(self) -> Path:
        """For what does not fit in memory."""
        return self.folder / _SCRATCH

    @property
    def register(self) -> Path:
        """The register until it is published."""
        return self.folder / _REGISTER

    def take_up(self, job: str | None) -> Work:
        """Sweep what is not of this job, or of no use."""
        noted = self.folder / _JOB
        threw_away = noted.is_file()
        goes_on = self.is_kept and noted.is_file() and noted.read_text("utf-8", errors="replace") == job
        if not (goes_on and _has_steps(self.folder / _STAGED)):
            noted.unlink(missing_ok=True)
            goes_on = False
        for left in self.folder.iterdir():
            if left.name != LOCK and not (goes_on and left.name.startswith((_JOB, _STAGED, _REGISTER))):
                _remove(left)
        self.scratch.mkdir()
        self.register.mkdir(exist_ok=True)
        for left in self.register.iterdir():
            if left.name != _PARTS:
                _remove(left)
        if self.is_kept and not goes_on:
            write_text(noted, job or "")
        return replace(self, threw_away=threw_away and not goes_on)


@contextmanager
def working(output: Path, job: str | None, files: Iterable[Path]) -> Iterator[Work]:
    """Hold the folder of an output while the block works in it.

    The folder goes with the end of the block, unless the work is kept and the same command can go on with it.

    Parameters
    ----------
    output : Path
        The register.
    job : str, optional
        Of which killed runs the work is taken up; None for none.
    files : iterable of Path
        What is read, each once; little of it is not worth keeping.

    Raises
    ------
    OutputError
        If another run holds the folder, or it cannot be written.
    """
    text = sum(file.stat().st_size * _TEXT_PER_BYTE.get(file.suffix, 1) for file in files)
    with held(beside(output)) as folder:
        work = Work(folder, is_kept=job is not None and text >= _WORTH_KEEPING)
        try:
            _mend(output)
            yield work.take_up(job)
        except BaseException as error:
            if not (isinstance(error, _PASSING) and (folder / _STAGED).exists()):
                drop(folder)
            if isinstance(error, OSError) and not isinstance(error, OutputError):
                raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
            raise
        drop(folder)


def _mend(output: Path) -> None:
    """Bring back a register that was being replaced, and sweep what else a run left that was killed beside it."""
    name = glob.escape(output.name)
    for old in output.parent.glob(f".{name}.*.old"):
        if not output.exists():
            old.rename(output)
        else:
            _remove(old)
    for unfinished in output.parent.glob(f".{name}.*.tmp"):
        _remove(unfinished)


def _has_steps(database: Path) -> bool:
    """Whether a step ended: what lies there besides was begun and can be in any state."""
    import duckdb

    if not database.is_file():
        return False
    try:
        with duckdb.connect(str(database), read_only=True, config={"threads": 1}) as connection:
            return bool(connection.execute("SELECT 1 FROM steps LIMIT 1").fetchall())
    except duckdb.Error:
        return False


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
