"""How far the medications of an export are coded, and how complete the rest of it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prodromal.sources.codes import printable

if TYPE_CHECKING:
    import duckdb

__all__ = ["coverage"]

_TOP = 10
_FEWEST_SHOWN = 5


def coverage(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """Counts for the manifest.

    Returns
    -------
    dict
        ``coverage``: dispensings and people by the way to their ATC code (``atc``, ``mapped``, or why there is none)
        and the commonest sets of codings without one, fewer than 5 rows suppressed; ``medications``: products by what
        became of them; ``deceased_undated``: people who died on an unknown day.
    """
    ways = connection.execute(
        """SELECT coalesce(way, _left_out_) AS way, count(*), count(DISTINCT person_id) FROM fhir_dispensings
        WHERE _rule_ IS NULL AND _copy_ = 0
        AND (way IS NOT NULL OR _left_out_ IN ('unmapped_code', 'several_codes', 'without_code'))
        GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    unmapped = connection.execute(
        f"""SELECT left(concept, 200), count(*) AS rows FROM fhir_dispensings
        WHERE _left_out_ IN ('unmapped_code', 'several_codes') GROUP BY concept HAVING rows >= {_FEWEST_SHOWN}
        ORDER BY rows DESC, concept LIMIT {_TOP}"""
    ).fetchall()
    medications = connection.execute(
        "SELECT coalesce(rule, 'read'), count(*) FROM fhir_medication GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    ((undated,),) = connection.execute("SELECT count(*) FROM fhir_patient WHERE rule IS NULL AND death = ''").fetchall()
    return {
        "coverage": {
            "ways": {way: {"rows": rows, "people": people} for way, rows, people in ways},
            "commonest_without_atc": {printable(codings): rows for codings, rows in unmapped},
        },
        "medications": dict(medications),
        "deceased_undated": undated,
    }
