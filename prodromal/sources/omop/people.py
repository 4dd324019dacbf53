"""Persons: birth from its three fields, one spell of observation each, the earliest death."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.sources.omop.scratch import types_of

if TYPE_CHECKING:
    import duckdb

__all__ = ["PERSONS", "as_date", "make_persons"]

PERSONS = "omop_persons"
_MALE, _FEMALE = 8507, 8532

# Periods that touch or overlap are one spell; the longest spell up to the extract is a person's observation, and the
# later one of two equally long.
_SPELLS = """
    CREATE TABLE omop_spell AS
    WITH period AS (
        SELECT person_id, {start} AS starts, least({end}, {latest}) AS ends FROM cdm_observation_period
        WHERE person_id IS NOT NULL AND {start} IS NOT NULL AND {end} IS NOT NULL AND {start} <= least({end}, {latest})
    ), opened AS (
        SELECT *, coalesce(starts > 1 + max(ends) OVER earlier, TRUE) AS opens FROM period
        WINDOW earlier AS (
            PARTITION BY person_id ORDER BY starts, ends ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)
    ), numbered AS (
        SELECT *, count_if(opens) OVER (
            PARTITION BY person_id ORDER BY starts, ends ROWS UNBOUNDED PRECEDING) AS spell
        FROM opened
    ), spell AS (
        SELECT person_id, min(starts) AS starts, max(ends) AS ends, count(*) AS periods
        FROM numbered GROUP BY person_id, spell
    )
    SELECT *, row_number() OVER (PARTITION BY person_id ORDER BY ends - starts DESC, starts DESC) = 1 AS chosen
    FROM spell
"""
# A year, a year and month, or a day; the time of birth is asked only where the year is missing, for it is often filled
# in by a convention.
_BIRTH = """
    CASE WHEN year_of_birth IS NULL THEN CAST(birth_datetime AS VARCHAR)
         ELSE lpad(CAST(year_of_birth AS VARCHAR), 4, '0')
              || CASE WHEN month_of_birth IS NULL THEN ''
                      ELSE '-' || lpad(CAST(month_of_birth AS VARCHAR), 2, '0')
                           || coalesce('-' || lpad(CAST(day_of_birth AS VARCHAR), 2, '0'), '') END END
"""


def make_persons(connection: duckdb.DuckDBPyConnection, latest: str, *, deaths: bool) -> None:
    """Make the view ``omop_persons`` and the table ``omop_spell``.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds ``cdm_person``, ``cdm_observation_period`` and, with `deaths`, ``cdm_death``.
    latest : str
        SQL date of the extract.
    deaths : bool
        Whether there is a table of deaths.
    """
    start, end = (
        as_date(connection, "cdm_observation_period", f"observation_period_{x}_date") for x in ("start", "end")
    )
    connection.execute(_SPELLS.format(start=start, end=end, latest=latest))
    connection.execute("CREATE TABLE omop_death AS " + (_deaths(connection) if deaths else _NO_DEATHS))
    connection.execute(
        f"""CREATE VIEW {PERSONS} AS
        SELECT p._row_, p._file_, p.person_id,
               CASE gender_concept_id WHEN {_MALE} THEN 'M' WHEN {_FEMALE} THEN 'F' ELSE 'U' END AS sex,
               {_BIRTH} AS birth_date, s.starts AS observed_from, s.ends AS observed_to, d.death_date,
               CASE WHEN s.person_id IS NULL THEN 'no_observation_period' END AS _left_out_
        FROM cdm_person p
        LEFT JOIN omop_spell s ON s.person_id = p.person_id AND s.chosen
        LEFT JOIN omop_death d ON d.person_id = p.person_id"""
    )


def as_date(connection: duckdb.DuckDBPyConnection, table: str, column: str) -> str:
    """SQL for a date in a column of text or dates; NULL where it is none."""
    if types_of(connection, table)[column] == "DATE":
        return column
    text = f"trim(CAST({column} AS VARCHAR))"
    return f"CASE WHEN length({text}) = 10 THEN CAST(try_strptime({text}, '%Y-%m-%d') AS DATE) END"


_NO_DEATHS = "SELECT CAST(NULL AS BIGINT) AS person_id, CAST(NULL AS DATE) AS death_date WHERE FALSE"


def _deaths(connection: duckdb.DuckDBPyConnection) -> str:
    """The earliest readable date of each; what cannot be read goes on as it is, to be judged with the person."""
    day = as_date(connection, "cdm_death", "death_date")
    whole = "min(death_date)" if day == "death_date" else f"coalesce(CAST(min({day}) AS VARCHAR), min(death_date))"
    return f"SELECT person_id, {whole} AS death_date FROM cdm_death WHERE person_id IS NOT NULL GROUP BY person_id"
