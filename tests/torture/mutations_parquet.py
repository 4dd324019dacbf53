"""What may become of a Parquet file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tests.torture.mutations import BYTES, Must, Mutation, flip, on_bytes

__all__ = ["PARQUET"]

_MEGABYTE = 1 << 20


def _footer(data: bytes) -> int:
    return len(data) - 8 - int.from_bytes(data[-8:-4], "little")


def _length(data: bytes, draw: Random) -> bytes:
    size = int.from_bytes(data[-8:-4], "little")
    other = draw.choice([0, 1, size - 1, size + 1, 2 * size, len(data), 2**31 - 1, 2**31, 2**32 - 1])
    return data[:-8] + other.to_bytes(4, "little") + data[-4:]


def _page(data: bytes, draw: Random) -> bytes:
    return flip(data, draw, first=4, last=_footer(data))


def _numbers(data: bytes, draw: Random) -> bytes:
    """Long numbers in the footer made another, so that counts, places and sizes lie."""
    changed = bytearray(data)
    places = [n for n in range(_footer(data), len(data) - 8) if data[n] & 0x80 and not data[n + 1] & 0x80]
    for place in draw.sample(places, min(len(places), draw.choice([1, 3]))):
        changed[place] = 0x80 | draw.randrange(128)
        changed[place + 1] = draw.randrange(128)
    return bytes(changed)


def _table(name: str, change: Callable[[pa.Table, Random], pa.Table], must: Must = Must.EITHER, **options: Any):
    def rewrite(file: Path, draw: Random) -> None:
        changed = change(pq.read_table(file), draw)
        pq.write_table(changed, file, **{"write_page_checksum": True, "compression": "none", **options})

    return Mutation(name, rewrite, must)


def _column(table: pa.Table, draw: Random, change: Callable[[Any], Any]) -> pa.Table:
    place = draw.randrange(table.num_columns)
    return table.set_column(place, table.schema.names[place], change(table.column(place)))


def _cast(table: pa.Table, draw: Random, kind: pa.DataType) -> pa.Table:
    def cast(column: Any) -> Any:
        try:
            return column.cast(kind)
        except pa.ArrowException:
            return column.cast(pa.string())

    return _column(table, draw, cast)


def _swapped(table: pa.Table, draw: Random) -> pa.Table:
    a, b = draw.sample(range(table.num_columns), 2)
    names = list(table.schema.names)
    names[a], names[b] = names[b], names[a]
    return table.rename_columns(names)


def _renamed(table: pa.Table, draw: Random) -> pa.Table:
    place = draw.randrange(table.num_columns)
    names = list(table.schema.names)
    others = ("", "x", names[0], names[place].upper(), "x'); DROP TABLE persons; --", "a\0b", "é" * 99)
    names[place] = draw.choice(others)
    return table.rename_columns(names)


def _one_value(table: pa.Table, draw: Random, value: Any) -> pa.Table:
    row = draw.randrange(table.num_rows)
    return _column(
        table,
        draw,
        lambda c: pa.array([value(v) if n == row else v for n, v in enumerate(c.to_pylist())], c.type),
    )


def _strange(value: Any) -> Any:
    match value:
        case str():
            return "\0=1+1\u2028" + value
        case float():
            return float("nan")
        case int():
            return -value
        case _:
            return None


def _long_text(table: pa.Table, draw: Random, size: int) -> pa.Table:
    names = [f.name for f in table.schema if pa.types.is_string(f.type)]
    if not names:
        return table.append_column("extra", pa.array(["x" * size] * table.num_rows))
    name, row = draw.choice(names), draw.randrange(table.num_rows)
    values = ["x" * size if n == row else v for n, v in enumerate(table.column(name).to_pylist())]
    return table.set_column(table.schema.get_field_index(name), name, pa.array(values))


def _wide(table: pa.Table, columns: int) -> pa.Table:
    short = table.slice(0, 5)
    nulls = pa.nulls(len(short), pa.int32())
    arrays = [column.combine_chunks() for column in short.columns]
    names = [*short.schema.names, *(f"extra{n}" for n in range(columns))]
    return pa.table([*arrays, *[nulls] * columns], names=names)


def _many(table: pa.Table, rows: int) -> pa.Table:
    return table.take(pc.multiply(pa.repeat(0, rows), 1))


PARQUET = (
    *BYTES,
    on_bytes("bits flipped in the footer", lambda d, r: flip(d, r, first=_footer(d), last=len(d) - 8)),
    on_bytes("bits flipped in the footer again", lambda d, r: flip(d, r, first=_footer(d), last=len(d) - 8)),
    on_bytes("numbers of the footer changed", _numbers),
    on_bytes("bits flipped in pages", _page),
    on_bytes("bits flipped in pages again", _page),
    on_bytes("another length of the footer", _length),
    on_bytes("another magic", lambda d, r: r.choice([b"PARE", b"ORC1"]) + d[4:-4] + r.choice([b"PARE", d[-4:]])),
    on_bytes("another file before it", lambda d, r: d[: r.randrange(len(d))] + d),
    on_bytes("CSV", lambda d, r: b"person_id,dispensed_on,atc\n1,2010-01-01,N06AB04\n", Must.REFUSE),
    _table("written again", lambda t, r: t, Must.READ),
    _table("compressed", lambda t, r: t, Must.READ, compression="zstd"),
    _table("pages of the second version", lambda t, r: t, Must.READ, data_page_version="2.0"),
    _table("no checksums", lambda t, r: t, Must.READ, write_page_checksum=False),
    _table("many groups of rows", lambda t, r: t, Must.READ, row_group_size=1),
    _table("names swapped", _swapped),
    _table("a column renamed", _renamed),
    _table("a column left away", lambda t, r: t.remove_column(r.randrange(t.num_columns))),
    _table("columns in another order", lambda t, r: t.select(r.sample(t.schema.names, t.num_columns)), Must.READ),
    _table("a column as text", lambda t, r: _cast(t, r, pa.string())),
    _table("a column as bytes", lambda t, r: _cast(t, r, pa.binary())),
    _table("a column as float", lambda t, r: _cast(t, r, pa.float32())),
    _table("a column as double", lambda t, r: _cast(t, r, pa.float64())),
    _table("a column as decimal", lambda t, r: _cast(t, r, pa.decimal128(38, 3))),
    _table("a column as small numbers", lambda t, r: _cast(t, r, pa.uint8())),
    _table("a column as a time", lambda t, r: _cast(t, r, pa.timestamp("ns", "Europe/Stockholm"))),
    _table("a column of true and false", lambda t, r: _cast(t, r, pa.bool_())),
    _table("a column of nothing", lambda t, r: _column(t, r, lambda c: pa.nulls(len(c)))),
    _table("a column of lists", lambda t, r: _column(t, r, lambda c: pa.array([[v] for v in c.to_pylist()]))),
    _table("a column of structs", lambda t, r: _column(t, r, lambda c: pa.array([{"a": v} for v in c.to_pylist()]))),
    _table("a column of codes", lambda t, r: _column(t, r, lambda c: c.combine_chunks().dictionary_encode())),
    _table("a strange value", lambda t, r: _one_value(t, r, _strange)),
    _table("a value left away", lambda t, r: _one_value(t, r, lambda _: None)),
    _table("a text of a megabyte", lambda t, r: _long_text(t, r, _MEGABYTE)),
    _table("a text of 160 megabytes", lambda t, r: _long_text(t, r, 160 * _MEGABYTE), compression="zstd"),
    _table("no rows", lambda t, r: t.slice(0, 0)),
    _table("no columns", lambda t, r: t.select([]), Must.REFUSE),
    _table("rows twice", lambda t, r: pa.concat_tables([t, t])),
    _table("10,000 columns", lambda t, r: _wide(t, 10_000)),
    _table("500,000 rows", lambda t, r: _many(t, 500_000), compression="zstd"),
)
