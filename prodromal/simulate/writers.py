"""Tables to disk as they come, in Parquet or CSV, with flat memory and bytes that depend on nothing but the content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

__all__ = ["FileFormat", "PartWriter", "TableWriter"]

FileFormat = Literal["parquet", "csv"]
_ROW_GROUP = 500_000
_SMALL_ROW_GROUP = 50_000


class TableWriter:
    """One file, written in row groups of equal size as tables arrive.

    Parameters
    ----------
    path
        The file, without its ending.
    file_format
        "parquet" or "csv".
    row_group
        Rows of a row group, and the most that wait in memory.
    """

    def __init__(self, path: Path, file_format: FileFormat, row_group: int = _SMALL_ROW_GROUP) -> None:
        self._path = path.with_name(f"{path.name}.{file_format}")
        self._format = file_format
        self._row_group = row_group
        self._sink: pq.ParquetWriter | pc.CSVWriter | None = None
        self._waiting: list[pa.Table] = []
        self._rows_waiting = 0
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep=kind is None)

    def append(self, table: pa.Table) -> None:
        """Take a table; whole row groups go to disk."""
        self._waiting.append(table)
        self._rows_waiting += table.num_rows
        self.rows += table.num_rows
        if self._rows_waiting >= self._row_group:
            merged = pa.concat_tables(self._waiting)
            whole = self._rows_waiting // self._row_group * self._row_group
            self._write(merged.slice(0, whole))
            self._waiting = [merged.slice(whole)] if whole < merged.num_rows else [merged.slice(0, 0)]
            self._rows_waiting -= whole

    def close(self, *, keep: bool = True) -> None:
        """Write what is waiting and close the file."""
        if keep and self._waiting and (self._rows_waiting or self._sink is None):
            self._write(pa.concat_tables(self._waiting))
        if self._sink is not None:
            self._sink.close()
        self._waiting, self._sink = [], None

    def _write(self, table: pa.Table) -> None:
        if self._sink is None:
            self._sink = self._opened(table.schema)
        if isinstance(self._sink, pq.ParquetWriter):
            self._sink.write_table(table, row_group_size=self._row_group)
        else:
            self._sink.write_table(_plain(table))

    def _opened(self, schema: pa.Schema) -> pq.ParquetWriter | pc.CSVWriter:
        if self._format == "csv":
            return pc.CSVWriter(
                self._path, _plain(schema.empty_table()).schema, write_options=pc.WriteOptions(quoting_style="needed")
            )
        dictionary = [
            field.name
            for field in schema
            if field.name in {"atc", "sex", "class", "relation", "ddd", "days_supply", "quantity"}
        ]
        return pq.ParquetWriter(
            self._path,
            schema,
            compression="zstd",
            compression_level=1,
            use_dictionary=dictionary,
            write_page_checksum=True,
        )


class PartWriter:
    """Numbered files of whole persons; a file is closed once it holds enough of them."""

    def __init__(self, folder: Path, file_format: FileFormat, persons_per_part: int) -> None:
        self._folder = folder
        self._format = file_format
        self._persons_per_part = persons_per_part
        self._part: TableWriter | None = None
        self._persons = 0
        self.parts = 0
        self.rows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close(keep=kind is None)

    def append(self, table: pa.Table, persons: int) -> None:
        """Take the rows of some whole persons."""
        if self._part is None:
            self._part = TableWriter(self._folder / f"part-{self.parts:05d}", self._format, _ROW_GROUP)
            self.parts += 1
        self._part.append(table)
        self.rows += table.num_rows
        self._persons += persons
        if self._persons >= self._persons_per_part:
            self.close()

    def close(self, *, keep: bool = True) -> None:
        """Close the open part."""
        if self._part is not None:
            self._part.close(keep=keep)
        self._part, self._persons = None, 0


def _plain(table: pa.Table) -> pa.Table:
    for index, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            table = table.set_column(index, field.name, table.column(index).cast(field.type.value_type))
    return table
