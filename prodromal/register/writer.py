"""Writing a register: tables in canonical order, dispensings in parts of whole persons, the manifest last."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prodromal import __version__
from prodromal.files import sha256
from prodromal.register.counts import counts_of
from prodromal.register.manifest import write_manifest
from prodromal.register.order import Written, in_order, with_sorted_dictionaries
from prodromal.register.parquet import ROW_GROUP_ROWS, read_table, write_table
from prodromal.register.parts import PartDone, rows_per_person, whole_persons
from prodromal.tables import Account, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

__all__ = ["RegisterWriter"]

_ARROW = {
    Kind.DATE: pa.date32(),
    Kind.REAL: pa.float32(),
    Kind.INTEGER: pa.int16(),
    Kind.SEX: pa.dictionary(pa.int8(), pa.string()),
    Kind.ATC: pa.dictionary(pa.int32(), pa.string()),
    Kind.TEXT: pa.dictionary(pa.int32(), pa.string()),
}
_REPAIRS = pa.field("repairs", pa.uint16())


class RegisterWriter:
    """Writes tables into a folder that is still private to the writer.

    Parameters
    ----------
    folder : Path
        Existing folder; what it holds of an earlier run is written over.
    rows_per_part : int
        About how many dispensings go into a part.
    threads : int
        Parts that are written at a time; the files do not depend on it.
    """

    def __init__(self, folder: Path, *, rows_per_part: int, threads: int = 1) -> None:
        self._folder = folder
        self._id_type = pa.string()
        self._rows_per_part = rows_per_part
        self._threads = threads
        self._files: dict[str, list[dict[str, Any]]] = {}
        self._ids: pa.Array = pa.array([], self._id_type)

    def write(
        self,
        table: Table,
        batches: Iterable[pa.RecordBatch],
        *,
        person_id: str,
        done: Sequence[PartDone] = (),
        note: Callable[[PartDone], None] | None = None,
    ) -> Written:
        """Write batches in the order of the table's first sort columns; ``persons`` must come first.

        Parameters
        ----------
        table : Table
            Canonical table.
        batches : iterable of RecordBatch
            Its columns, ``fingerprint`` and ``repairs``; of rows equal in all but the last one is written.
        person_id : {"BIGINT", "VARCHAR"}
            Type of the ids.
        done : sequence of PartDone
            Parts of dispensings that lie in the folder already, the first ones; `batches` begin behind them.
        note : callable, optional
            Called with each part of dispensings once it is written, in their order.

        Returns
        -------
        Written
            Rows written, duplicates dropped, and what was repaired in the rows written.
        """
        self._id_type = pa.int64() if person_id == "BIGINT" else pa.string()
        schema = pa.schema([(c.name, self._id_type if c.kind is Kind.ID else _ARROW[c.kind]) for c in table.columns])
        written = Written()
        if table.name == "dispensings":
            with_repairs = schema.append(_REPAIRS)
            self._write_parts(in_order(batches, with_repairs, table.sort, written), with_repairs, done, note)
            for part in done:
                written.rows += part.entry["rows"]
                written.repairs.update({int(bits): rows for bits, rows in part.repairs.items()})
        else:
            chunks = in_order(batches, schema, table.sort, written)
            whole = pa.concat_tables([schema.empty_table(), *chunks])
            self._add(table.name, self._write_file(f"{table.name}.parquet", whole))
            if table.name == "persons":
                self._ids = whole.column("person_id").combine_chunks()
        return written

    def write_rejected(self, rejected: pa.RecordBatchReader) -> None:
        """Write the rejected rows beside the register's tables."""
        target, rows = self._folder / "rejected.parquet", 0
        with pq.ParquetWriter(target, rejected.schema, compression="zstd", write_page_checksum=True) as sink:
            for table in _of_rows(rejected, ROW_GROUP_ROWS):
                sink.write_table(table)
                rows += table.num_rows
        self._add("rejected", _entry(target, "rejected.parquet", rows))

    def finish(
        self, *, accounts: Mapping[str, Account], sources: list[dict[str, Any]], settings: Mapping[str, Any]
    ) -> None:
        """Write the manifest; without it there is no register."""
        manifest = {
            "prodromal": __version__,
            "person_id": "int64" if self._id_type == pa.int64() else "string",
            "persons": len(self._ids),
            "files": self._files,
            "account": {name: account.to_dict() for name, account in accounts.items()},
            "sources": sources,
            "settings": dict(settings),
        }
        write_manifest(self._folder, manifest)

    def _add(self, name: str, entry: Mapping[str, Any]) -> None:
        self._files.setdefault(name, []).append(dict(entry))

    def _write_file(self, path: str, table: pa.Table) -> dict[str, Any]:
        target = self._folder / path
        target.parent.mkdir(exist_ok=True)
        write_table(with_sorted_dictionaries(table), target)
        return _entry(target, path, table.num_rows)

    def _write_parts(
        self,
        chunks: Iterable[pa.Table],
        schema: pa.Schema,
        done: Sequence[PartDone],
        note: Callable[[PartDone], None] | None,
    ) -> None:
        ids = self._ids.to_numpy(zero_copy_only=False)
        first, counts = 0, [np.empty(0, dtype=np.int32)]
        for part in done:
            end = first + part.entry["persons"]
            written = read_table(self._folder / part.entry["path"], ["person_id"])
            counts.append(rows_per_person(written.column("person_id"), ids[first:end]))
            self._add("dispensings", part.entry)
            first = end
        left = () if done and done[-1].next_id is None else whole_persons(chunks, schema, self._rows_per_part)
        writing: deque[Future[PartDone]] = deque()
        with ThreadPoolExecutor(self._threads) as pool:
            for number, (rows, next_id) in enumerate(left, len(done)):
                end = len(ids) if next_id is None else int(np.searchsorted(ids, next_id))
                if len(writing) == self._threads:
                    self._finish_part(writing.popleft(), note)
                facts = {"first_person": first, "persons": end - first}
                writing.append(pool.submit(self._write_part, number, rows, next_id, facts))
                counts.append(rows_per_person(rows.column("person_id"), ids[first:end]))
                first = end
            while writing:
                self._finish_part(writing.popleft(), note)
        per_person = pa.table({"dispensings": np.concatenate(counts)})
        self._add("rows_per_person", self._write_file("rows_per_person.parquet", per_person))

    def _write_part(self, number: int, rows: pa.Table, next_id: Any, facts: Mapping[str, int]) -> PartDone:
        repairs = np.bincount(rows.column(_REPAIRS.name).to_numpy())
        part = rows.drop_columns([_REPAIRS.name])
        entry = self._write_file(f"dispensings/part-{number:05d}.parquet", part)
        return PartDone(
            {**entry, **facts, **counts_of(part)},
            next_id,
            {str(bits): int(repairs[bits]) for bits in np.flatnonzero(repairs) if bits},
        )

    def _finish_part(self, written: Future[PartDone], note: Callable[[PartDone], None] | None) -> None:
        part = written.result()
        self._add("dispensings", part.entry)
        if note:
            note(part)


def _entry(file: Path, path: str, rows: int) -> dict[str, Any]:
    return {"path": path, "rows": rows, "bytes": file.stat().st_size, "sha256": sha256(file)}


def _of_rows(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.Table]:
    """Tables of so many rows, the last of what is left, whatever the batches."""
    held: list[pa.RecordBatch] = []
    for batch in batches:
        held.append(batch)
        if sum(b.num_rows for b in held) >= rows:
            table = pa.Table.from_batches(held).combine_chunks()
            whole = table.num_rows // rows * rows
            yield from (table.slice(start, rows) for start in range(0, whole, rows))
            held = table.slice(whole).to_batches()
    if held:
        yield pa.Table.from_batches(held)
