"""Writing so that a reader sees the old output or the whole new one, never a part of it."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prodromal.errors import OutputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["atomic_file", "atomic_folder", "sha256", "sweep", "write_text"]

_CHUNK = 1 << 20


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of a file's bytes."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _partial(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot make the folder {path.parent}: {error.strerror}") from error
    return path.with_name(f".{path.name}.{os.getpid()}.tmp")


def sweep(path: Path) -> None:
    """Remove what killed writers of `path` left beside it; for whoever knows that no other is at work."""
    for left in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        if left.is_dir():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink(missing_ok=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a sibling to write to; rename it to `path` when the block ends without an error.

    Raises
    ------
    OutputError
        If the file cannot be written (disk, permission).
    """
    partial = _partial(path)
    try:
        yield partial
        _sync(partial)
        partial.replace(path)
        _sync(path.parent)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8, whole or not at all."""
    with atomic_file(path) as partial:
        partial.write_text(text, encoding="utf-8", newline="\n")


@contextmanager
def atomic_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Yield a sibling folder to fill; rename it to `path` when the block ends without an error.

    Parameters
    ----------
    path : Path
        The folder to publish.
    replace : bool
        Whether an existing folder may be replaced. It stays in place until the new one is complete.

    Raises
    ------
    OutputError
        If `path` exists and may not be replaced, or cannot be written.
    """
    if path.exists() and not replace:
        raise OutputError(f"{path} exists; name another output, or replace it with --force")
    partial = _partial(path)
    retired = partial.with_suffix(".old")
    try:
        partial.mkdir()
        yield partial
        for item in sorted(partial.rglob("*")):
            _sync(item)
        _sync(partial)
        if path.exists():
            path.rename(retired)
        partial.rename(path)
        _sync(path.parent)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        if retired.exists():
            if not path.exists():
                retired.rename(path)
            shutil.rmtree(retired, ignore_errors=True)
