"""A register that the driver made without dispensings gets those that executors wrote."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prodromal.distributed.rejected_rows import rejected_rows
from prodromal.files import sha256
from prodromal.register.manifest import read_manifest, write_manifest
from prodromal.register.parquet import read_table, write_table
from prodromal.register.writer import RegisterWriter
from prodromal.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prodromal.distributed.delivered import Delivered
    from prodromal.distributed.staged import Staged

__all__ = ["add_dispensings"]


def add_dispensings(
    folder: Path,
    parts: list[dict[str, Any]],
    staged: Staged,
    sources: list[dict[str, Any]],
    delivery: Mapping[str, Delivered],
) -> None:
    """Write what belongs to the parts, and name all of it in the manifest.

    Parameters
    ----------
    folder : Path
        Of the register.
    parts : list of dict
        What the manifest is to say of each part.
    staged : Staged
        Their account, dispensings of each person, and rejected rows.
    sources : list of dict
        What the manifest is to say of where dispensings come from.
    delivery : mapping of str to Delivered
        By table.
    """
    manifest = read_manifest(folder)
    write_table(pa.table({"dispensings": staged.rows}), folder / "rows_per_person.parquet")
    files = manifest["files"]
    files["dispensings"] = parts
    files["rows_per_person"] = [_entry(folder / "rows_per_person.parquet", len(staged.rows))]
    rejected = rejected_rows(read_table(folder / "rejected.parquet"), staged.rejected, delivery)
    RegisterWriter(folder, rows_per_part=1).write_rejected(rejected.to_reader())
    files["rejected"] = [_entry(folder / "rejected.parquet", rejected.num_rows)]
    manifest["account"]["dispensings"] = staged.account.to_dict()
    by_name = [one.by_name for name, one in delivery.items() if not one.files and name != "dispensings"]
    with_files = [entry for entry in manifest["sources"] if delivery[entry["table"]].files]
    manifest["sources"] = sorted([*with_files, *by_name, *sources], key=lambda entry: [*TABLES].index(entry["table"]))
    manifest["settings"]["simulated"] |= delivery["dispensings"].is_simulated
    write_manifest(folder, manifest)


def _entry(file: Path, rows: int) -> dict[str, Any]:
    return {"path": file.name, "rows": rows, "bytes": file.stat().st_size, "sha256": sha256(file)}
