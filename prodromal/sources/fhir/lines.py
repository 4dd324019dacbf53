"""NDJSON files, plain or gzip, in blocks of whole lines: no line, and no file, is held whole beyond a limit."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

__all__ = ["LINE_BYTES", "SUFFIXES", "Block", "read_blocks"]

SUFFIXES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")
LINE_BYTES = 16 << 20
_CHUNK = 4 << 20
# Text of resources shrinks ten- to fiftyfold; gzip at its best reaches a thousand.
_RATIO, _RATIO_FROM = 250, 1 << 20
# In so small steps, what was taken of a file tells what it has grown to.
_STEP = 4096
_UTF_8_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Whole lines of a file: the 1-based number of the first, their bytes, and whether it is one line cut short."""

    first: int
    data: bytes
    too_long: bool = False


def read_blocks(file: Path) -> Iterator[Block]:
    """Yield the lines of a file in blocks of some megabytes.

    Raises
    ------
    DataError
        If the file is missing, not UTF-8, a damaged gzip, or one that grows without measure.
    """
    row, rest, skipping = 1, b"", False
    for chunk in _chunks(file):
        cut = chunk.rfind(b"\n") + 1
        if not cut:
            rest = b"" if skipping else rest + chunk
        else:
            data = chunk[chunk.find(b"\n") + 1 : cut] if skipping else rest + chunk[:cut]
            yield Block(row, data)
            row, rest, skipping = row + data.count(b"\n"), chunk[cut:], False
        if len(rest) > LINE_BYTES:
            yield Block(row, rest[:_CHUNK], too_long=True)
            row, rest, skipping = row + 1, b"", True
    if rest:
        yield Block(row, rest)


def _chunks(file: Path) -> Iterator[bytes]:
    if not file.is_file():
        raise DataError(f"{file}: no such file")
    try:
        with file.open("rb") as raw:
            first = True
            for chunk in _measured(file, raw) if file.suffix == ".gz" else iter(lambda: raw.read(_CHUNK), b""):
                yield _start(file, chunk) if first else chunk
                first = False
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DataError(f"{file} is a damaged or truncated gzip file; fetch it again") from error


def _measured(file: Path, raw: IO[bytes]) -> Iterator[bytes]:
    produced = 0
    with gzip.GzipFile(mode="rb", fileobj=_InSteps(raw)) as stream:
        while chunk := stream.read(_CHUNK):
            produced += len(chunk)
            if produced > _RATIO_FROM and produced > _RATIO * raw.tell():
                raise DataError(
                    f"{file} grows to more than {_RATIO} times its size, which no export of resources does; "
                    "decompress it by hand if it is what it should be"
                )
            yield chunk


@dataclass(frozen=True)
class _InSteps:
    """A file that gives no more at a time than a decompressor needs."""

    raw: IO[bytes]

    def read(self, size: int, /) -> bytes:
        return self.raw.read(min(size, _STEP))

    def seek(self, place: int, /) -> int:
        return self.raw.seek(place)


def _start(file: Path, chunk: bytes) -> bytes:
    if chunk.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\0" in chunk[:4]:
        raise DataError(f"{file} is not UTF-8, as JSON of FHIR must be; convert it")
    return chunk.removeprefix(_UTF_8_MARK)
