"""A folder that one process holds while it works, and that outlives it if it is killed."""

from __future__ import annotations

import glob
import os
import shutil
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from prodromal.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["LOCK", "beside", "drop", "held"]

LOCK = "lock"


def beside(output: Path) -> Path:
    """The folder in which the work on an output is done."""
    return output.with_name(f".{output.name}.run")


@contextmanager
def held(folder: Path) -> Iterator[Path]:
    """Make a folder, or take up the one of a killed process, and hold it until the block ends.

    The lock is the system's own (flock), so that it goes with the process, however that ends.

    Raises
    ------
    OutputError
        If another process holds it, or it cannot be made.
    """
    try:
        lock = _lock(folder)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {folder}: {error.strerror or error}") from error
    try:
        for gone in folder.parent.glob(f"{glob.escape(folder.name)}.*.gone"):
            shutil.rmtree(gone, ignore_errors=True)
        yield folder
    finally:
        os.close(lock)


def drop(folder: Path) -> None:
    """Remove a held folder; renamed first, so that nobody finds half of it.

    If the process is killed meanwhile, whoever holds the folder next removes the rest.
    """
    gone = folder.with_name(f"{folder.name}.{os.getpid()}.gone")
    folder.rename(gone)
    with suppress(FileNotFoundError):  # somebody who holds the folder anew may be quicker
        shutil.rmtree(gone)


def _lock(folder: Path) -> int:
    import fcntl

    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except FileNotFoundError:  # whoever held it has just finished
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(lock)
            raise OutputError(f"another run holds {folder}; wait for it, or name another output") from error
        if _is_there(lock, folder / LOCK):
            return lock
        os.close(lock)


def _is_there(lock: int, path: Path) -> bool:
    """Whether the locked file still is the one in the folder."""
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    ours = os.fstat(lock)
    return (there.st_dev, there.st_ino) == (ours.st_dev, ours.st_ino)
