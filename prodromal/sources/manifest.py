"""What the manifest of a register says of where it comes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prodromal.files import sha256
from prodromal.sources.job import files_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prodromal.sources.spec import Source

__all__ = ["settings_of", "sources_of"]


def sources_of(source: Source) -> list[dict[str, Any]]:
    """Name, size and hash of every file, one entry for each table that it serves."""
    hashes: dict[Path, str] = {}
    found = []
    for table, file in files_of(source):
        hashes[file] = hashes.get(file) or sha256(file)
        found.append({"table": table, "file": file.name, "bytes": file.stat().st_size, "sha256": hashes[file]})
    return found


def settings_of(source: Source, facts: Mapping[str, Any]) -> dict[str, Any]:
    """How the delivery was read, and what the source had to say besides."""
    return {
        "preset": source.preset,
        "date_format": source.date_format,
        "extracted_on": source.extracted_on.isoformat(),
        "max_rejected": source.max_rejected,
        "simulated": _is_simulated(source),
        "source": source.name,
        source.name: dict(facts),
    }


def _is_simulated(source: Source) -> bool:
    """Whether a file comes from `prodromal simulate`, which leaves its account beside what it writes."""
    folders = {
        folder for table in source.tables for file in table.origins for folder in (file.parent, file.parent.parent)
    }
    return any((folder / "simulation.json").is_file() for folder in folders)
