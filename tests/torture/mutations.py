"""What may become of a file on its way: damage to bytes that any format can suffer."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from random import Random

__all__ = ["BYTES", "Must", "Mutation", "flip", "on_bytes", "packed"]


class Must(Enum):
    """What a reader owes to a mutated delivery beside an account that is true."""

    READ = "be read"
    REFUSE = "be refused"
    EITHER = "be read or refused"


@dataclass(frozen=True)
class Mutation:
    """A named change of one file, which may give it another name."""

    name: str
    change: Callable[[Path, Random], object]
    must: Must = Must.EITHER


def on_bytes(name: str, change: Callable[[bytes, Random], bytes], must: Must = Must.EITHER) -> Mutation:
    """A change of a file's bytes."""
    return Mutation(name, lambda file, draw: file.write_bytes(change(file.read_bytes(), draw)), must)


def packed(name: str, change: Callable[[bytes, Random], bytes], must: Must = Must.EITHER) -> Mutation:
    """The file becomes a gzip file, of which `change` makes what it is to be."""

    def pack(file: Path, draw: Random) -> None:
        data = gzip.compress(file.read_bytes(), 1, mtime=0)
        file.unlink()
        file.with_name(f"{file.name}.gz").write_bytes(change(data, draw))

    return Mutation(name, pack, must)


def flip(data: bytes, draw: Random, *, first: int = 0, last: int | None = None) -> bytes:
    """One bit changed, or a few."""
    changed = bytearray(data)
    for _ in range(draw.choice([1, 1, 1, 2, 8])):
        changed[draw.randrange(first, last or len(data))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _overwrite(data: bytes, draw: Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]


def _truncate(data: bytes, draw: Random) -> bytes:
    return data[: draw.randrange(1, len(data))]


def _cut(data: bytes, draw: Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + data[place + draw.randint(1, 200) :]


def _repeat(data: bytes, draw: Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + data[place : place + draw.randint(1, 200)] * draw.choice([2, 2, 5]) + data[place + 200 :]


def _insert(data: bytes, draw: Random, what: bytes) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + what + data[place:]


def _zero(data: bytes, draw: Random) -> bytes:
    place, size = draw.randrange(len(data)), draw.randint(1, 512)
    zeros = bytes(min(size, len(data) - place))
    return data[:place] + zeros + data[place + len(zeros) :]


def _swap(data: bytes, draw: Random) -> bytes:
    a, b, c = sorted(draw.randrange(len(data)) for _ in range(3))
    return data[:a] + data[b:c] + data[a:b] + data[c:]


BYTES = (
    on_bytes("bits flipped", flip),
    on_bytes("bits flipped at the beginning", lambda d, r: flip(d, r, last=min(64, len(d)))),
    on_bytes("bits flipped at the end", lambda d, r: flip(d, r, first=max(0, len(d) - 64))),
    on_bytes("a byte replaced", _overwrite),
    on_bytes("truncated", _truncate),
    on_bytes("a piece cut out", _cut),
    on_bytes("a piece repeated", _repeat),
    on_bytes("random bytes inserted", lambda d, r: _insert(d, r, r.randbytes(r.randint(1, 64)))),
    on_bytes("NUL inserted", lambda d, r: _insert(d, r, bytes(r.choice([1, 1, 2, 600])))),
    on_bytes("a block of zeros", _zero),
    on_bytes("two pieces swapped", _swap),
    on_bytes("random bytes behind", lambda d, r: d + r.randbytes(r.randint(1, 300))),
    on_bytes("only NUL", lambda d, r: bytes(len(d)), Must.REFUSE),
    on_bytes("only random bytes", lambda d, r: r.randbytes(4096)),
    on_bytes("empty", lambda d, r: b"", Must.REFUSE),
    on_bytes("untouched", lambda d, r: d, Must.READ),
)
