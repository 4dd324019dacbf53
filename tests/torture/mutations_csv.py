"""What may become of a delimited file."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from random import Random

from tests.torture.mutations import BYTES, Must, Mutation, flip, on_bytes, packed

__all__ = ["CSV"]

_MANY, _MEGABYTE = 100_000, 1 << 20
_NUMBERS = ("1e400", "-1e400", "1" * 400, "-5", "-0.0", "nan", "inf", "-Infinity", "0x1F", "1_0", "1e-400", "१२", "½")
_TEXTS = (
    "=1+1", "' OR 1=1; --", "\u2028", "\u202e", "\ufeff", "\x1a", "\x00", "\\N", "NULL", "\\", "\x1b[2J", "{}", "%s"
)  # fmt: skip
_DAYS = ("0000-00-00", "2010-02-30", "9999-12-31", "1900-01-01", "-2010-01-01", "294247-01-10", "20100101", "epoch")


def _mark(data: bytes) -> bytes:
    return max(b",;|\t", key=lambda sign: data.split(b"\n", 1)[0].count(bytes([sign]))).to_bytes(1, "big")


def _in_a_field(data: bytes, draw: Random, change: Callable[[bytes], bytes]) -> bytes:
    lines, mark = data.split(b"\n"), _mark(data)
    row = draw.randrange(1, len(lines) - 1)
    fields = lines[row].split(mark)
    place = draw.choice([n for n, field in enumerate(fields) if b'"' not in field])
    fields[place] = change(fields[place])
    lines[row] = mark.join(fields)
    return b"\n".join(lines)


def _field(name: str, *values: str | bytes, must: Must = Must.READ) -> Mutation:
    def change(data: bytes, draw: Random) -> bytes:
        value = draw.choice(values)
        return _in_a_field(data, draw, lambda _: value.encode() if isinstance(value, str) else value)

    return on_bytes(name, change, must)


def _in_a_line(data: bytes, draw: Random, change: Callable[[bytes, Random], bytes], *, header: bool = False) -> bytes:
    lines = data.split(b"\n")
    row = 0 if header else draw.randrange(1, len(lines) - 1)
    lines[row] = change(lines[row], draw)
    return b"\n".join(lines)


def _line(name: str, change: Callable[[bytes, Random], bytes], must: Must = Must.READ) -> Mutation:
    return on_bytes(name, lambda data, draw: _in_a_line(data, draw, change), must)


def _header(name: str, change: Callable[[bytes, Random], bytes], must: Must = Must.EITHER) -> Mutation:
    return on_bytes(name, lambda data, draw: _in_a_line(data, draw, change, header=True), must)


def _every_line(data: bytes, change: Callable[[bytes, int], bytes]) -> bytes:
    lines = data.rstrip(b"\n").split(b"\n")
    return b"\n".join(change(line, number) for number, line in enumerate(lines)) + b"\n"


def _quote_before(data: bytes) -> bytes:
    return b'"' + data


def _quoted(line: bytes, mark: bytes) -> bytes:
    return line if b'"' in line or mark == b"\t" else mark.join(b'"' + field + b'"' for field in line.split(mark))


def _remarked(line: bytes, old: bytes) -> bytes:
    return line if b'"' in line else line.replace(old, b";")


def _columns(line: bytes, mark: bytes, number: int) -> bytes:
    more = (b"extra%d" % n for n in range(_MANY)) if number == 0 else (b"" for _ in range(_MANY))
    return line + mark + mark.join(more)


def _many_columns(data: bytes, _: Random) -> bytes:
    mark, lines = _mark(data), data.split(b"\n")[:6]
    return b"\n".join(_columns(line, mark, number) for number, line in enumerate(lines)) + b"\n"


def _members(data: bytes) -> bytes:
    return gzip.compress(data[: len(data) // 2]) + gzip.compress(data[len(data) // 2 :])


def _bomb(data: bytes, what: bytes) -> bytes:
    pack = gzip.compress(what * (_MEGABYTE // len(what)), 9)
    return gzip.compress(data) + pack * 40


CSV = (
    *BYTES,
    _field("a field that is another number", *_NUMBERS),
    _field("a field that is another day", *_DAYS),
    _field("a field of strange text", *_TEXTS),
    _field("a field that is no UTF-8", b"\xff\xfe", b"\xc3\x28", b"\xed\xa0\x80", b"\xe5", b"\xf8\x88\x80\x80\x80"),
    _field("a field of a megabyte", "x" * _MEGABYTE),
    _field("a quoted field of a megabyte", '"' + "x\n" * (_MEGABYTE // 2) + '"', must=Must.EITHER),
    _field("a field of three megabytes", "x" * (3 * _MEGABYTE)),
    _field("an empty field", ""),
    on_bytes("a quotation that does not end", lambda d, r: _in_a_field(d, r, _quote_before)),
    on_bytes("a quotation mark within", lambda d, r: _in_a_field(d, r, lambda f: f[:2] + b'"' + f[2:])),
    on_bytes("text behind a quotation", lambda d, r: _in_a_field(d, r, lambda f: b'"' + f + b'"x'), Must.READ),
    _field("many quotation marks", '"' * 9_999, '"' * 10_000, must=Must.EITHER),
    _line("a field too few", lambda line, r: line.rpartition(b",")[0]),
    _line("fields too many", lambda line, r: line + b",,x"),
    _line("100,000 fields", lambda line, r: line + b"," * _MANY),
    _line("another delimiter in a line", lambda line, r: line.replace(b",", r.choice([b";", b"\t", b"|"]))),
    _line("a line twice", lambda line, r: line + b"\n" + line),
    _line("blank lines", lambda line, r: line + b"\n\n\n"),
    _line("a line of blanks", lambda line, r: line + b"\n   "),
    _line("a line ended otherwise", lambda line, r: line + r.choice([b"\r", b"\r\r"]), Must.EITHER),
    _line("a carriage return within", lambda line, r: line[:9] + b"\r" + line[9:], Must.EITHER),
    on_bytes("the header again", lambda d, r: d + d.split(b"\n", 1)[0] + b"\n", Must.READ),
    on_bytes("CRLF", lambda d, r: d.replace(b"\n", b"\r\n"), Must.READ),
    on_bytes("only CR", lambda d, r: d.replace(b"\n", b"\r")),
    on_bytes("CRLF in some lines", lambda d, r: _every_line(d, lambda line, n: line + b"\r" * (n % 3 == 1))),
    on_bytes("no end of the last line", lambda d, r: d.rstrip(b"\n"), Must.READ),
    on_bytes("a byte order mark", lambda d, r: b"\xef\xbb\xbf" + d, Must.READ),
    on_bytes("two byte order marks", lambda d, r: b"\xef\xbb\xbf" * 2 + d),
    on_bytes("UTF-16", lambda d, r: d.decode().encode("utf-16"), Must.REFUSE),
    on_bytes("UTF-16 without a mark", lambda d, r: d.decode().encode("utf-16-le"), Must.REFUSE),
    on_bytes("UTF-32", lambda d, r: d.decode().encode("utf-32"), Must.REFUSE),
    on_bytes("every field quoted", lambda d, r: _every_line(d, lambda line, n: _quoted(line, _mark(d))), Must.READ),
    on_bytes("another delimiter", lambda d, r: _every_line(d, lambda line, n: _remarked(line, _mark(d)))),
    _header("a column named twice", lambda line, r: line + _mark(line) + line.split(_mark(line))[0], Must.REFUSE),
    _header("a column without a name", lambda line, r: line + _mark(line)),
    _header("a column renamed", lambda line, r: line.replace(b"person_id", b"person_idx"), Must.EITHER),
    _header("capital letters", lambda line, r: line.upper(), Must.READ),
    _header("blanks around names", lambda line, r: _mark(line).join(b" %b " % n for n in line.split(_mark(line)))),
    _header("a name of a megabyte", lambda line, r: line + _mark(line) + b"x" * _MEGABYTE),
    _header("a name that is SQL", lambda line, r: line + _mark(line) + b"extra'); DROP TABLE persons; --"),
    on_bytes("100,000 columns", _many_columns),
    on_bytes("only the header", lambda d, r: d.split(b"\n", 1)[0] + b"\n"),
    on_bytes("no header", lambda d, r: d.split(b"\n", 1)[1]),
    on_bytes("a Parquet file by its first bytes", lambda d, r: b"PAR1" + d),
    packed("gzip", lambda d, r: d, Must.READ),
    packed("gzip truncated", lambda d, r: d[: r.randrange(len(d))], Must.REFUSE),
    packed("gzip with bits flipped", flip),
    packed("gzip with something behind", lambda d, r: d + b"something"),
    packed("gzip in two members", lambda d, r: _members(gzip.decompress(d)), Must.READ),
    packed("gzip of gzip", lambda d, r: gzip.compress(d), Must.REFUSE),
    packed("gzip that is none", lambda d, r: gzip.decompress(d), Must.REFUSE),
    packed("a bomb of zeros", lambda d, r: _bomb(gzip.decompress(d), b"\0")),
    packed("a bomb of lines", lambda d, r: _bomb(gzip.decompress(d), b"\n")),
    packed("a bomb of marks", lambda d, r: _bomb(gzip.decompress(d), _mark(gzip.decompress(d)))),
)
