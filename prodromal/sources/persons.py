"""What is special about persons: one row each, an end of observation, and the type of the ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.engine import literal
from prodromal.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

__all__ = ["derive_persons", "settle_persons"]

_WHOLE_NUMBER = "0|-?[1-9][0-9]{0,17}"


def derive_persons(connection: duckdb.DuckDBPyConnection, ids: str, constants: Mapping[str, str]) -> None:
    """Make the staged persons from `ids`, SQL that yields a column person_id; sex unknown, no birth date.

    Raises
    ------
    DataError
        If the ends of observation are not given as constants.
    """
    for needed in ("observed_from", "observed_to"):
        if needed not in constants:
            raise DataError(f"persons made from dispensings need --set {needed}=YYYY-MM-DD")
    dates = ", ".join(f"CAST({literal(constants[name])} AS DATE)" for name in ("observed_from", "observed_to"))
    connection.execute(
        f"""INSERT INTO persons (person_id, sex, observed_from, observed_to, fingerprint, repairs)
        SELECT person_id, 'U', {dates}, 0, 1
        FROM (SELECT DISTINCT person_id FROM ({ids}) WHERE person_id <> '') ORDER BY person_id"""
    )


def settle_persons(connection: duckdb.DuckDBPyConnection, latest: str, repairs: list[str]) -> str:
    """Set repeated persons aside, end observation at death or extract, and make the table ``person`` to join to.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds the staged persons.
    latest : str
        SQL date of the extract.
    repairs : list of str
        Names of the bits of ``repairs``; those of this function are appended.

    Returns
    -------
    str
        DuckDB's type of the ids: BIGINT if all are whole numbers, else VARCHAR.
    """
    run = connection.execute
    kept = (
        "SELECT persons.rowid AS place, * FROM persons ANTI JOIN out_of_persons ON persons.rowid = out_of_persons.row"
    )
    kept += " WHERE persons.rule IS NULL"
    own = ", ".join(TABLES["persons"].names)
    run(
        f"""INSERT INTO out_of_persons SELECT place, 'duplicate' FROM ({kept})
        QUALIFY row_number() OVER (PARTITION BY {own}, fingerprint ORDER BY place) > 1"""
    )
    run(
        f"""INSERT INTO out_of_persons SELECT place, 'conflicting_person' FROM ({kept})
        QUALIFY count(*) OVER (PARTITION BY person_id) > 1"""
    )
    _settle_deaths(connection, latest, repairs)
    repairs.append("observed_to_shortened")
    shortened = 1 << (len(repairs) - 1)
    last_day = f"least({latest}, coalesce(death_date, {latest}))"
    run(
        f"UPDATE persons SET observed_to = {last_day}, repairs = repairs | {shortened} "
        f"WHERE rule IS NULL AND observed_to > {last_day}"
    )
    run(f"INSERT INTO out_of_persons SELECT place, 'never_observed' FROM ({kept}) WHERE observed_to < observed_from")
    ((whole,),) = run(
        f"SELECT coalesce(bool_and(regexp_full_match(person_id, '{_WHOLE_NUMBER}')), FALSE) FROM ({kept})"
    ).fetchall()
    id_type = "BIGINT" if whole else "VARCHAR"
    run(
        f"""CREATE TABLE person AS
        SELECT CAST(person_id AS {id_type}) AS person_id, birth_date, death_date, observed_from, observed_to
        FROM ({kept})"""
    )
    return id_type


def _settle_deaths(connection: duckdb.DuckDBPyConnection, latest: str, repairs: list[str]) -> None:
    """Nobody is known to have died after the extract: a placeholder, an error, or a month that is not over."""
    connection.execute("UPDATE persons SET death_date = NULL WHERE death_date = DATE '9999-12-31'")
    incomplete = 1 << repairs.index("death_date_incomplete") if "death_date_incomplete" in repairs else 0
    repairs.append("death_after_extract")
    connection.execute(
        f"UPDATE persons SET death_date = {latest} WHERE death_date > {latest} AND repairs & {incomplete} > 0 "
        f"AND date_trunc('year', death_date) = date_trunc('year', {latest})"
    )
    connection.execute(
        f"UPDATE persons SET death_date = NULL, repairs = repairs | {1 << (len(repairs) - 1)} "
        f"WHERE death_date > {latest}"
    )
