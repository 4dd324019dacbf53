"""What may become of a file of JSON lines."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from random import Random
from typing import Any

from tests.torture.mutations import BYTES, Must, Mutation, flip, on_bytes, packed

__all__ = ["NDJSON"]

_MEGABYTE = 1 << 20
_VALUES: tuple[Any, ...] = (None, True, 0, -1, 1.5, 10**30, "", "x", [], {}, [[]], [None], {"": None}, ["x"], "\x00")
_NUMBERS = (b"1e400", b"-1e400", b"1" * 400, b"1" * 100_000, b"NaN", b"Infinity", b"-0", b"1e-400", b"01", b"0x1F")


def _in_a_line(data: bytes, draw: Random, change: Callable[[bytes, Random], bytes]) -> bytes:
    lines = data.split(b"\n")
    row = draw.randrange(len(lines) - 1)
    lines[row] = change(lines[row], draw)
    return b"\n".join(lines)


def _line(name: str, change: Callable[[bytes, Random], bytes], must: Must = Must.READ) -> Mutation:
    return on_bytes(name, lambda data, draw: _in_a_line(data, draw, change), must)


def _with(line: bytes, value: bytes, key: bytes = b"extension") -> bytes:
    return b'{"%b": %b, %b' % (key, value, line[1:])


def _places(value: Any, found: list[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, below in inner:
        found.append((value, key))
        _places(below, found)
    return found


def _another_type(line: bytes, draw: Random) -> bytes:
    resource = json.loads(line)
    holder, key = draw.choice(_places(resource, []))
    holder[key] = draw.choice(_VALUES)
    return json.dumps(resource).encode()


def _without(line: bytes, draw: Random) -> bytes:
    resource = json.loads(line)
    holder, key = draw.choice(_places(resource, []))
    del holder[key]
    return json.dumps(resource).encode()


def _another_number(line: bytes, draw: Random) -> bytes:
    resource = json.loads(line)
    if "quantity" not in resource:
        return _with(line, draw.choice(_NUMBERS))
    resource["quantity"]["value"] = "HERE"
    return json.dumps(resource).encode().replace(b'"HERE"', draw.choice(_NUMBERS))


def _key_twice(line: bytes, draw: Random) -> bytes:
    resource = json.loads(line)
    key = draw.choice(list(resource))
    other = json.dumps(draw.choice([resource[key], "x", None])).encode()
    written = draw.choice([key, f"\\u{ord(key[0]):04x}{key[1:]}"])
    return b"%b, %b: %b}" % (line[:-1], f'"{written}"'.encode(), other)


def _another_text(line: bytes, draw: Random) -> bytes:
    text = draw.choice([rb"\ud800", rb"\u0000", b"\xed\xa0\x80", b"\xff", b"\t", b"\x00", rb"\x41", b"\xe2\x80\xa8"])
    return line.replace(b'"', b'"' + text, draw.randint(1, 9)) if draw.random() < 0.3 else _with(line, b'"%b"' % text)


def _as_type(line: bytes, draw: Random) -> bytes:
    kinds = (b"Patient", b"Medication", b"MedicationRequest", b"Condition", b"Observation", b"__class__", b"x" * 99)
    return line.replace(json.loads(line)["resourceType"].encode(), draw.choice(kinds), 1)


def _deep(line: bytes, depth: int, draw: Random) -> bytes:
    opening, closing = draw.choice([(b"[", b"]"), (b'{"a":', b"}")])
    whole = b'{"resourceType": "MedicationDispense", "contained": ' if draw.random() < 0.3 else None
    value = opening * depth + b"1" + closing * depth
    return whole + value + b"}" if whole else _with(line, value)


def _bomb(data: bytes, what: bytes) -> bytes:
    return gzip.compress(data) + gzip.compress(what * (_MEGABYTE // len(what)), 9) * 40


NDJSON = (
    *BYTES,
    _line("a line cut", lambda line, r: line[: r.randrange(len(line))]),
    _line("a line without its beginning", lambda line, r: line[r.randrange(len(line)) :]),
    _line("a value of another type", _another_type),
    _line("a value of another type again", _another_type),
    _line("a value left away", _without),
    _line("a key twice", _key_twice),
    _line("another number", _another_number),
    _line("strange text", _another_text),
    _line("another type of resource", _as_type, Must.EITHER),
    _line("nested 10,000 deep", lambda line, r: _deep(line, 10_000, r)),
    _line("nested 1,000 deep", lambda line, r: _deep(line, 1_000, r)),
    _line("nested 1,000,000 deep", lambda line, r: _deep(line, 1_000_000, r)),
    _line("nested and not closed", lambda line, r: _with(line, b"[" * 100_000)),
    _line("100,000 keys", lambda line, r: _with(line, json.dumps({f"k{n}": n for n in range(100_000)}).encode())),
    _line("100,000 keys of the resource", lambda line, r: _with(line, b"0, " + b'"a": 0, ' * 100_000 + b'"b": 0')),
    _line("a field of a megabyte", lambda line, r: _with(line, b'"' + b"x" * _MEGABYTE + b'"')),
    _line("an id of a megabyte", lambda line, r: _with(line, b'"' + b"x" * _MEGABYTE + b'"', b"id")),
    _line("a line of 17 megabytes", lambda line, r: _with(line, b'"' + b"x" * (17 * _MEGABYTE) + b'"')),
    _line("a line twice", lambda line, r: line + b"\n" + line),
    _line("two resources in a line", lambda line, r: line + r.choice([b"", b" ", b","]) + line),
    _line("an array", lambda line, r: b"[" + line + b"]"),
    _line("no object", lambda line, r: r.choice([b"null", b"1", b'"x"', b"[]", b"{}", b"nul", b"}", b"[1,", b"true"])),
    _line("a comment", lambda line, r: b"// " + line),
    _line("a comma behind", lambda line, r: line + b","),
    _line("single quotes", lambda line, r: line.replace(b'"', b"'")),
    _line("blank lines", lambda line, r: line + b"\n\n  \n\t\n"),
    _line("blanks around", lambda line, r: b"  " + line + b" \t"),
    on_bytes("one array of all", lambda d, r: b"[" + d.strip().replace(b"\n", b",\n") + b"]"),
    on_bytes("one document of all", lambda d, r: json.dumps({"entry": d.decode()}).encode()),
    on_bytes(
        "lines broken for reading",
        lambda d, r: b"\n".join(json.dumps(json.loads(line), indent=1).encode() for line in d.splitlines()),
    ),
    on_bytes("CRLF", lambda d, r: d.replace(b"\n", b"\r\n"), Must.READ),
    on_bytes("only CR", lambda d, r: d.replace(b"\n", b"\r")),
    on_bytes("no line breaks", lambda d, r: d.replace(b"\n", b"")),
    on_bytes("no end of the last line", lambda d, r: d.rstrip(b"\n"), Must.READ),
    on_bytes("a byte order mark", lambda d, r: b"\xef\xbb\xbf" + d, Must.READ),
    on_bytes("two byte order marks", lambda d, r: b"\xef\xbb\xbf" * 2 + d),
    on_bytes("UTF-16", lambda d, r: d.decode().encode("utf-16"), Must.REFUSE),
    on_bytes("UTF-16 without a mark", lambda d, r: d.decode().encode("utf-16-le"), Must.REFUSE),
    on_bytes("UTF-32", lambda d, r: d.decode().encode("utf-32"), Must.REFUSE),
    on_bytes("a million empty lines", lambda d, r: d + b"\n" * 10**6, Must.READ),
    packed("gzip", lambda d, r: d, Must.READ),
    packed("gzip truncated", lambda d, r: d[: r.randrange(1, len(d))], Must.REFUSE),
    packed("gzip with bits flipped", flip),
    packed("gzip with something behind", lambda d, r: d + b"something"),
    packed("gzip in two members", lambda d, r: d + gzip.compress(gzip.decompress(d)), Must.READ),
    packed("gzip of gzip", lambda d, r: gzip.compress(d)),
    packed("gzip that is none", lambda d, r: gzip.decompress(d), Must.REFUSE),
    packed("a bomb of zeros", lambda d, r: _bomb(gzip.decompress(d), b"\0")),
    packed("a bomb of lines", lambda d, r: _bomb(gzip.decompress(d), b"\n")),
    packed("a bomb of objects", lambda d, r: _bomb(gzip.decompress(d), b'{"a": "' + b" " * 1014 + b'"}\n')),
)
