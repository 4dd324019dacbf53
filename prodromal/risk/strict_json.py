"""JSON as we write it: keys once, numbers finite, nesting shallow, texts short and without control characters."""

from __future__ import annotations

import json
import unicodedata
from typing import Any, NoReturn

from prodromal.errors import BundleError

__all__ = ["check_texts", "read_json", "write_json"]

_DEEPEST = 16
_LONGEST_TEXT = 10_000
# Marks that turn the direction of a text round, so that it reads as another one.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def write_json(content: Any) -> bytes:
    """The one form in which we write a document."""
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()


def read_json(data: bytes, where: str) -> Any:
    """Read a document that nobody vouches for.

    Raises
    ------
    BundleError
        If it is no JSON in UTF-8, nests deeper than 16, names a key twice, or holds a number that is not finite or a
        text that is long or has control characters.
    """

    def refuse(why: str) -> NoReturn:
        raise BundleError(f"{where} cannot be read: {why}")

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        if len(found := dict(pairs)) < len(pairs):
            refuse("a key stands twice")
        return found

    def finite(text: str) -> float:
        if abs(value := float(text)) < 1e300:
            return value
        refuse("a number is not finite")

    def whole(text: str) -> int:
        return int(text) if len(text) < 20 else refuse("a number is too long")

    if _depth(data) > _DEEPEST:
        refuse(f"it nests deeper than {_DEEPEST}")
    try:
        found = json.loads(
            data.decode("utf-8"), object_pairs_hook=once, parse_float=finite, parse_int=whole, parse_constant=finite
        )
    except BundleError:
        raise
    except ValueError:
        raise BundleError(f"{where} cannot be read: it is no JSON") from None
    check_texts(found, where)
    return found


def check_texts(content: Any, where: str) -> None:
    """Raise BundleError if a text in a document, or a key, could disturb a terminal or a page."""
    if isinstance(content, dict):
        for key, value in content.items():
            check_texts(key, where)
            check_texts(value, where)
    elif isinstance(content, list):
        for value in content:
            check_texts(value, where)
    elif isinstance(content, str) and (len(content) > _LONGEST_TEXT or not _TURNING.isdisjoint(content)):
        raise BundleError(f"{where} has a text that is too long, or turns the direction of writing")
    elif isinstance(content, str) and any(unicodedata.category(c) in {"Cc", "Cs"} for c in content):
        raise BundleError(f"{where} has a text with control characters")


def _depth(data: bytes) -> int:
    """No less than the nesting, found without reading: brackets in texts count too."""
    deepest = depth = 0
    for byte in data.translate(None, _NOT_BRACKETS):
        depth += 1 if byte in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
