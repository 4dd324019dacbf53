"""Whether two runs of an ingest are the same job: what they read, how, and what with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import fields, is_dataclass
from datetime import date
from enum import Enum
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from prodromal import __version__

if TYPE_CHECKING:
    from prodromal.sources.spec import Source

__all__ = ["files_of", "job_of", "seen"]

_PLAIN = (int, float, type(None))
_CHUNK = 1 << 20


class _NotToldApartError(Exception):
    pass


def files_of(source: Source) -> list[tuple[str, Path]]:
    """Every file that is read, with the table that it serves."""
    named = [(table.table, file) for table in source.tables for file in table.origins]
    named += [(source.name, path) for path in source.readable]
    named += [("atc_ddd", source.atc_ddd)] if source.atc_ddd else []
    return [(table, file) for table, file in named if file.is_file()]


def seen(source: Source) -> dict[str, list[int]]:
    """Size and times of every file (ns): of its content, and of any change, which nobody can set back."""
    states = {file.resolve(): file.stat() for _, file in files_of(source)}
    return {str(file): [state.st_size, state.st_mtime_ns, state.st_ctime_ns] for file, state in states.items()}


def job_of(source: Source, **settings: Any) -> str | None:
    """A hash that is the same for the same job; None if that cannot be told, as it cannot of a server.

    Parameters
    ----------
    source : Source
        Before it is prepared.
    **settings
        What else decides the bytes of the register.
    """
    import duckdb
    import pyarrow as pa

    with_ = {"prodromal": __version__, "duckdb": duckdb.__version__, "pyarrow": pa.__version__}
    try:
        told = _plain([source, with_, settings, seen(source)])
    except _NotToldApartError:
        return None
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _plain(value: Any) -> Any:
    """A value in lists and plain values that JSON can hold, names of types beside it."""
    kind = type(value).__qualname__
    if isinstance(value, Enum):
        return [kind, value.name]
    if isinstance(value, _PLAIN):
        return value
    if isinstance(value, str):
        return value if len(value) < _CHUNK else [kind, _hash_of(value)]
    if isinstance(value, Path | date):
        return [kind, str(value.resolve() if isinstance(value, Path) else value)]
    if isinstance(value, Mapping):
        return [kind, [[_plain(key), _plain(held)] for key, held in value.items()]]
    if isinstance(value, tuple | list):
        return [kind, [_plain(held) for held in value]]
    if isinstance(value, AbstractSet):
        return [kind, sorted(json.dumps(_plain(held)) for held in value)]
    return [kind, _of_object(value)]


def _hash_of(text: str) -> str:
    """Of a text that should not be copied: a code in a hostile file may have any length."""
    digest = hashlib.sha256()
    for start in range(0, len(text), _CHUNK):
        digest.update(text[start : start + _CHUNK].encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _of_object(value: Any) -> Any:
    if isinstance(value, partial):
        return _plain([value.func, value.args, value.keywords])
    if isinstance(value, MethodType):
        return _plain([value.__func__, value.__self__])
    if isinstance(value, FunctionType) and value.__module__.startswith("prodromal."):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        return _plain([value.__module__, value.__qualname__, cells])
    if type(value).__module__.startswith("pyarrow"):
        return str(value)
    # A class that does not show itself keeps a secret, and stands for a server, which may change unseen.
    if is_dataclass(value) and "__repr__" in vars(type(value)):
        return [[field.name, _plain(getattr(value, field.name))] for field in fields(value) if field.compare]
    raise _NotToldApartError
