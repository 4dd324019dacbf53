"""Drug exposures as dispensings: codes, kinds of record, and the rows that are deliberately not wanted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from prodromal.sources.codes import SeveralCodes
from prodromal.sources.engine import literal
from prodromal.sources.omop.drugs import OWN, Drug
from prodromal.sources.omop.people import as_date
from prodromal.sources.omop.scratch import fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import duckdb

__all__ = ["DISPENSINGS", "Quantity", "drug_concepts", "drug_types", "make_dispensings"]

DISPENSINGS = "omop_dispensings"
Quantity = Literal["units", "packages", "ddd"]
# Of groups of substances and of substances; shorter ones could be anything.
_WRITTEN = "[ABCDGHJLMNPRSV][0-9]{2}[A-Z]{2}([0-9]{2})?"

# Tablets or millilitres are no packages; of them only the sign is used, by which returns are known.
_QUANTITIES: Mapping[str, str] = {
    "units": "CASE WHEN try_cast(quantity AS DOUBLE) < 0 THEN quantity END AS quantity",
    "units in doses": "CASE WHEN try_cast(quantity AS DOUBLE) < 0 THEN quantity END AS quantity, "
    "nullif(try_cast(quantity AS DOUBLE) * c.dose, 0) AS ddd",
    "packages": "quantity",
    "ddd": "quantity AS ddd",
}


def drug_concepts(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """The concepts of ``cdm_drug_exposure``, of products and of their source codes, without 0."""
    rows = connection.execute(
        """SELECT DISTINCT concept FROM (
            SELECT unnest([drug_concept_id, drug_source_concept_id]) AS concept
            FROM (SELECT DISTINCT drug_concept_id, drug_source_concept_id FROM cdm_drug_exposure))
        WHERE concept <> 0 ORDER BY 1"""
    )
    return [concept for (concept,) in rows.fetchall()]


def drug_types(connection: duckdb.DuckDBPyConnection) -> list[int]:
    """The kinds of record in ``cdm_drug_exposure``."""
    rows = connection.execute(
        "SELECT DISTINCT drug_type_concept_id FROM cdm_drug_exposure WHERE drug_type_concept_id <> 0"
    )
    return [kind for (kind,) in rows.fetchall()]


def make_dispensings(
    connection: duckdb.DuckDBPyConnection,
    drugs: Mapping[int, Drug],
    *,
    several: SeveralCodes,
    types: Collection[int],
    quantity: Quantity,
    doses: Mapping[tuple[int, str], float] | None = None,
) -> None:
    """Make the views ``omop_exposure`` (a row of the source each) and ``omop_dispensings`` (a row a code).

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds ``cdm_drug_exposure``, ``cdm_person`` and ``omop_spell``.
    drugs : mapping of int to Drug
        What became of each concept.
    several : SeveralCodes
        What becomes of a drug with several codes.
    types : collection of int
        Drug types that are wanted; empty for all.
    quantity : {"units", "packages", "ddd"}
        What the quantity counts.
    doses : mapping of (int, str) to float, optional
        DDDs in a unit of a drug, by concept and code; with them units are turned into DDDs.
    """
    _make_codes(connection, drugs, several, doses or {})
    counted = _QUANTITIES["units in doses" if doses and quantity == "units" else quantity]
    columns, joins = _person_joins(connection)
    connection.execute(
        f"""CREATE VIEW omop_exposure AS
        SELECT *, {_reason(types, several)} AS _left_out_ FROM (
            SELECT e.*, coalesce(own.way, written.way, drug.way, source.way) AS way,
                   coalesce(own.key, written.key, drug.key, source.key) AS key,
                   coalesce(own.codes, written.codes, drug.codes, source.codes) AS codes,
                   {columns}
            FROM cdm_drug_exposure e
            LEFT JOIN omop_code own ON own.concept = e.drug_source_concept_id AND own.own
            LEFT JOIN omop_written written ON written.text = e.drug_source_value
            LEFT JOIN omop_code drug ON drug.concept = e.drug_concept_id
            LEFT JOIN omop_code source ON source.concept = e.drug_source_concept_id
            {joins})"""
    )
    connection.execute(
        f"""CREATE VIEW {DISPENSINGS} AS
        SELECT x._row_, x._file_, x.drug_exposure_id, x.person_id, x.drug_exposure_start_date AS dispensed_on,
               c.atc, x.days_supply, {counted}, coalesce(c.place, 0) AS _copy_, x._left_out_
        FROM omop_exposure x LEFT JOIN omop_atc c ON c.key = x.key AND x._left_out_ IS NULL"""
    )


def _reason(types: Collection[int], several: SeveralCodes) -> str:
    """SQL for why a row is not wanted; NULL if it is."""
    cases = ["WHEN key IS NULL THEN 'unmapped_code'"]
    if types:
        wanted = ", ".join(str(int(kind)) for kind in types)
        cases.insert(0, f"WHEN coalesce(drug_type_concept_id, 0) NOT IN ({wanted}) THEN 'drug_type'")
    if several is SeveralCodes.SINGLE_ONLY:
        cases.append("WHEN codes > 1 THEN 'several_codes'")
    return f"CASE {' '.join(cases)} WHEN unobserved THEN 'no_observation_period' WHEN elsewhere THEN 'other_spell' END"


def _make_codes(
    connection: duckdb.DuckDBPyConnection,
    drugs: Mapping[int, Drug],
    several: SeveralCodes,
    doses: Mapping[tuple[int, str], float],
) -> None:
    """Tables from concepts and from texts to a key, and from a key to its codes with the DDDs in a unit."""
    text = "upper(trim(drug_source_value))"
    connection.execute(
        f"""CREATE TABLE omop_written AS
        SELECT drug_source_value AS text, 'drug_source_value' AS way, 1 AS codes,
               CAST(-row_number() OVER (ORDER BY drug_source_value) AS INTEGER) AS key, {text} AS atc
        FROM (SELECT DISTINCT drug_source_value FROM cdm_drug_exposure)
        WHERE regexp_full_match({text}, {literal(_WRITTEN)})"""
    )
    found = [(key, concept, drug) for key, (concept, drug) in enumerate(drugs.items()) if drug.codes]
    fill(
        connection,
        "omop_code",
        {"concept": "BIGINT", "way": "VARCHAR", "own": "BOOLEAN", "codes": "INTEGER", "key": "INTEGER"},
        [(concept, drug.way, drug.way == OWN, len(drug.codes), key) for key, concept, drug in found],
    )
    fill(
        connection,
        "omop_atc",
        {"key": "INTEGER", "place": "INTEGER", "atc": "VARCHAR", "dose": "DOUBLE"},
        [
            (key, place, code, doses.get((concept, code)))
            for key, concept, drug in found
            for place, code in enumerate(several.choose(drug.codes))
        ],
    )
    connection.execute("INSERT INTO omop_atc SELECT key, 0, atc, NULL FROM omop_written")


def _person_joins(connection: duckdb.DuckDBPyConnection) -> tuple[str, str]:
    """Columns that say whether a row's person has no observation, or another spell holds its date; and their joins.

    Most deliveries have no such people: the joins are saved.
    """
    connection.execute(
        "CREATE TABLE omop_unobserved AS SELECT DISTINCT person_id FROM cdm_person "
        "ANTI JOIN omop_spell USING (person_id) WHERE person_id IS NOT NULL"
    )
    columns, joins = [], []
    if connection.execute("SELECT 1 FROM omop_unobserved LIMIT 1").fetchall():
        columns.append("u.person_id IS NOT NULL AS unobserved")
        joins.append("LEFT JOIN omop_unobserved u ON u.person_id = e.person_id")
    else:
        columns.append("FALSE AS unobserved")
    if connection.execute("SELECT 1 FROM omop_spell WHERE NOT chosen LIMIT 1").fetchall():
        day = as_date(connection, "cdm_drug_exposure", "drug_exposure_start_date")
        columns.append("o.person_id IS NOT NULL AS elsewhere")
        joins.append(
            f"LEFT JOIN (SELECT * FROM omop_spell WHERE NOT chosen) o ON o.person_id = e.person_id "
            f"AND {day} BETWEEN o.starts AND o.ends"
        )
    else:
        columns.append("FALSE AS elsewhere")
    return ", ".join(columns), " ".join(joins)
