"""Canonical tables written as an OMOP common data model, for sources that must agree."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

__all__ = ["ALS", "FORMS", "omop_tables", "save"]

ALS, ALS_OF_A_KIND = 9_000_001, 9_000_002
_FIRST_CODE, _FIRST_PRODUCT = 21_600_000, 40_000_000
FORMS = ("csv", "CSV.GZ", "parquet", "folders", "duckdb")

# Columns that a real delivery has and nobody reads are written too.
_TABLES = {
    "person": """
        SELECT person_id, CASE sex WHEN 'M' THEN 8507 WHEN 'F' THEN 8532 ELSE 0 END AS gender_concept_id,
               year(birth_date) AS year_of_birth, month(birth_date) AS month_of_birth, day(birth_date) AS day_of_birth,
               CAST(NULL AS TIMESTAMP) AS birth_datetime, 0 AS race_concept_id, 'p' || person_id AS person_source_value
        FROM persons""",
    # Every third person has an observation of two periods that touch.
    "observation_period": """
        SELECT row_number() OVER () AS observation_period_id, * FROM (
            SELECT person_id, observed_from AS observation_period_start_date,
                   CASE WHEN halves THEN middle ELSE observed_to END AS observation_period_end_date
            FROM people
            UNION ALL SELECT person_id, middle + 1, observed_to FROM people WHERE halves)""",
    "death": "SELECT person_id, death_date, 0 AS death_type_concept_id FROM persons WHERE death_date IS NOT NULL",
    "drug_exposure": f"""
        SELECT row_number() OVER () AS drug_exposure_id, d.person_id, {_FIRST_PRODUCT} + place AS drug_concept_id,
               dispensed_on AS drug_exposure_start_date, dispensed_on AS drug_exposure_end_date,
               32825 AS drug_type_concept_id, CAST(NULL AS VARCHAR) AS stop_reason, CAST(ddd AS DOUBLE) AS quantity,
               days_supply, 'as "needed", at night' AS sig, 0 AS drug_source_concept_id,
               'v' || place AS drug_source_value
        FROM dispensings d JOIN codes USING (atc)""",
    "condition_occurrence": f"""
        SELECT row_number() OVER () AS condition_occurrence_id, person_id, {ALS_OF_A_KIND} AS condition_concept_id,
               diagnosed_on AS condition_start_date, 0 AS condition_source_concept_id
        FROM outcomes""",
    "cohort": """
        SELECT 7 AS cohort_definition_id, person_id AS subject_id, diagnosed_on AS cohort_start_date,
               diagnosed_on AS cohort_end_date FROM outcomes""",
    "concept": f"""
        SELECT {_FIRST_CODE} + place AS concept_id, 'class, of "' || atc || '"' AS concept_name, 'Drug' AS domain_id,
               'ATC' AS vocabulary_id, 'ATC 5th' AS concept_class_id, 'C' AS standard_concept, atc AS concept_code
        FROM codes
        UNION ALL SELECT {_FIRST_PRODUCT} + place, 'a product of ' || atc, 'Drug', 'RxNorm', 'Clinical Drug', 'S',
               CAST(place + 100 AS VARCHAR) FROM codes
        UNION ALL SELECT {ALS}, 'Amyotrophic lateral sclerosis', 'Condition', 'SNOMED', 'Disorder', 'S', 'a'
        UNION ALL SELECT {ALS_OF_A_KIND}, 'A kind of it', 'Condition', 'SNOMED', 'Disorder', 'S', 'b'""",
    "concept_ancestor": f"""
        SELECT {_FIRST_CODE} + place AS ancestor_concept_id, {_FIRST_PRODUCT} + place AS descendant_concept_id,
               1 AS min_levels_of_separation, 1 AS max_levels_of_separation FROM codes
        UNION ALL SELECT {ALS}, {ALS_OF_A_KIND}, 1, 1 UNION ALL SELECT {ALS}, {ALS}, 0, 0""",
}
_VOCABULARY = ("concept", "concept_ancestor")


def omop_tables(canonical: dict[str, pa.Table]) -> dict[str, pa.Table]:
    """The tables of the model for canonical persons, dispensings and outcomes; quantities are DDDs."""
    with duckdb.connect() as connection:
        for name in ("persons", "dispensings", "outcomes"):
            connection.register(name, canonical[name])
        connection.execute(
            "CREATE TABLE codes AS SELECT CAST(atc AS VARCHAR) AS atc, row_number() OVER (ORDER BY atc) AS place "
            "FROM (SELECT DISTINCT atc FROM dispensings)"
        )
        connection.execute(
            "CREATE VIEW people AS SELECT person_id, observed_from, observed_to, "
            "person_id % 3 = 0 AND observed_to > observed_from + 2 AS halves, "
            "observed_from + CAST((observed_to - observed_from) // 2 AS INTEGER) AS middle FROM persons"
        )
        return {name: connection.sql(sql).to_arrow_table() for name, sql in _TABLES.items()}


def save(tables: dict[str, pa.Table], folder: Path, form: str) -> Path:
    """Write the tables in one of ``FORMS``; vocabulary tables in CSV are tab-separated without quotes."""
    folder.mkdir()
    with duckdb.connect(str(folder / "cdm.duckdb") if form == "duckdb" else ":memory:") as connection:
        if form == "duckdb":
            connection.execute("CREATE SCHEMA cdm_53; CREATE SCHEMA results; CREATE TABLE results.note (x INTEGER)")
        for name, table in tables.items():
            connection.register("written", table)
            if form == "duckdb":
                connection.execute(f'CREATE TABLE cdm_53."{name.upper()}" AS SELECT * FROM written')
            elif form == "folders":
                (folder / name).mkdir()
                for part in range(2):
                    target = folder / name / f"part-{part}.parquet"
                    connection.execute(
                        f"COPY (SELECT * FROM (SELECT *, row_number() OVER () AS n FROM written) WHERE n % 2 = {part}) "
                        f"TO '{target}'"
                    )
            else:
                _copy(connection, name, folder, form)
    return folder / "cdm.duckdb" if form == "duckdb" else folder


def _copy(connection: duckdb.DuckDBPyConnection, name: str, folder: Path, form: str) -> None:
    target = folder / (f"{name}.{form}" if form != "CSV.GZ" else f"{name.upper()}.CSV.gz")
    if form == "parquet":
        options = "FORMAT parquet"
    elif name in _VOCABULARY:
        options = "FORMAT csv, DELIMITER '\t', HEADER, QUOTE '', ESCAPE ''"
    else:
        options = "FORMAT csv, HEADER"
    connection.execute(f"COPY written TO '{target}' ({options}{', COMPRESSION gzip' if form == 'CSV.GZ' else ''})")
