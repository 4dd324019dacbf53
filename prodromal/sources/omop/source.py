"""An OMOP common data model as a delivery: the choices that an ingest of one takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.errors import DefinitionError
from prodromal.sources.codes import SeveralCodes
from prodromal.sources.omop.place import place_of
from prodromal.sources.omop.preparation import Preparation
from prodromal.sources.spec import Source

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date
    from pathlib import Path

    from prodromal.sources.omop.exposures import Quantity
    from prodromal.sources.omop.outcomes import OmopOutcome

__all__ = ["omop_source"]


def omop_source(
    cdm: str | Path,
    outcomes: Sequence[OmopOutcome],
    *,
    extracted_on: date,
    schema: str | None = None,
    vocabulary: str | Path | None = None,
    vocabulary_schema: str | None = None,
    cohort_table: str = "cohort",
    cohort_schema: str | None = None,
    mapping: Sequence[Path] = (),
    several_codes: SeveralCodes = SeveralCodes.ALL,
    drug_types: Sequence[int] = (),
    quantity: Quantity = "units",
    doses: Path | None = None,
    max_rejected: float = 0.001,
) -> Source:
    """Describe an OMOP common data model (5.3 or 5.4) for ``ingest``.

    Parameters
    ----------
    cdm : str or Path
        Folder of CSV or Parquet files, DuckDB file, or ``postgresql://`` URI. It holds person, observation_period and
        drug_exposure, and may hold death, condition_occurrence, a cohort table and the vocabulary.
    outcomes : sequence of OmopOutcome
        What counts as an outcome; may be empty.
    extracted_on : date
        The last day that the data can contain.
    schema : str, optional
        Schema of the tables in a database; by default the only one that has a table person.
    vocabulary, vocabulary_schema : str or Path, optional
        Where concept, concept_ancestor and concept_relationship are, if not beside the people.
    cohort_table, cohort_schema : str
        Where cohorts are.
    mapping : sequence of Path
        CSV files from RxNorm codes to ATC, for drugs that the vocabulary does not lead to ATC.
    several_codes : SeveralCodes
        Whether a drug with several ATC codes becomes a dispensing of each, of the first, or of none.
    drug_types : sequence of int
        Values of drug_type_concept_id that are wanted; empty for all.
    quantity : {"units", "packages", "ddd"}
        What drug_exposure.quantity counts. The model says units (tablets, millilitres); without `doses` only their sign
        is used.
    doses : Path, optional
        CSV of WHO's DDDs (``atc_code, ddd, uom``): units become DDDs by the table drug_strength, where a unit holds a
        stated mass of one ingredient and the code has one DDD.
    max_rejected : float
        Largest share of rejected rows (0-1) in any table.

    Returns
    -------
    Source
        Its settings hold, once ingested, the coverage of codes, observation and outcomes.

    Raises
    ------
    DataError
        If `cdm` is no place that can be read. What is in it is looked at when it is ingested.
    DefinitionError
        If two outcomes have one name, a schema is given with a folder, or `doses` with a quantity that is no units.

    Notes
    -----
    Observation periods of a person that touch or overlap are one spell. The longest spell is the person's observation:
    within it every dispensing would have been recorded. Exposures in other spells, of people without any, of unwanted
    types and without an ATC code are left out and counted. Outcomes count whenever they are dated.
    """
    if len({outcome.name for outcome in outcomes}) < len(outcomes):
        raise DefinitionError("two outcomes have the same name; join their concepts with commas")
    if doses is not None and quantity != "units":
        raise DefinitionError(
            "DDDs are computed from units; a quantity that counts something else needs no table of them"
        )
    main = place_of(str(cdm), schema=schema)
    elsewhere = vocabulary is not None or vocabulary_schema is not None
    words = place_of(str(vocabulary or cdm), schema=vocabulary_schema) if elsewhere else None
    results = place_of(str(cdm), schema=cohort_schema) if cohort_schema else None
    preparation = Preparation(
        main,
        words,
        results,
        outcomes=tuple(outcomes),
        cohort_table=cohort_table,
        mapping=tuple(mapping),
        several=several_codes,
        types=tuple(drug_types),
        quantity=quantity,
        doses=doses,
        extracted_on=extracted_on,
    )
    return Source(
        preparation.tables,
        extracted_on=extracted_on,
        max_rejected=max_rejected,
        name="omop",
        prepare=preparation,
        settings=preparation.told,
        readable=(*main.readable, *(words.readable if words else ()), *mapping, *([doses] if doses else [])),
    )
