"""The tables of a delivery inside DuckDB: every row once, typed, with the rule that rejects it (if one does)."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.columns import Parsed, SourceColumn, absent, parse
from prodromal.sources.delimited import Layout, layout, relation, structural_rejects
from prodromal.sources.engine import identifier, literal
from prodromal.sources.persons import derive_persons, settle_persons
from prodromal.sources.presets import PRESETS
from prodromal.sources.statement import create, insert
from prodromal.tables import TABLES, Column, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import duckdb
    import pyarrow as pa

    from prodromal.sources.spec import Source, TableSource

__all__ = ["Staging"]

_BATCH_ROWS = 500_000


class Staging:
    """Loads tables into DuckDB and hands them out sorted.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``engine.connect``.
    source : Source
        The delivery.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source) -> None:
        self._connection = connection
        self._source = source
        self._repairs: dict[str, list[str]] = {}
        self.loaded: list[str] = []
        self.id_type = "VARCHAR"

    def load(self, name: str) -> None:
        """Read, type and judge all rows of a table; ``persons`` must come first."""
        self._connection.execute(create(TABLES[name]))
        source = self._source.table(name)
        if name == "persons" and self._source.derive_persons:
            self._derive_persons()
        elif source is not None:
            for number, file in enumerate(source.files):
                self._load_file(TABLES[name], source, number, file)
        self.loaded.append(name)
        if name == "persons":
            self._repairs[name].append("observed_to_shortened")
            self.id_type = settle_persons(self._connection, self._latest, 1 << (len(self._repairs[name]) - 1))

    def count(self, name: str) -> Counter[str]:
        """Rows by rule; the empty rule counts the rows kept so far."""
        rows = self._connection.execute(f"SELECT coalesce(rule, ''), count(*) FROM {name} GROUP BY ALL").fetchall()
        return Counter(dict(rows))

    def repaired(self, name: str) -> dict[str, int]:
        """Kept rows by what was repaired in them."""
        names = self._repairs[name]
        if not names:
            return {}
        sums = ", ".join(f"count_if(repairs & {1 << bit} > 0)" for bit in range(len(names)))
        (row,) = self._connection.execute(f"SELECT {sums} FROM {name} WHERE rule IS NULL").fetchall()
        return {repair: rows for repair, rows in zip(names, row, strict=True) if rows}

    def sorted(self, name: str) -> Iterator[pa.RecordBatch]:
        """Kept rows in canonical order with their fingerprint, in batches."""
        table = TABLES[name]
        chosen = ", ".join(
            f"CAST({c.name} AS {self.id_type}) AS {c.name}" if c.kind is Kind.ID else c.name for c in table.columns
        )
        order = ", ".join(f"{column} NULLS FIRST" for column in (*table.sort, "fingerprint"))
        result = self._connection.sql(
            f"SELECT * FROM (SELECT {chosen}, fingerprint FROM {name} WHERE rule IS NULL) ORDER BY {order}"
        )
        yield from result.to_arrow_reader(_BATCH_ROWS)

    def rejected(self) -> pa.Table:
        """Rejected rows of all tables: table, file, row (of those that could be split) or line, rule, raw text."""
        parts = []
        for name in self.loaded:
            source = self._source.table(name)
            files = ", ".join(literal(file.name) for file in source.files) if source else ""
            parts.append(
                f'SELECT {literal(name)} AS "table", (CAST([{files}] AS VARCHAR[]))[file + 1] AS file, '
                f"row, line, rule, raw FROM {name} WHERE rule IS NOT NULL AND rule <> 'duplicate'"
            )
        order = 'ORDER BY "table", file, row NULLS LAST, line, rule'
        return self._connection.sql(f"{' UNION ALL '.join(parts)} {order}").to_arrow_table()

    @property
    def _latest(self) -> str:
        return f"DATE '{self._source.extracted_on.isoformat()}'"

    def _load_file(self, table: Table, source: TableSource, number: int, file: Path) -> None:
        shape = layout(file, self._source)
        found = self._find_columns(table, source, shape)
        parsed = {column.name: self._parse(column, source, shape, found) for column in table.columns}
        self._repairs[table.name] = [name for p in parsed.values() for name, _ in p.repaired]
        rejects = f"rejects_{table.name}_{number}"
        self._connection.execute(
            insert(
                table,
                parsed,
                file=number,
                origin=relation(shape, self._source, rejects),
                all_columns=shape.types,
                used_columns=found.values(),
                latest=self._latest,
            )
        )
        if shape.delimiter is not None:
            self._connection.execute(
                f"INSERT INTO {table.name} (file, line, rule, raw) {structural_rejects(rejects, number)}"
            )

    def _find_columns(self, table: Table, source: TableSource, shape: Layout) -> dict[str, str]:
        known = PRESETS[self._source.preset].names.get(table.name, {}) if self._source.preset else {}
        by_lower = {name.lower(): name for name in shape.types}
        found = {}
        for column in table.columns:
            if column.name in source.constants:
                continue
            asked = source.columns.get(column.name)
            if asked is not None and asked not in shape.types:
                raise DataError(f"{shape.file}: no column '{asked}' for {column.name}; it has {_listed(shape)}")
            names = (column.name, *known.get(column.name, ()))
            match = asked or next((by_lower[name] for name in map(str.lower, names) if name in by_lower), None)
            if match is not None:
                found[column.name] = match
            elif column.required:
                raise DataError(
                    f"{shape.file}: no column for {table.name}.{column.name} ({column.meaning}); it has "
                    f"{_listed(shape)}. Name it with --map {table.name}.{column.name}=COLUMN, or give all rows one "
                    f"value with --set {table.name}.{column.name}=VALUE"
                )
        return found

    def _parse(self, column: Column, source: TableSource, shape: Layout, found: dict[str, str]) -> Parsed:
        if column.name in source.constants:
            return parse(column, SourceColumn(literal(source.constants[column.name]), "VARCHAR"))
        if column.name not in found:
            return absent(column)
        name = found[column.name]
        return parse(
            column, SourceColumn(identifier(name), shape.types[name], self._source.date_format, self._source.decimal)
        )

    def _derive_persons(self) -> None:
        dispensings, persons = self._source.table("dispensings"), self._source.table("persons")
        assert dispensings is not None
        selects = []
        for number, file in enumerate(dispensings.files):
            shape = layout(file, self._source)
            name = self._find_columns(TABLES["dispensings"], dispensings, shape)["person_id"]
            column = SourceColumn(identifier(name), shape.types[name])
            origin = relation(shape, self._source, f"rejects_ids_{number}")
            selects.append(f"SELECT {column.text} AS person_id FROM {origin} WHERE {column.given}")
        self._repairs["persons"] = ["derived_from_dispensings"]
        derive_persons(self._connection, " UNION ALL ".join(selects), persons.constants if persons else {})


def _listed(shape: Layout) -> str:
    names = list(shape.types)
    return ", ".join(names[:20]) + (f" and {len(names) - 20} more" if len(names) > 20 else "")
