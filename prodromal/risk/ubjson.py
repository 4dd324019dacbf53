"""A reader of the subset of UBJSON that XGBoost writes, for bytes that nobody vouches for."""

from __future__ import annotations

from typing import Any

import numpy as np

from prodromal.errors import BundleError

__all__ = ["read_ubjson"]

_INTEGERS = {b"i": 1, b"U": 1, b"I": 2, b"l": 4, b"L": 8}
_COLUMNS = {b"d": ">f4", b"l": ">i4", b"L": ">i8", b"U": "u1"}
_DEEPEST = 16
_LONGEST_TEXT = 4096
_MOST_VALUES = 2_000_000


def read_ubjson(data: bytes, where: str) -> dict[str, Any]:
    """Read an object: dictionaries, lists, strings, whole numbers, and numpy arrays where the file has typed arrays.

    Every value has one form only, so that no two readers can understand the same bytes differently.

    Parameters
    ----------
    data : bytes
    where : str
        Names the bytes in messages.

    Raises
    ------
    BundleError
        If the bytes are anything else, end early, go on after the end, name a key twice, nest deeper than 16, or hold
        more than two million values.
    """
    reader = _Reader(data, where)
    found = reader.value(reader.take(1), 0)
    if reader.at != len(data) or not isinstance(found, dict):
        raise reader.error("it is not one object from its first byte to its last")
    return found


class _Reader:
    def __init__(self, data: bytes, where: str) -> None:
        self.at, self._data, self._where, self._left = 0, data, where, _MOST_VALUES

    def error(self, why: str) -> BundleError:
        return BundleError(f"{self._where} cannot be read at byte {self.at:,} of {len(self._data):,}: {why}")

    def take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self._data):
            raise self.error("it ends too early")
        taken, self.at = self._data[self.at : end], end
        return taken

    def value(self, tag: bytes, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth > _DEEPEST:
            raise self.error("it holds too many values, or nests too deeply")
        if tag == b"{":
            return self._object(depth)
        if tag == b"[":
            return self._array(depth)
        if tag == b"S":
            return self._text()
        if tag in _INTEGERS:
            return int.from_bytes(self.take(_INTEGERS[tag]), "big", signed=tag != b"U")
        raise self.error("there is a mark that XGBoost does not write")

    def _object(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while self._data[self.at : self.at + 1] != b"}":
            key = self._text()
            if key in found:
                raise self.error("a key stands twice")
            found[key] = self.value(self.take(1), depth + 1)
        self.at += 1
        return found

    def _array(self, depth: int) -> Any:
        mark = self.take(1)
        kind = self.take(2) if mark == b"$" else mark
        if kind[-1:] != b"#":
            raise self.error("an array does not say how long it is")
        count = self._count()
        if mark == b"#":
            if count > len(self._data) - self.at:
                raise self.error("an array is longer than the file")
            return [self.value(self.take(1), depth + 1) for _ in range(count)]
        if kind[:1] not in _COLUMNS:
            raise self.error("an array is of a type that XGBoost does not write")
        dtype = np.dtype(_COLUMNS[kind[:1]])
        return np.frombuffer(self.take(count * dtype.itemsize), dtype).astype(dtype.newbyteorder("="))

    def _count(self) -> int:
        if self.take(1) != b"L":
            raise self.error("a length is not a 64-bit number")
        count = int.from_bytes(self.take(8), "big", signed=True)
        if count < 0:
            raise self.error("a length is negative")
        return count

    def _text(self) -> str:
        size = self._count()
        if size > _LONGEST_TEXT:
            raise self.error(f"a text is longer than {_LONGEST_TEXT:,} bytes")
        try:
            return self.take(size).decode("utf-8")
        except UnicodeDecodeError:
            raise self.error("a text is not UTF-8") from None
