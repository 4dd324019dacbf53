"""Writing a register: tables in canonical order, dispensings in parts of whole persons, the manifest last."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from prodromal import __version__
from prodromal.files import sha256, write_text
from prodromal.register.parquet import write_table
from prodromal.tables import Account, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

__all__ = ["FORMAT", "MANIFEST", "RegisterWriter"]

FORMAT = {"format": "prodromal register", "version": 2}
MANIFEST = "register.json"
_ARROW = {
    Kind.DATE: pa.date32(),
    Kind.REAL: pa.float32(),
    Kind.INTEGER: pa.int16(),
    Kind.SEX: pa.dictionary(pa.int8(), pa.string()),
    Kind.ATC: pa.dictionary(pa.int32(), pa.string()),
    Kind.TEXT: pa.dictionary(pa.int32(), pa.string()),
}


class RegisterWriter:
    """Writes tables into a folder that is still private to the writer.

    Parameters
    ----------
    folder : Path
        Existing empty folder.
    person_id : {"BIGINT", "VARCHAR"}
        Type of the ids.
    rows_per_part : int
        About how many dispensings go into a part.
    """

    def __init__(self, folder: Path, *, person_id: str, rows_per_part: int) -> None:
        self._folder = folder
        self._id_type = pa.int64() if person_id == "BIGINT" else pa.string()
        self._rows_per_part = rows_per_part
        self._files: dict[str, list[dict[str, Any]]] = {}
        self._ids: pa.Array = pa.array([], self._id_type)

    def write(self, table: Table, batches: Iterable[pa.RecordBatch]) -> tuple[int, int]:
        """Write sorted batches, dropping rows identical to the row before; ``persons`` must come first.

        Returns
        -------
        (int, int)
            Rows written and duplicates dropped.
        """
        counts = [0, 0]
        distinct = _without_duplicates(batches, table.sort[0], counts)
        schema = pa.schema([(c.name, self._id_type if c.kind is Kind.ID else _ARROW[c.kind]) for c in table.columns])
        chunks = (_conform(chunk, schema) for chunk in distinct)
        if table.name == "dispensings":
            self._write_parts(chunks, schema)
        else:
            whole = pa.concat_tables([schema.empty_table(), *chunks])
            self._write_file(table.name, f"{table.name}.parquet", whole, {})
            if table.name == "persons":
                self._ids = whole.column("person_id").combine_chunks()
        return counts[0], counts[1]

    def write_rejected(self, rejected: pa.Table) -> None:
        """Write the rejected rows beside the register's tables."""
        self._write_file("rejected", "rejected.parquet", rejected, {})

    def finish(
        self, *, accounts: Mapping[str, Account], sources: list[dict[str, Any]], settings: Mapping[str, Any]
    ) -> None:
        """Write the manifest; without it there is no register."""
        manifest = {
            **FORMAT,
            "prodromal": __version__,
            "person_id": "int64" if self._id_type == pa.int64() else "string",
            "persons": len(self._ids),
            "files": self._files,
            "account": {name: account.to_dict() for name, account in accounts.items()},
            "sources": sources,
            "settings": dict(settings),
        }
        write_text(self._folder / MANIFEST, json.dumps(manifest, indent=2, sort_keys=True) + "\n")

    def _write_file(self, name: str, path: str, table: pa.Table, facts: Mapping[str, Any]) -> None:
        target = self._folder / path
        target.parent.mkdir(exist_ok=True)
        write_table(table, target)
        entry = {"path": path, "rows": table.num_rows, "bytes": target.stat().st_size, "sha256": sha256(target)}
        self._files.setdefault(name, []).append({**entry, **facts})

    def _write_parts(self, chunks: Iterable[pa.Table], schema: pa.Schema) -> None:
        ids = self._ids.to_numpy(zero_copy_only=False)
        first, counts = 0, [np.empty(0, dtype=np.int32)]
        for number, (part, next_id) in enumerate(_whole_persons(chunks, schema, self._rows_per_part)):
            end = len(ids) if next_id is None else int(np.searchsorted(ids, next_id))
            path = f"dispensings/part-{number:05d}.parquet"
            self._write_file("dispensings", path, part, {"first_person": first, "persons": end - first})
            counts.append(_rows_per_person(part.column("person_id"), ids[first:end]))
            first = end
        self._write_file(
            "rows_per_person", "rows_per_person.parquet", pa.table({"dispensings": np.concatenate(counts)}), {}
        )


def _rows_per_person(sorted_ids: pa.ChunkedArray, ids: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """How many rows each person has; features find a person's rows by it without reading an id."""
    runs = pc.run_end_encode(sorted_ids.combine_chunks(), run_end_type=pa.int64())
    counts = np.zeros(len(ids), dtype=np.int32)
    for run in [runs] if isinstance(runs, pa.Array) else runs.chunks:
        places = np.searchsorted(ids, run.values.to_numpy(zero_copy_only=False))
        counts[places] += np.diff(run.run_ends.to_numpy(), prepend=0).astype(np.int32)
    return counts


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return pa.table([table.column(field.name).cast(field.type) for field in schema], schema=schema)


def _without_duplicates(batches: Iterable[pa.RecordBatch], key: str, counts: list[int]) -> Iterator[pa.Table]:
    """Rows whose key and fingerprint differ from the row before; sorted input makes identical rows neighbours."""
    last: tuple[Any, int] | None = None
    for batch in batches:
        table = pa.Table.from_batches([batch])
        if not table.num_rows:
            continue
        fingerprint = table.column("fingerprint").to_numpy()
        repeated = np.zeros(len(fingerprint), dtype=bool)
        ids = table.column(key).combine_chunks()
        same_id = pc.equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
        repeated[1:] = same_id & (fingerprint[1:] == fingerprint[:-1])
        repeated[0] = last == (ids[0].as_py(), int(fingerprint[0]))
        last = (ids[-1].as_py(), int(fingerprint[-1]))
        kept = table.filter(pa.array(~repeated)).drop_columns(["fingerprint"])
        counts[0] += kept.num_rows
        counts[1] += int(repeated.sum())
        yield kept


def _whole_persons(
    chunks: Iterable[pa.Table], schema: pa.Schema, rows_per_part: int
) -> Iterator[tuple[pa.Table, Any | None]]:
    """Parts of about `rows_per_part` rows that split no person, each with the first id of the next part."""
    pending = schema.empty_table()
    for chunk in chunks:
        pending = pa.concat_tables([pending, chunk])
        while pending.num_rows > rows_per_part:
            ids = pending.column("person_id").combine_chunks()
            boundary = pc.index(ids, ids[rows_per_part]).as_py()
            if boundary == 0:
                others = pc.not_equal(ids, ids[0])
                boundary = pc.index(others, value=True).as_py()
            if boundary < 0:
                break
            yield pending.slice(0, boundary).combine_chunks(), ids[boundary].as_py()
            pending = pending.slice(boundary).combine_chunks()
    yield pending.combine_chunks(), None
