"""The tables of a delivery inside DuckDB: every row once, typed, with the rule that rejects it (if one does)."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from prodromal.sources import verdicts
from prodromal.sources.delimited import layout, relation, structural_rejects
from prodromal.sources.doses import compute_ddd, read_index
from prodromal.sources.engine import identifier, literal
from prodromal.sources.lines import refuse_lost_lines
from prodromal.sources.matching import dose_columns, find_columns, parse_columns
from prodromal.sources.persons import derive_persons, settle_persons
from prodromal.sources.relation import FILE, ROW, Relation
from prodromal.sources.returns import settle_returns
from prodromal.sources.statement import create, insert, rules_of_persons
from prodromal.tables import TABLES, Account, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    import duckdb
    import pyarrow as pa

    from prodromal.register.order import Written
    from prodromal.sources.delimited import Layout
    from prodromal.sources.spec import Source, TableSource
    from prodromal.sources.steps import Steps

__all__ = ["Staging"]

_BATCH_ROWS = 500_000
# Rows that agree in so many columns of the canonical order are few; the writer puts them in order.
_SORTED_COLUMNS = 3


class Staging:
    """Loads tables into DuckDB, judges their rows and hands the kept ones out sorted.

    A staged table ``x`` holds every row that could be split into columns, its ``rule`` set where parsing rejects it;
    ``out_of_x`` the rows (``rowid``) that are rejected later; ``rejected`` all rejected rows of all tables.

    Parameters
    ----------
    connection : DuckDBPyConnection
        From ``engine.connect``.
    source : Source
        The delivery.
    steps : Steps
        What a killed run has done; it is not done again.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection, source: Source, steps: Steps) -> None:
        self._connection = connection
        self._source = source
        self._steps = steps
        self._repairs: dict[str, list[str]] = {}
        self._shapes: dict[str, Layout] = {}
        self._accounts: dict[str, Account] = {}
        self.loaded: list[str] = []
        self.id_type = "VARCHAR"
        steps.once("made: rejected", lambda: verdicts.create_rejected(connection))

    def load(self, name: str) -> None:
        """Read, type and judge all rows of a table; ``persons`` must come first."""
        settled = self._steps.told(f"settled: {name}") or self._read(name)
        self._repairs[name], self.id_type = settled["repairs"], settled["id_type"]
        self._accounts[name] = Account(name, **settled["account"])
        self.loaded.append(name)

    def _read(self, name: str) -> dict[str, Any]:
        source = self._source.table(name)
        origins = [] if source is None or self._derives(name) else list(self._origins(source))
        placed = any(ROW in origin.types or FILE in origin.types for _, origin in origins)
        once = self._steps.once
        once(f"made: {name}", partial(self._make, name, placed=placed))
        if self._derives(name):
            self._repairs[name] = once(f"derived: {name}", self._derive_persons)["repairs"]
        starts = []
        for number, (place, origin) in enumerate(origins):
            read = once(f"read: {name}: {number}", partial(self._insert, name, place, origin, placed=placed))
            self._repairs[name] = read["repairs"]
            starts.append(read["first"])
        return once(f"settled: {name}", partial(self._settle, name, None if placed else starts))

    def account(self, name: str, written: Written | None = None) -> Account:
        """The account of a loaded table; duplicates among its kept rows are known when it is `written`."""
        found = self._accounts[name]
        if written is None:
            return found
        bits = {repair: written.repaired(1 << bit) for bit, repair in enumerate(self._repairs[name])}
        repaired = {repair: rows for repair, rows in bits.items() if rows}
        kept, duplicate = found.kept - written.duplicate, found.duplicate + written.duplicate
        return replace(found, kept=kept, duplicate=duplicate, repaired=repaired)

    def sorted(self, name: str, since: int | str | None = None) -> Iterator[pa.RecordBatch]:
        """Kept rows in batches, by the first columns of the canonical order, with their fingerprint and repairs.

        Rows that are equal in these columns come in any order. Persons before the id `since` are left away.
        """
        table = TABLES[name]
        ids = self.id_type
        chosen = ", ".join(
            f"CAST({c.name} AS {ids}) AS {c.name}" if c.kind is Kind.ID else c.name for c in table.columns
        )
        order = ", ".join(f"{column} NULLS FIRST" for column in table.sort[:_SORTED_COLUMNS])
        rest = "" if since is None else f" AND {name}.person_id >= {self._id(since)}"
        kept = f"SELECT {chosen}, fingerprint, repairs FROM {verdicts.kept(self._connection, name)}{rest}"
        yield from self._connection.sql(f"SELECT * FROM ({kept}) ORDER BY {order}").to_arrow_reader(_BATCH_ROWS)

    def kept_before(self, name: str, id_: int | str | None) -> int:
        """How many kept rows are of persons before an id; all without one."""
        before = "" if id_ is None else f" AND {name}.person_id < {self._id(id_)}"
        ((rows,),) = self._run(f"SELECT count(*) FROM {verdicts.kept(self._connection, name)}{before}").fetchall()
        return int(rows)

    def rejected(self) -> pa.RecordBatchReader:
        """Rejected rows of all tables: table, file, row (of those that could be split) or line, rule, raw text."""
        order = 'ORDER BY "table", file, row NULLS LAST, line, rule, raw'
        return self._connection.sql(f"SELECT * FROM rejected {order}").to_arrow_reader(_BATCH_ROWS)

    def _run(self, sql: str) -> duckdb.DuckDBPyConnection:
        return self._connection.execute(sql)

    def _id(self, value: int | str) -> str:
        return f"CAST({literal(str(value))} AS {self.id_type})"

    @property
    def _latest(self) -> str:
        return f"DATE '{self._source.extracted_on.isoformat()}'"

    def _derives(self, name: str) -> bool:
        return name == "persons" and self._source.derive_persons

    def _origins(self, source: TableSource) -> Iterator[tuple[str, Relation]]:
        if source.relation is not None:
            yield f"relation of {source.table}", self._described(source.relation)
        for number, file in enumerate(source.files):
            shape = layout(file, self._source)
            rejects = f"rejects_{source.table}_{number}_{len(self.loaded)}"
            lines = None if shape.delimiter is None else structural_rejects(rejects, number)
            self._shapes[str(file)] = shape
            yield str(file), Relation(relation(shape, self._source, rejects), shape.types, rejects=lines)

    def _described(self, origin: Relation) -> Relation:
        if origin.types:
            return origin
        columns = self._run(f"DESCRIBE SELECT * FROM ({origin.sql})").fetchall()
        return replace(origin, types={name: kind for name, kind, *_ in columns})

    def _make(self, name: str, *, placed: bool) -> None:
        self._run(create(TABLES[name], id_type=self.id_type, placed=placed, dosed=self._is_dosed(name)))
        self._run(f"CREATE TABLE out_of_{name} (row BIGINT, rule VARCHAR)")

    def _insert(self, name: str, place: str, origin: Relation, *, placed: bool) -> dict[str, Any]:
        """Load rows of one origin; the ``rowid`` of the first, and the names of the bits of repairs."""
        source, table = self._source.table(name), TABLES[name]
        assert source is not None
        first = self._rows(name)
        found = find_columns(table, source, place, origin.columns, self._source.preset)
        parsed = parse_columns(table, source, self._source, origin.types, found, self.id_type)
        doses = dose_columns(source, self._source, place, origin.types) if self._is_dosed(name) else None
        used = list(found.values())
        self._run(insert(table, parsed, origin, used_columns=used, placed=placed, latest=self._latest, doses=doses))
        if origin.rejects is not None:
            if place in self._shapes:
                shape, encoding, rows = self._shapes[place], self._source.encoding, self._rows(name) - first
                refuse_lost_lines(self._connection, shape, encoding, rows=rows, rejects=origin.rejects)
            verdicts.note_split(self._connection, name, origin.rejects, self._names(name))
        return {"first": first, "repairs": [repair for p in parsed.values() for repair, _ in p.repaired]}

    def _rows(self, name: str) -> int:
        ((rows,),) = self._run(f"SELECT count(*) FROM {name}").fetchall()
        return int(rows)

    def _names(self, name: str) -> list[str]:
        source = self._source.table(name)
        return [file.name for file in source.origins] if source else []

    def _is_dosed(self, name: str) -> bool:
        return name == "dispensings" and self._source.atc_ddd is not None

    def _compute_ddd(self, name: str) -> None:
        assert self._source.atc_ddd is not None
        bits = [1 << (len(self._repairs[name]) + place) for place in range(2)]
        self._repairs[name] += ["ddd_computed", "ddd_ambiguous"]
        compute_ddd(self._connection, read_index(self._source.atc_ddd), *bits)

    def _settle(self, name: str, starts: list[int] | None) -> dict[str, Any]:
        self._repairs.setdefault(name, [])
        if self._is_dosed(name):
            self._compute_ddd(name)
        id_type = self.id_type
        if name == "persons":
            id_type = settle_persons(self._connection, self._latest, self._repairs[name])
        else:
            self._judge_beside_persons(TABLES[name])
        if name == "dispensings":
            settle_returns(self._connection)
        verdicts.note_rejected(self._connection, name, self._names(name), starts)
        account = verdicts.count(self._connection, name)
        return {"repairs": self._repairs[name], "id_type": id_type, "account": account.to_dict()}

    def _judge_beside_persons(self, table: Table) -> None:
        rules = " ".join(f"WHEN {rule.condition} THEN {literal(rule.name)}" for rule in rules_of_persons(table))
        joins = "LEFT JOIN person ON person.person_id = x.person_id"
        if table.name == "relatives":
            joins += " LEFT JOIN person AS relative ON relative.person_id = x.relative_id"
        own = ", ".join(["x.rowid AS row", "x.rule", *(f"x.{column}" for column in table.names)])
        self._run(
            f"""INSERT INTO out_of_{table.name} SELECT row, verdict
            FROM (SELECT x.row, CASE {rules} END AS verdict
                  FROM (SELECT {own}, {self._latest} AS latest FROM {table.name} x WHERE x.rule IS NULL) x {joins})
            WHERE verdict IS NOT NULL"""
        )

    def _derive_persons(self) -> dict[str, Any]:
        dispensings, persons = self._source.table("dispensings"), self._source.table("persons")
        assert dispensings is not None
        selects = []
        for place, origin in self._origins(dispensings):
            found = find_columns(TABLES["dispensings"], dispensings, place, origin.columns, self._source.preset)
            id_column = identifier(found["person_id"])
            selects.append(f"SELECT trim(CAST({id_column} AS VARCHAR)) AS person_id FROM ({origin.sql})")
        derive_persons(self._connection, " UNION ALL ".join(selects), persons.constants if persons else {})
        return {"repairs": ["derived_from_dispensings"]}
