"""Which files of an export are read, and for which resources."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.fhir.lines import SUFFIXES, read_blocks
from prodromal.sources.fhir.parse import type_of_first
from prodromal.sources.fhir.tables import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

__all__ = ["Contents", "contents", "find_files"]


@dataclass(frozen=True)
class Contents:
    """Files that are read, each with the type of its resources, and files that are not, counted by type."""

    usual: Mapping[Path, str]
    not_read: Mapping[str, int]


def find_files(places: Iterable[Path]) -> tuple[Path, ...]:
    """NDJSON files named, or lying in the folders named, in the order of their paths.

    Raises
    ------
    DataError
        If a folder holds none.
    """
    found: list[Path] = []
    for place in places:
        inside = sorted(p for p in place.rglob("*") if p.name.endswith(SUFFIXES)) if place.is_dir() else [place]
        if not inside:
            raise DataError(f"{place} holds no file that ends in {', '.join(SUFFIXES)}")
        found += inside
    return tuple(dict.fromkeys(found))


def contents(files: Iterable[Path], wanted: Callable[[set[str | None]], set[str]]) -> Contents:
    """Look at the first resource of each file.

    A file that begins with a resource which is not wanted, and bears its name, is not read. Any other is read from
    end to end, and what is not wanted in it is counted.

    Parameters
    ----------
    files : iterable of Path
    wanted : callable
        Gives the types that are wanted, from the types that files begin with.
    """
    types = {file: _type_of(file) for file in files}
    chosen = wanted(set(types.values()))
    usual, not_read = {}, Counter[str]()
    for file, kind in types.items():
        if kind is not None and kind not in chosen and kind.lower() in file.name.lower():
            not_read[kind] += 1
        else:
            usual[file] = kind if kind is not None and kind in RESOURCES else "MedicationDispense"
    return Contents(usual, dict(sorted(not_read.items())))


def _type_of(file: Path) -> str | None:
    block = next(read_blocks(file), None)
    return None if block is None else type_of_first(block)
