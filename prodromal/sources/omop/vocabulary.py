"""What the vocabulary says of the drugs that occur: names, ancestors, relationships; only the rows that are needed."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError
from prodromal.sources.omop.place import Wanted
from prodromal.sources.omop.tables import CDM, staged

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import duckdb

    from prodromal.sources.omop.place import Tables

__all__ = ["Concept", "Vocabulary", "descendants", "read_vocabulary", "rows_of"]

# From a drug to an ATC class, the most certain first.
_TO_ATC = (
    "RxNorm - ATC pr lat",
    "RxNorm - ATC sec lat",
    "RxNorm - ATC pr up",
    "RxNorm - ATC sec up",
    "RxNorm - ATC",
    "Mapped from",
)


@dataclass(frozen=True)
class Concept:
    """A row of the concept table."""

    name: str
    vocabulary: str
    code: str
    kind: str
    standard: bool

    @property
    def code_of(self) -> tuple[str, str, str, bool]:
        """What it stands for; the name may be another in another release."""
        return self.vocabulary, self.code, self.kind, self.standard


@dataclass(frozen=True)
class Vocabulary:
    """The part of a vocabulary that concerns some concepts.

    Parameters
    ----------
    concepts : mapping of int to Concept
        By concept id.
    ancestors : mapping of int to tuple of int
        Ancestors of each drug, without itself.
    related : mapping of int to tuple of int
        ATC classes to which a relationship leads, the most certain first.
    missing : tuple of str
        Vocabulary tables that are not there.
    """

    concepts: Mapping[int, Concept]
    ancestors: Mapping[int, tuple[int, ...]]
    related: Mapping[int, tuple[int, ...]]
    missing: tuple[str, ...]

    def name(self, concept: int) -> str:
        """What readers call a concept."""
        if concept in self.concepts:
            return self.concepts[concept].name
        return "no matching concept" if concept == 0 else f"concept {concept}"


def read_vocabulary(
    connection: duckdb.DuckDBPyConnection, tables: Tables, drugs: Collection[int], others: Collection[int]
) -> Vocabulary:
    """Read what concerns the concepts of `drugs`; of `others` their own rows only."""
    ancestors = _ancestors(connection, tables, drugs)
    related = _related(connection, tables, drugs)
    asked = {*drugs, *others, *(i for found in (ancestors, related) for ids in found.values() for i in ids)}
    missing = tuple(name for name in ("concept", "concept_ancestor") if name not in tables.names)
    return Vocabulary(_concepts(connection, tables, asked), ancestors, related, missing)


def descendants(
    connection: duckdb.DuckDBPyConnection, tables: Tables, concepts: Collection[int]
) -> dict[int, frozenset[int]]:
    """Each concept with its descendants; itself alone where there is no table concept_ancestor."""
    wanted = Wanted(("ancestor_concept_id",), concepts)
    rows = rows_of(connection, tables, "concept_ancestor", wanted, "ancestor_concept_id, descendant_concept_id")
    found = {concept: {concept} for concept in concepts}
    for ancestor, descendant in rows:
        if descendant is not None:
            found[ancestor].add(descendant)
    return {concept: frozenset(ids) for concept, ids in found.items()}


def rows_of(
    connection: duckdb.DuckDBPyConnection, tables: Tables, table: str, wanted: Wanted, columns: str
) -> list[Any]:
    """Distinct rows of a table of the vocabulary; none if it is not there."""
    if table not in tables.names or not wanted.ids:
        return []
    tables.load(CDM[table], wanted)
    found: list[Any] = connection.execute(f"SELECT DISTINCT {columns} FROM {staged(table)} ORDER BY ALL").fetchall()
    connection.execute(f"DROP TABLE {staged(table)}")
    return found


def _ancestors(
    connection: duckdb.DuckDBPyConnection, tables: Tables, drugs: Collection[int]
) -> dict[int, tuple[int, ...]]:
    wanted = Wanted(("descendant_concept_id",), drugs)
    rows = rows_of(connection, tables, "concept_ancestor", wanted, "descendant_concept_id, ancestor_concept_id")
    found: dict[int, list[int]] = defaultdict(list)
    for drug, ancestor in rows:
        if ancestor is not None and ancestor != drug:
            found[drug].append(ancestor)
    return {drug: tuple(ids) for drug, ids in found.items()}


def _related(
    connection: duckdb.DuckDBPyConnection, tables: Tables, drugs: Collection[int]
) -> dict[int, tuple[int, ...]]:
    ranks = " ".join(f"WHEN '{name}' THEN {rank}" for rank, name in enumerate(_TO_ATC))
    columns = f"concept_id_1, CASE relationship_id {ranks} END AS rank, concept_id_2"
    rows = rows_of(connection, tables, "concept_relationship", Wanted(("concept_id_1",), drugs), columns)
    found: dict[int, list[int]] = defaultdict(list)
    for drug, rank, target in rows:
        if rank is not None and target is not None:
            found[drug].append(target)
    return {drug: tuple(ids) for drug, ids in found.items()}


def _concepts(connection: duckdb.DuckDBPyConnection, tables: Tables, ids: Collection[int]) -> dict[int, Concept]:
    columns = (
        "concept_id, coalesce(concept_name, ''), coalesce(vocabulary_id, ''), coalesce(trim(concept_code), ''), "
        "coalesce(concept_class_id, ''), coalesce(standard_concept, '') = 'S'"
    )
    rows = rows_of(connection, tables, "concept", Wanted(("concept_id",), ids), columns)
    found: dict[int, Concept] = {}
    contradicted = set()
    for number, *fields in rows:
        concept = Concept(*fields)
        if found.setdefault(number, concept).code_of != concept.code_of:
            contradicted.add(number)
    if contradicted:
        raise DataError(
            f"table concept: {len(contradicted)} of {len(found)} concept ids that are needed stand there several times "
            "with different codes; deliver one release of the vocabulary"
        )
    return found
