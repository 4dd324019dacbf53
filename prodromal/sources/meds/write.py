"""A register as a MEDS dataset, part by part; ``Meds`` reads it back to the same register."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from prodromal import __version__
from prodromal.errors import DataError
from prodromal.files import atomic_folder, write_text
from prodromal.sources.meds.events import SCHEMA, of_dispensings, of_persons, of_table
from prodromal.sources.meds.vocabulary import EXTENSIONS, Vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from prodromal.register import Register

__all__ = ["Written", "write_meds"]

MEDS_VERSION = "0.4.1"
_WORDS = Vocabulary()
_BEFORE_ALL = -(2**63)


@dataclass(frozen=True)
class Written:
    """What was written: the folder, subjects and events."""

    folder: Path
    subjects: int
    events: int


def write_meds(register: Register, folder: Path, *, splits: pa.Table | None = None, replace: bool = False) -> Written:
    """Write a register as a MEDS dataset.

    Parameters
    ----------
    register : Register
        Its ids must be whole numbers.
    folder : Path
        Root of the dataset; it appears complete or not at all.
    splits : pyarrow.Table, optional
        Columns ``person_id`` and ``split``, written as ``metadata/subject_splits.parquet``.
    replace : bool
        Whether an existing folder may be replaced.

    Returns
    -------
    Written

    Raises
    ------
    DataError
        If ids are not whole numbers, or `splits` names a person who is not in the register.

    Notes
    -----
    Days become midnights. ``numeric_value`` of a dispensing holds its DDDs; DDDs, days of supply and quantity stand in
    extension columns of their names besides. The beginning and end of observation are events of their own, since MEDS
    has none.
    """
    if register.manifest["person_id"] != "int64":
        raise DataError(f"{register.folder}: MEDS needs whole numbers as ids, and the register has text")
    events, codes = 0, set[str]()
    with atomic_folder(folder, replace=replace) as root:
        for name in ("data", "metadata"):
            (root / name).mkdir()
        for number, shard in enumerate(_shards(register)):
            pq.write_table(shard, root / "data" / f"{number}.parquet", compression="zstd", write_page_checksum=True)
            events += shard.num_rows
            codes |= set(pc.unique(shard.column("code")).to_pylist())
        pq.write_table(_code_metadata(codes), root / "metadata" / "codes.parquet", write_page_checksum=True)
        if splits is not None:
            _write_splits(register, splits, root / "metadata" / "subject_splits.parquet")
        write_text(root / "metadata" / "dataset.json", json.dumps(_description(register), indent=1) + "\n")
    return Written(folder, len(register.persons), events)


def _shards(register: Register) -> Any:
    persons = register.table("persons")
    ids = persons.column("person_id").to_numpy()
    others = {name: register.table(name) for name in ("outcomes", "relatives", "follow_up") if register.has(name)}
    for part in register.parts:
        first, end = part.first_person, part.first_person + part.persons
        tables = [
            *of_persons(persons.slice(first, part.persons), _WORDS),
            of_dispensings(part.read(["person_id", "dispensed_on", "atc", "ddd", "days_supply", "quantity"]), _WORDS),
        ]
        for name, table in others.items():
            owners = table.column("person_id").to_numpy()
            low, high = np.searchsorted(owners, [ids[first], ids[end - 1]]) if part.persons else (0, 0)
            high = np.searchsorted(owners, ids[end - 1], side="right") if part.persons else 0
            tables.append(of_table(name, table.slice(low, high - low), _WORDS))
        whole = pa.concat_tables(tables)
        moment = pc.fill_null(whole.column("time").cast(pa.int64()), _BEFORE_ALL)
        keys = [(name, "ascending") for name in ("subject_id", "moment", "place")]
        order = pc.sort_indices(whole.append_column("moment", moment), keys)
        yield whole.take(order).select(SCHEMA.names)


def _code_metadata(codes: set[str]) -> pa.Table:
    ordered = sorted(codes)
    parents = [_parents(code) for code in ordered]
    return pa.table(
        {
            "code": pa.array(ordered, pa.string()),
            "description": pa.nulls(len(ordered), pa.string()),
            "parent_codes": pa.array(parents, pa.list_(pa.string())),
        }
    )


def _parents(code: str) -> list[str] | None:
    """The ATC group one level up, as MEDS names parents: vocabulary, one stroke, code."""
    word = code.removeprefix(_WORDS.atc[0])
    shorter = {7: 5, 5: 4, 4: 3, 3: 1}.get(len(word))
    return [f"ATC/{word[:shorter]}"] if word != code and shorter else None


def _write_splits(register: Register, splits: pa.Table, path: Path) -> None:
    rows = register.persons.rows(splits.column("person_id").to_numpy())
    if unknown := int((rows < 0).sum()):
        raise DataError(f"splits: {unknown} of {len(splits)} people are not in {register.folder}")
    columns = {
        "subject_id": splits.column("person_id").cast(pa.int64()),
        "split": splits.column("split").cast(pa.string()),
    }
    pq.write_table(pa.table(columns), path, write_page_checksum=True)


def _description(register: Register) -> dict[str, Any]:
    return {
        "dataset_name": register.folder.name,
        "dataset_version": register.fingerprint,
        "etl_name": "prodromal",
        "etl_version": __version__,
        "meds_version": MEDS_VERSION,
        "additional_value_modality_columns": [name for name in EXTENSIONS if name in SCHEMA.names],
        "raw_source_id_columns": ["event_number"],
    }
