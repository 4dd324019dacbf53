"""What happens in the staging connection before the tables are read: loading, coding, and making the relations."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from prodromal.errors import DataError, DefinitionError
from prodromal.sources.codes import read_mapping
from prodromal.sources.omop.coverage import code_coverage, outcome_coverage, period_coverage
from prodromal.sources.omop.doses import doses_per_unit, read_doses, read_strengths
from prodromal.sources.omop.drugs import resolve
from prodromal.sources.omop.exposures import DISPENSINGS, drug_concepts, drug_types, make_dispensings
from prodromal.sources.omop.outcomes import OUTCOMES, make_outcomes
from prodromal.sources.omop.people import PERSONS, make_persons
from prodromal.sources.omop.place import require
from prodromal.sources.omop.scratch import lines_of, make_lines
from prodromal.sources.omop.tables import CDM, cohort_table
from prodromal.sources.omop.vocabulary import Vocabulary, descendants, read_vocabulary
from prodromal.sources.relation import Relation
from prodromal.sources.spec import TableSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date
    from pathlib import Path

    import duckdb

    from prodromal.sources.codes import SeveralCodes
    from prodromal.sources.omop.exposures import Quantity
    from prodromal.sources.omop.outcomes import OmopOutcome
    from prodromal.sources.omop.place import Place, Tables

__all__ = ["Preparation"]


@dataclass(frozen=True)
class Preparation:
    """Called with the staging connection, makes the relations that `tables` name, and tells what it found.

    Parameters
    ----------
    cdm, vocabulary, results : Place
        Where the people, the vocabulary and the cohorts are; None for beside the people.
    told : dict
        For the manifest; filled by the call.
    """

    cdm: Place
    vocabulary: Place | None
    results: Place | None
    outcomes: tuple[OmopOutcome, ...]
    cohort_table: str
    mapping: tuple[Path, ...]
    several: SeveralCodes
    types: tuple[int, ...]
    quantity: Quantity
    doses: Path | None
    extracted_on: date
    told: dict[str, Any] = field(default_factory=dict)

    @cached_property
    def tables(self) -> tuple[TableSource, ...]:
        """The canonical tables."""
        words = self.vocabulary or self.cdm
        read = ("concept", "concept_ancestor", "concept_relationship", *(("drug_strength",) if self.doses else ()))
        codes = tuple(file for name in read for file in words.files(name))
        people = tuple(file for name in ("person", "observation_period", "death") for file in self.cdm.files(name))
        found = [
            ("persons", PERSONS, people),
            ("dispensings", DISPENSINGS, (*self.cdm.files("drug_exposure"), *codes, *self.mapping, *self._dose_files)),
        ]
        if self.outcomes:
            found.append(("outcomes", OUTCOMES, (*self._condition_files, *self._cohort_files)))
        return tuple(TableSource(table, relation=_relation(view, files)) for table, view, files in found)

    def __call__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Prepare.

        Raises
        ------
        DataError
            If a table or a required column is missing, or ids are no whole numbers.
        DefinitionError
            If an outcome's concept exists nowhere.
        """
        with ExitStack() as stack:
            tables = stack.enter_context(self.cdm.open(connection))
            words = stack.enter_context(self.vocabulary.open(connection)) if self.vocabulary else tables
            self._persons(connection, tables)
            concepts = {concept for outcome in self.outcomes for concept in outcome.concepts}
            below = descendants(connection, words, concepts)
            vocabulary = self._dispensings(connection, tables, words, concepts)
            if self.outcomes:
                results = stack.enter_context(self.results.open(connection)) if self.results else tables
                self._outcomes(connection, tables, results, below, vocabulary)
        self.told.update(place=self.cdm.kind, quantity=self.quantity, drug_types=list(self.types))

    def _persons(self, connection: duckdb.DuckDBPyConnection, tables: Tables) -> None:
        for name, what in (("person", "the people"), ("observation_period", "the days under observation")):
            require(self.cdm, tables, name, f"which holds {what}")
            tables.load(CDM[name])
        deaths = "death" in tables.names
        if deaths:
            tables.load(CDM["death"])
        _refuse_text_ids(connection, self.cdm.name)
        make_lines(connection, PERSONS, [("person", 0)])
        make_persons(connection, f"DATE '{self.extracted_on.isoformat()}'", deaths=deaths)
        self.told["observation"] = period_coverage(connection, deaths=deaths)

    def _dispensings(
        self, connection: duckdb.DuckDBPyConnection, tables: Tables, words: Tables, concepts: set[int]
    ) -> Vocabulary:
        require(self.cdm, tables, "drug_exposure", "from which dispensings come")
        tables.load(CDM["drug_exposure"])
        make_lines(connection, DISPENSINGS, [("drug_exposure", 0)])
        ids = drug_concepts(connection)
        if self.doses:
            require(self.vocabulary or self.cdm, words, "drug_strength", "by which units become defined daily doses")
        strengths = read_strengths(connection, words, ids) if self.doses else {}
        others = {*concepts, *drug_types(connection), *(strength.unit for strength in strengths.values())}
        vocabulary = read_vocabulary(connection, words, ids, others)
        mapping = read_mapping(self.mapping)
        drugs = {concept: resolve(concept, vocabulary, mapping) for concept in ids}
        make_dispensings(
            connection,
            drugs,
            several=self.several,
            types=self.types,
            quantity=self.quantity,
            doses=doses_per_unit(drugs, strengths, vocabulary, read_doses(self.doses)) if self.doses else None,
        )
        self.told["codes"] = code_coverage(connection, drugs, vocabulary, self.several)
        return vocabulary

    def _outcomes(
        self,
        connection: duckdb.DuckDBPyConnection,
        tables: Tables,
        results: Tables,
        below: Mapping[int, frozenset[int]],
        vocabulary: Vocabulary,
    ) -> None:
        if any(outcome.concepts for outcome in self.outcomes):
            require(self.cdm, tables, "condition_occurrence", "in which the concepts of outcomes are looked for")
        cohorts = cohort_table(self.cohort_table)
        if any(outcome.cohort is not None for outcome in self.outcomes):
            require(self.results or self.cdm, results, cohorts.name, "in which the cohorts of outcomes are looked for")
        first = _first_of(self._cohort_files, (*self._condition_files, *self._cohort_files))
        make_outcomes(connection, tables, results, self.outcomes, below, cohorts, first)
        make_lines(connection, OUTCOMES, [("condition_occurrence", 0), (cohorts.name, first)])
        self.told["outcomes"] = outcome_coverage(connection, self.outcomes, below, vocabulary)
        for told in self.told["outcomes"]:
            unknown = [c["concept_id"] for c in told["concepts"] if c["concept_id"] not in vocabulary.concepts]
            if told["rows"] == 0 and unknown:
                raise DefinitionError(
                    f"outcome {told['outcome']}: {len(unknown)} of its concepts are neither in the table concept nor "
                    "in condition_occurrence; look for their ids in the vocabulary"
                )

    @property
    def _dose_files(self) -> tuple[Path, ...]:
        return (self.doses,) if self.doses else ()

    @property
    def _condition_files(self) -> tuple[Path, ...]:
        return self.cdm.files("condition_occurrence") if any(o.concepts for o in self.outcomes) else ()

    @property
    def _cohort_files(self) -> tuple[Path, ...]:
        wanted = any(outcome.cohort is not None for outcome in self.outcomes)
        return (self.results or self.cdm).files(self.cohort_table.lower()) if wanted else ()


def _relation(view: str, files: tuple[Path, ...]) -> Relation:
    """All tables of a DuckDB file come from one file, which is named once."""
    return Relation(f"SELECT * FROM {view}", files=tuple(dict.fromkeys(files)), rejects=lines_of(view))


def _first_of(some: tuple[Path, ...], files: tuple[Path, ...]) -> int:
    return list(dict.fromkeys(files)).index(some[0]) if some else 0


def _refuse_text_ids(connection: duckdb.DuckDBPyConnection, place: str) -> None:
    ((rows, without),) = connection.execute("SELECT count(*), count_if(person_id IS NULL) FROM cdm_person").fetchall()
    if without:
        raise DataError(
            f"{place}, table person: {without} of {rows} values of person_id are no whole numbers; ids in the OMOP "
            "common data model are whole numbers, so number the people, or bring the tables by 'prodromal ingest csv'"
        )
