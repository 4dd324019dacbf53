"""From a block of lines to rows of the tables: every line that is not empty becomes one row."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import orjson

from prodromal.sources.fhir.tables import RESOURCES, TABLES

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import pyarrow as pa

    from prodromal.sources.fhir.lines import Block
    from prodromal.sources.fhir.pick import Picks, Row

__all__ = ["Parsed", "parse", "type_of_first"]

_RAW_BYTES = 4096
_STRUCTURE = (KeyError, TypeError, AttributeError, ValueError, OverflowError, RecursionError)
_TYPES = {"VARCHAR": (str,), "DOUBLE": (int, float)}


@dataclass(frozen=True)
class Parsed:
    """Rows by table, resources by type (lines that are none under the empty name), and servers referred to."""

    tables: Mapping[str, pa.Table]
    read: Counter[str]
    servers: frozenset[str]


def parse(block: Block, number: int, usual: str, picks: Picks) -> Parsed:
    """Read a block of file `number`; lines that are no resource of ours go with those of the `usual` type."""
    picks = replace(picks, servers=set())
    by_type = picks.by_type
    rows: dict[str, list[Row]] = defaultdict(list)
    read: Counter[str] = Counter()
    for row, line in enumerate([block.data] if block.too_long else block.data.split(b"\n"), block.first):
        if not line:
            continue
        try:
            resource = orjson.loads(line)
            kind = resource["resourceType"]
            picked = by_type[kind](resource)
            if _quotes_differ(line, resource):
                _refuse_repeated_keys(line)
        except _STRUCTURE:
            if line.strip():
                rule, kind = ("line_too_long", "") if block.too_long else _what_is_wrong(line)
                rows[_table_of(kind, usual)].append(_unread(number, row, line, rule))
                read[kind] += 1
        else:
            rows[RESOURCES[kind]].append((number, row, None, *picked))
            read[kind] += 1
    tables = {name: _typed(found, TABLES[name]) for name, found in rows.items()}
    return Parsed(tables, read, frozenset(picks.servers))


def type_of_first(block: Block) -> str | None:
    """Type of the first resource of a block; None if it begins otherwise."""
    try:
        return str(orjson.loads(block.data.lstrip().partition(b"\n")[0])["resourceType"])
    except _STRUCTURE:
        return None


def _table_of(kind: str, usual: str) -> str:
    """Where a line that could not be read is accounted for; products have no account of their own."""
    table = RESOURCES.get(kind) or RESOURCES[usual]
    return "fhir_supply" if table == "fhir_medication" else table


def _unread(number: int, row: int, line: bytes, rule: str | None) -> Row:
    if rule is None:
        return number, row, None, None, "other_resource"
    return number, row, line[:_RAW_BYTES].decode("utf-8", "replace"), rule, None


def _what_is_wrong(line: bytes) -> tuple[str | None, str]:
    """Rule that rejects a line (None: a resource of a type that is not read) and the type of its resource."""
    try:
        resource = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        return ("too_deep" if "depth" in str(error) else "not_json"), ""
    if not isinstance(resource, dict):
        return "not_an_object", ""
    kind = resource.get("resourceType")
    if not isinstance(kind, str) or not kind.isalpha() or len(kind) > 64:
        return "no_resource_type", ""
    if kind not in RESOURCES:
        return None, kind
    try:
        orjson.dumps(resource)
        _refuse_repeated_keys(line)
    except (orjson.JSONEncodeError, RecursionError):
        return "too_deep", kind
    except ValueError:
        return "repeated_key", kind
    return "wrong_structure", kind


def _quotes_differ(line: bytes, resource: Any) -> bool:
    """Whether a key may stand there twice: the reader keeps one of two equal keys, so that quotation marks are lost."""
    return orjson.dumps(resource).count(b'"') != line.count(b'"') or b"\\u0022" in line


def _refuse_repeated_keys(line: bytes) -> None:
    json.loads(line, object_pairs_hook=_once)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands there twice")
    return found


def _typed(rows: list[Row], columns: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    full = [row if len(row) == len(columns) else (*row, *[None] * (len(columns) - len(row))) for row in rows]
    try:
        return _table(full, columns)
    except (pa.ArrowException, *_STRUCTURE):
        return _table([_only_fitting(row, columns) for row in full], columns)


def _table(rows: Iterable[Row], columns: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    kinds = {"VARCHAR": pa.string(), "INTEGER": pa.int32(), "BIGINT": pa.int64(), "DOUBLE": pa.float64()}
    cells = zip(columns.items(), zip(*rows, strict=True), strict=True)
    return pa.table({name: pa.array(values, kinds[kind]) for (name, kind), values in cells})


def _only_fitting(row: Row, columns: Mapping[str, str]) -> Row:
    """The row, or its place alone where a field holds a value of another type."""
    kinds = list(columns.values())
    fits = all(
        value is None or kind not in _TYPES or isinstance(value, _TYPES[kind])
        for value, kind in zip(row, kinds, strict=True)
    )
    if not fits:
        return (*row[:2], None, "wrong_structure", None, *[None] * (len(row) - 5))
    return tuple(float(v) if kind == "DOUBLE" and v is not None else v for v, kind in zip(row, kinds, strict=True))
