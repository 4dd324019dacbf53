"""Outcomes: by a set of condition concepts with their descendants, or by a cohort."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.errors import DefinitionError
from prodromal.sources.engine import literal
from prodromal.sources.omop.place import Wanted
from prodromal.sources.omop.scratch import fill
from prodromal.sources.omop.tables import CDM, CdmTable, staged

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import duckdb

    from prodromal.sources.omop.place import Tables

__all__ = ["OUTCOMES", "OmopOutcome", "make_outcomes"]

OUTCOMES = "omop_outcomes"
_WRITTEN = re.compile(r"\s*([^=]*[^=\s])\s*=\s*(?:cohort:\s*(-?\d{1,18})|(\d{1,18}(?:\s*,\s*\d{1,18})*))\s*")


@dataclass(frozen=True)
class OmopOutcome:
    """What counts as an outcome.

    Parameters
    ----------
    name : str
        Name in the register, such as ``ALS``.
    concepts : tuple of int
        Condition concepts, which stand for their descendants too.
    cohort : int, optional
        Instead of concepts: ``cohort_definition_id``; the outcome is on ``cohort_start_date``.
    """

    name: str
    concepts: tuple[int, ...] = ()
    cohort: int | None = None

    def __post_init__(self) -> None:
        if not self.name.strip() or bool(self.concepts) == (self.cohort is not None):
            raise DefinitionError("an outcome has a name, and either condition concepts or a cohort")

    @classmethod
    def parse(cls, text: str) -> OmopOutcome:
        """Read ``NAME=CONCEPT_ID[,CONCEPT_ID]`` or ``NAME=cohort:ID``.

        Examples
        --------
        >>> OmopOutcome.parse("bleed=192671,4100660").concepts, OmopOutcome.parse("ALS=cohort:7").cohort
        ((192671, 4100660), 7)
        """
        found = _WRITTEN.fullmatch(text)
        if found is None:
            raise DefinitionError(f"outcome '{text}': write it as ALS=CONCEPT_ID[,CONCEPT_ID] or ALS=cohort:ID")
        name, cohort, concepts = found.groups()
        if cohort is not None:
            return cls(name, cohort=int(cohort))
        return cls(name, tuple(int(concept) for concept in concepts.split(",")))


def make_outcomes(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    results: Tables,
    outcomes: Sequence[OmopOutcome],
    descendants: Mapping[int, frozenset[int]],
    cohorts: CdmTable,
    first_cohort_file: int,
) -> None:
    """Make the view ``omop_outcomes``: every row of a condition or cohort that counts, once for each outcome.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Staging.
    tables, results : Tables
        Hold ``condition_occurrence`` and the cohort table as far as the outcomes need them.
    outcomes : sequence of OmopOutcome
        What counts.
    descendants : mapping of int to frozenset of int
        Of each concept named, itself included.
    cohorts : CdmTable
        The cohort table.
    first_cohort_file : int
        Place of its first file among the files of the outcomes.
    """
    sets = [
        (place, concept)
        for place, outcome in enumerate(outcomes)
        for concept in sorted({d for c in outcome.concepts for d in descendants[c]})
    ]
    parts = []
    if sets:
        parts.append(_conditions(connection, tables, outcomes, sets))
    if members := [(place, o.cohort) for place, o in enumerate(outcomes) if o.cohort is not None]:
        parts.append(_cohorts(connection, results, outcomes, members, cohorts, first_cohort_file))
    connection.execute(f"CREATE VIEW {OUTCOMES} AS {' UNION ALL BY NAME '.join(parts)}")


def _named(outcomes: Sequence[OmopOutcome]) -> str:
    return " ".join(f"WHEN {place} THEN {literal(outcome.name)}" for place, outcome in enumerate(outcomes))


def _conditions(
    connection: duckdb.DuckDBPyConnection,
    tables: Tables,
    outcomes: Sequence[OmopOutcome],
    sets: list[tuple[int, int]],
) -> str:
    wanted = Wanted(("condition_concept_id", "condition_source_concept_id"), {concept for _, concept in sets})
    tables.load(CDM["condition_occurrence"], wanted)
    fill(connection, "omop_concept_set", {"outcome": "INTEGER", "concept": "BIGINT"}, sets)
    return f"""
        SELECT c._row_, c._file_, c.person_id, CASE s.outcome {_named(outcomes)} END AS outcome,
               c.condition_start_date AS diagnosed_on, 'condition_occurrence' AS source, c.condition_occurrence_id,
               CAST(row_number() OVER (PARTITION BY c._file_, c._row_ ORDER BY s.outcome) - 1 AS INTEGER) AS _copy_
        FROM {staged("condition_occurrence")} c
        JOIN (SELECT DISTINCT c._file_, c._row_, s.outcome FROM {staged("condition_occurrence")} c
              JOIN omop_concept_set s ON s.concept IN (c.condition_concept_id, c.condition_source_concept_id)) s
          ON s._file_ = c._file_ AND s._row_ = c._row_"""


def _cohorts(
    connection: duckdb.DuckDBPyConnection,
    results: Tables,
    outcomes: Sequence[OmopOutcome],
    members: list[tuple[int, int]],
    cohorts: CdmTable,
    first_file: int,
) -> str:
    results.load(cohorts, Wanted(("cohort_definition_id",), {number for _, number in members}))
    fill(connection, "omop_cohort_set", {"outcome": "INTEGER", "cohort": "BIGINT"}, members)
    return f"""
        SELECT c._row_, c._file_ + {first_file} AS _file_, c.subject_id AS person_id,
               CASE s.outcome {_named(outcomes)} END AS outcome, c.cohort_start_date AS diagnosed_on,
               'cohort' AS source,
               CAST(row_number() OVER (PARTITION BY c._file_, c._row_ ORDER BY s.outcome) - 1 AS INTEGER) AS _copy_
        FROM {staged(cohorts.name)} c JOIN omop_cohort_set s ON s.cohort = c.cohort_definition_id"""
