"""The canonical tables as SQL over the loaded and settled resources."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.sources.engine import literal
from prodromal.sources.relation import Relation

if TYPE_CHECKING:
    from pathlib import Path

    import duckdb

__all__ = ["conditions", "make_views", "patients", "supplies"]

_RESERVED = {
    "_row_": "BIGINT",
    "_file_": "INTEGER",
    "_copy_": "INTEGER",
    "_left_out_": "VARCHAR",
    "_rule_": "VARCHAR",
    "_raw_": "VARCHAR",
}
_PLACE = 'p.row AS _row_, p.file AS _file_, p.raw AS "_raw_"'
# Who a reference means once replaced records are followed.
_PERSON = "CASE WHEN r.old IS NULL THEN p.person_id ELSE r.person_id END AS person_id"


def make_views(connection: duckdb.DuckDBPyConnection, resource: str, quantity: str, latest: str) -> None:
    """Make the views that the relations read.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds the settled tables.
    resource : {"MedicationDispense", "MedicationRequest"}
        Type of resource that counts as a dispensing.
    quantity : {"units", "packages", "ddd"}
        What a quantity counts that does not say that it counts DDDs; units are not used.
    latest : str
        SQL date: the last day that the extract can contain.
    """
    for view, sql in (
        ("fhir_dispensings", _supplies(resource, quantity)),
        ("fhir_outcomes", _CONDITIONS),
        ("fhir_observed", _observed(latest)),
        ("fhir_persons", _PATIENTS),
    ):
        connection.execute(f"CREATE VIEW {view} AS {sql}")


def patients(files: tuple[Path, ...]) -> Relation:
    """Persons; their observation from the first to the last dated event, unless it is given for all."""
    names = ("person_id", "sex", "birth_date", "death_date")
    types = {**dict.fromkeys(names, "VARCHAR"), "observed_from": "DATE", "observed_to": "DATE"}
    return Relation("fhir_persons", {**_RESERVED, **types}, files)


def supplies(files: tuple[Path, ...]) -> Relation:
    """Dispensings."""
    names = ("person_id", "dispensed_on", "atc", "days_supply", "resource_id")
    types = {**dict.fromkeys(names, "VARCHAR"), "quantity": "DOUBLE", "ddd": "DOUBLE"}
    return Relation("fhir_dispensings", {**_RESERVED, **types}, files)


def conditions(files: tuple[Path, ...]) -> Relation:
    """Outcomes."""
    names = ("person_id", "outcome", "diagnosed_on", "resource_id")
    return Relation("fhir_outcomes", {**_RESERVED, **dict.fromkeys(names, "VARCHAR")}, files)


def _supplies(resource: str, quantity: str) -> str:
    amounts = {
        "units": "p.ddd, NULL AS quantity",
        "packages": "p.ddd, p.quantity",
        "ddd": "coalesce(p.ddd, p.quantity) AS ddd, NULL AS quantity",
    }[quantity]
    chosen = f"p.resource IS DISTINCT FROM {literal(resource)}"
    return f"""SELECT {_PLACE}, coalesce(c.copy, 0) AS _copy_,
        CASE WHEN p.rule IS NOT NULL THEN NULL
             WHEN p.left_out IS NOT NULL THEN p.left_out
             WHEN {chosen} THEN 'other_resource'
             WHEN p.medication IS NOT NULL AND m.id IS NULL THEN NULL
             WHEN c.concept IS NULL THEN 'without_code'
             ELSE c.left_out END AS _left_out_,
        CASE WHEN p.rule IS NOT NULL THEN p.rule
             WHEN p.left_out IS NULL AND NOT ({chosen}) AND p.medication IS NOT NULL AND m.id IS NULL
             THEN 'unknown_medication' END AS _rule_,
        {_PERSON}, p.dispensed_on, c.atc, {amounts}, p.days_supply, p.id AS resource_id,
        coalesce(p.concept, m.concept) AS concept, c.way
        FROM fhir_supply p
        LEFT JOIN (SELECT * FROM fhir_medication WHERE rule IS NULL) m ON p.medication = m.id
        LEFT JOIN fhir_code c ON c.concept = coalesce(p.concept, m.concept)
            AND p.rule IS NULL AND p.left_out IS NULL AND NOT ({chosen})
        LEFT JOIN fhir_replaced r ON p.person_id = r.old"""


_CONDITIONS = f"""SELECT {_PLACE}, p.copy AS _copy_, p.left_out AS _left_out_, p.rule AS _rule_,
    {_PERSON}, p.named AS outcome, p.diagnosed_on, p.id AS resource_id
    FROM (SELECT *, unnest(names) AS named, generate_subscripts(names, 1) - 1 AS copy
          FROM (SELECT *, CASE WHEN rule IS NULL AND outcome IS NOT NULL AND left_out IS NULL
                               THEN string_split(outcome, chr(10)) ELSE [NULL] END AS names FROM fhir_condition)) p
    LEFT JOIN fhir_replaced r ON p.person_id = r.old"""


def _observed(latest: str) -> str:
    """First and last day on which anything usable is recorded of a person."""
    return f"""SELECT person_id, min(on_day) AS observed_from, max(on_day) AS observed_to FROM (
        SELECT {_PERSON}, CASE WHEN regexp_full_match(p.on_day, '[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}')
                               THEN try_cast(p.on_day AS DATE) END AS on_day
        FROM (SELECT person_id, dispensed_on AS on_day FROM fhir_supply WHERE rule IS NULL
                  AND (left_out IS NULL OR left_out NOT LIKE 'status_%')
              UNION ALL
              SELECT person_id, diagnosed_on FROM fhir_condition WHERE rule IS NULL
                  AND (left_out IS NULL OR left_out NOT LIKE 'status_%')) p
        LEFT JOIN fhir_replaced r ON p.person_id = r.old)
    LEFT JOIN (SELECT id, try_cast(birth AS DATE) AS born FROM fhir_patient WHERE rule IS NULL) ON id = person_id
    WHERE on_day NOT IN (DATE '1900-01-01', DATE '9999-12-31') AND on_day <= {latest}
        AND on_day >= coalesce(born, on_day) GROUP BY ALL"""


_PATIENTS = f"""SELECT {_PLACE}, 0 AS _copy_,
    CASE WHEN p.rule IS NULL AND p.left_out IS NOT NULL THEN p.left_out
         WHEN p.rule IS NULL AND r.person_id IS NOT NULL THEN 'replaced' END AS _left_out_,
    coalesce(p.rule, CASE WHEN r.old IS NOT NULL AND r.person_id IS NULL THEN 'conflicting_links' END) AS _rule_,
    p.id AS person_id, p.gender AS sex, p.birth AS birth_date, nullif(p.death, '') AS death_date,
    o.observed_from, o.observed_to
    FROM fhir_patient p LEFT JOIN fhir_replaced r ON p.id = r.old LEFT JOIN fhir_observed o ON p.id = o.person_id"""
