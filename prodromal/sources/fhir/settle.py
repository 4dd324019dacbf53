"""What the loaded resources say together: one version of each, one record of each person, the codes of each product."""

from __future__ import annotations

from collections import Counter
from itertools import islice
from typing import TYPE_CHECKING, Any

from prodromal.sources.fhir.tables import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import duckdb

    from prodromal.sources.fhir.drugs import Codes

__all__ = ["settle_codes", "settle_persons", "settle_versions"]

_PAIRS = 100_000
_INSTANT = "CASE WHEN regexp_matches(updated, '(Z|[+-][0-9:]{5,6})$') THEN updated ELSE updated || 'Z' END"
_VERSION_NUMBER = "CASE WHEN regexp_full_match(version, '[0-9]{1,18}') THEN CAST(version AS BIGINT) END"


def settle_versions(connection: duckdb.DuckDBPyConnection) -> None:
    """Mark all but the latest version of each resource as ``duplicate``.

    The latest has the greatest ``meta.lastUpdated``, then the greatest ``meta.versionId``. Where the latest is there
    with two different contents, all of these are marked ``conflicting_version``.
    """
    for table, columns in COLUMNS.items():
        kind = "resource" if table == "fhir_supply" else "0"
        content = f"hash({', '.join(columns)}, left_out)"
        connection.execute(
            f"""CREATE OR REPLACE TABLE fhir_repeated AS
            SELECT file, row, {kind} AS kind, id, {content} AS content,
                   epoch_us(try_cast({_INSTANT} AS TIMESTAMPTZ)) AS instant, {_VERSION_NUMBER} AS number, version
            FROM {table} WHERE (kind, id) IN
                (SELECT (kind, id) FROM (SELECT {kind} AS kind, id FROM {table} WHERE rule IS NULL AND id IS NOT NULL)
                 GROUP BY ALL HAVING count(*) > 1) AND rule IS NULL"""
        )
        connection.execute(
            f"""UPDATE {table} SET rule = judged.rule, left_out = NULL FROM (
                SELECT file, row, CASE WHEN place > 1 THEN 'duplicate'
                    WHEN min(content) OVER latest < max(content) OVER latest THEN 'conflicting_version'
                    WHEN row_number() OVER (latest ORDER BY file, row) > 1 THEN 'duplicate' END AS rule
                FROM (SELECT *, rank() OVER (PARTITION BY kind, id ORDER BY instant DESC NULLS LAST,
                             number DESC NULLS LAST, version DESC NULLS LAST) AS place FROM fhir_repeated)
                WINDOW latest AS (PARTITION BY kind, id, place)) AS judged
            WHERE judged.rule IS NOT NULL AND {table}.file = judged.file AND {table}.row = judged.row"""
        )
    connection.execute("DROP TABLE fhir_repeated")


def settle_persons(connection: duckdb.DuckDBPyConnection) -> Counter[str]:
    """Follow links from replaced records to the record that stands for the person now.

    Makes the table ``fhir_replaced``: `old` and `person_id`, NULL where links run in a circle or to two records.

    Returns
    -------
    Counter
        Links by what became of them: ``merged``, ``conflicting``, ``target_absent``, ``other``.
    """
    links = connection.cursor().execute(
        """SELECT l.id, split_part(link, ' ', 1), split_part(link, ' ', 2), there.id IS NOT NULL
        FROM (SELECT id, unnest(string_split(links, chr(10))) AS link FROM fhir_patient WHERE rule IS NULL) l
        LEFT JOIN (SELECT DISTINCT id FROM fhir_patient WHERE rule IS NULL) there ON there.id = split_part(link, ' ', 2)
        ORDER BY ALL"""
    )
    counted: Counter[str] = Counter()
    newer: dict[str, set[str]] = {}
    for own, kind, other, there in _rows(links):
        if kind not in {"replaced-by", "replaces"}:
            counted["other"] += 1
        elif not there:
            counted["target_absent"] += 1
        else:
            old, new = (own, other) if kind == "replaced-by" else (other, own)
            newer.setdefault(old, set()).add(new)
    final = {old: _end_of(old, newer) for old in newer}
    counted["merged"] = sum(end is not None for end in final.values())
    counted["conflicting"] = len(final) - counted["merged"]
    connection.execute("CREATE TABLE fhir_replaced (old VARCHAR PRIMARY KEY, person_id VARCHAR)")
    _insert(connection, "fhir_replaced", final.items())
    return +counted


def settle_codes(connection: duckdb.DuckDBPyConnection, codes: Codes) -> None:
    """Make the table ``fhir_code``: for each set of codings its ATC codes, or why there are none.

    Columns `concept`, `copy` (0, 1, ... for the first, second, ... code), `atc`, `left_out`, and `way` (``atc``,
    ``mapped`` or NULL).
    """
    connection.execute(
        "CREATE TABLE fhir_code (concept VARCHAR, copy INTEGER, atc VARCHAR, left_out VARCHAR, way VARCHAR)"
    )
    concepts = connection.cursor().execute(
        "SELECT DISTINCT concept FROM (SELECT concept FROM fhir_supply UNION ALL SELECT concept FROM fhir_medication) "
        "WHERE concept IS NOT NULL"
    )
    _insert(connection, "fhir_code", (row for (text,) in _rows(concepts) for row in codes.rows(text)))


def _end_of(old: str, newer: Mapping[str, set[str]]) -> str | None:
    seen = {old}
    place = old
    while place in newer:
        if len(newer[place]) > 1:
            return None
        (place,) = newer[place]
        if place in seen:
            return None
        seen.add(place)
    return place


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while rows := cursor.fetchmany(_PAIRS):
        yield from rows


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: Iterable[tuple[object, ...]]) -> None:
    import pyarrow as pa

    columns = [name for name, *_ in connection.execute(f"DESCRIBE {table}").fetchall()]
    kinds = [pa.int32() if name == "copy" else pa.string() for name in columns]
    left = iter(rows)
    while pending := list(islice(left, _PAIRS)):
        cells = zip(columns, zip(*pending, strict=True), kinds, strict=True)
        connection.register("batch", pa.table({name: pa.array(values, kind) for name, values, kind in cells}))
        connection.execute(f"INSERT INTO {table} SELECT * FROM batch")
        connection.unregister("batch")
