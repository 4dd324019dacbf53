"""What the account does not say: by which way codes were found, and what became of periods, deaths and concepts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from prodromal.sources.omop.outcomes import OUTCOMES, OmopOutcome
from prodromal.sources.omop.scratch import has
from prodromal.sources.omop.tables import unsplit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from prodromal.sources.codes import SeveralCodes
    from prodromal.sources.omop.drugs import Drug
    from prodromal.sources.omop.vocabulary import Vocabulary

__all__ = ["FEWEST", "code_coverage", "outcome_coverage", "period_coverage"]

FEWEST = 5
_TOP = 20


def code_coverage(
    connection: duckdb.DuckDBPyConnection,
    drugs: Mapping[int, Drug],
    vocabulary: Vocabulary,
    several: SeveralCodes,
) -> dict[str, Any]:
    """How drug exposures found their ATC codes; counts below 5 are withheld (None)."""
    connection.execute(
        """CREATE TABLE omop_tally AS SELECT coalesce(way, 'none') AS way, coalesce(drug_concept_id, 0) AS concept,
        coalesce(drug_type_concept_id, 0) AS kind, codes, coalesce(_left_out_, '') AS reason, count(*) AS lines
        FROM omop_exposure GROUP BY ALL"""
    )
    people = dict(
        connection.execute(
            "SELECT coalesce(way, 'none'), count(DISTINCT person_id) FROM omop_exposure GROUP BY 1"
        ).fetchall()
    )
    mixed = {concept for concept, drug in drugs.items() if drug.ingredients > 1}
    by_concept = _tally(connection, "concept", "way <> 'none'")
    unmapped = _tally(connection, "concept", "reason = 'unmapped_code'")
    return {
        "exposures": sum(_tally(connection, "way", "TRUE").values()),
        "ways": [
            {"way": way, "exposures": _shown(lines), "people": _shown(people[way])}
            for way, lines in _falling(_tally(connection, "way", "TRUE"))
        ],
        "several_codes": {
            "policy": several.value,
            "exposures": _shown(sum(_tally(connection, "concept", "codes > 1").values())),
            "concepts": len(_tally(connection, "concept", "codes > 1")),
        },
        "exposures_with_ddd": _shown(_with_dose(connection)),
        "combinations": _listed({c: n for c, n in by_concept.items() if c in mixed}, vocabulary),
        "unmapped": _listed(unmapped, vocabulary),
        "drug_types": [
            {"concept_id": kind, "name": vocabulary.name(kind), "exposures": _shown(lines)}
            for kind, lines in _falling(_tally(connection, "kind", "TRUE"))
        ],
        "vocabulary_tables_missing": list(vocabulary.missing),
    }


def period_coverage(connection: duckdb.DuckDBPyConnection, *, deaths: bool) -> dict[str, Any]:
    """What became of every observation period and every death."""
    (periods,) = connection.execute(
        """WITH known AS (SELECT DISTINCT person_id FROM cdm_person WHERE person_id IS NOT NULL)
        SELECT (SELECT count(*) FROM cdm_observation_period),
               coalesce(sum(periods) FILTER (k.person_id IS NULL), 0),
               coalesce(sum(periods) FILTER (k.person_id IS NOT NULL AND chosen), 0),
               coalesce(sum(periods) FILTER (k.person_id IS NOT NULL AND NOT chosen), 0),
               count(DISTINCT s.person_id) FILTER (k.person_id IS NOT NULL AND NOT chosen)
        FROM omop_spell s LEFT JOIN known k ON k.person_id = s.person_id"""
    ).fetchall()
    rows, unknown, used, elsewhere, people = map(int, periods)
    found: dict[str, Any] = {
        "observation_periods": {
            "read": rows + _unsplit(connection, "observation_period"),
            "in_the_observation": used,
            "in_other_spells": elsewhere,
            "of_unknown_people": unknown,
            "unreadable_or_reversed_or_in_the_future": rows - unknown - used - elsewhere,
            "lines_that_could_not_be_split": _unsplit(connection, "observation_period"),
        },
        "people_with_several_spells": people,
    }
    if deaths:
        found["deaths"] = _deaths(connection)
    return found


def outcome_coverage(
    connection: duckdb.DuckDBPyConnection,
    outcomes: Sequence[OmopOutcome],
    descendants: Mapping[int, frozenset[int]],
    vocabulary: Vocabulary,
) -> list[dict[str, Any]]:
    """Rows and people of each outcome, and the concepts that it means."""
    rows = connection.execute(
        f"SELECT outcome, count(*), count(DISTINCT person_id) FROM {OUTCOMES} WHERE outcome IS NOT NULL GROUP BY 1"
    ).fetchall()
    counted = {name: (lines, people) for name, lines, people in rows}
    return [
        {
            "outcome": outcome.name,
            "cohort": outcome.cohort,
            "concepts": [{"concept_id": c, "name": vocabulary.name(c)} for c in outcome.concepts],
            "concepts_with_descendants": len({d for c in outcome.concepts for d in descendants[c]}),
            "rows": _shown(counted.get(outcome.name, (0, 0))[0]),
            "people": _shown(counted.get(outcome.name, (0, 0))[1]),
        }
        for outcome in outcomes
    ]


def _deaths(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
    (found,) = connection.execute(
        """SELECT (SELECT count(*) FROM cdm_death), count(*), count(p.person_id)
        FROM omop_death d LEFT JOIN (SELECT DISTINCT person_id FROM cdm_person) p ON p.person_id = d.person_id"""
    ).fetchall()
    rows, people, known = found
    lines = _unsplit(connection, "death")
    return {
        "read": rows + lines,
        "of_people": known,
        "of_unknown_people": people - known,
        "repeated_or_without_person": rows - people,
        "lines_that_could_not_be_split": lines,
    }


def _with_dose(connection: duckdb.DuckDBPyConnection) -> int:
    """Rows whose units become DDDs."""
    ((rows,),) = connection.execute(
        "SELECT count(*) FROM omop_exposure WHERE _left_out_ IS NULL AND try_cast(quantity AS DOUBLE) <> 0 "
        "AND key IN (SELECT key FROM omop_atc WHERE dose IS NOT NULL)"
    ).fetchall()
    return int(rows)


def _unsplit(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    if not has(connection, unsplit(table)):
        return 0
    ((lines,),) = connection.execute(f"SELECT count(*) FROM {unsplit(table)}").fetchall()
    return int(lines)


def _tally(connection: duckdb.DuckDBPyConnection, column: str, condition: str) -> dict[Any, int]:
    sql = f"SELECT {column}, CAST(sum(lines) AS BIGINT) FROM omop_tally WHERE {condition} GROUP BY 1"
    return dict(connection.execute(sql).fetchall())


def _falling(counts: Mapping[Any, int]) -> list[tuple[Any, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))


def _shown(count: int) -> int | None:
    return None if 0 < count < FEWEST else count


def _listed(counts: Mapping[int, int], vocabulary: Vocabulary) -> dict[str, Any]:
    large = [(concept, lines) for concept, lines in _falling(counts) if lines >= FEWEST]
    return {
        "exposures": _shown(sum(counts.values())),
        "concepts": len(counts),
        "top": [
            {"concept_id": concept, "name": vocabulary.name(concept), "exposures": lines}
            for concept, lines in large[:_TOP]
        ],
    }
