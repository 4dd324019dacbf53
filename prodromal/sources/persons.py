"""What is special about persons: one row each, an end of observation, and the type of the ids."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.errors import DataError
from prodromal.sources.engine import as_text, literal
from prodromal.tables import TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

    import duckdb

__all__ = ["derive_persons", "settle_persons"]

_WHOLE_NUMBER = "-?(0|[1-9][0-9]{0,17})"


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
        f"""INSERT INTO persons (file, row, person_id, sex, observed_from, observed_to, fingerprint, repairs)
        SELECT 0, row_number() OVER (ORDER BY person_id), person_id, 'U', {dates}, 0, 1
        FROM (SELECT DISTINCT person_id FROM ({ids}))"""
    )


def settle_persons(connection: duckdb.DuckDBPyConnection, latest: str, shortened: int) -> str:
    """Set repeated persons aside, end observation at death or extract, and make the table ``person`` to join to.

    Parameters
    ----------
    connection : DuckDBPyConnection
        Holds the staged persons.
    latest : str
        SQL date of the extract.
    shortened : int
        Bit that marks a person whose observation was shortened.

    Returns
    -------
    str
        DuckDB's type of the ids: BIGINT if all are whole numbers, else VARCHAR.
    """
    run = connection.execute
    run(
        """UPDATE persons SET rule = 'duplicate' WHERE rule IS NULL AND (file, row) NOT IN
        (SELECT (file, row) FROM persons WHERE rule IS NULL
         QUALIFY row_number() OVER (PARTITION BY person_id, fingerprint ORDER BY file, row) = 1)"""
    )
    raw = as_text(TABLES["persons"].names)
    run(
        f"""UPDATE persons SET rule = 'conflicting_person', raw = {raw} WHERE rule IS NULL AND person_id IN
        (SELECT person_id FROM persons WHERE rule IS NULL GROUP BY person_id HAVING count(*) > 1)"""
    )
    run("UPDATE persons SET death_date = NULL WHERE death_date = DATE '9999-12-31'")
    last_day = f"least({latest}, coalesce(death_date, {latest}))"
    run(
        f"UPDATE persons SET observed_to = {last_day}, repairs = repairs | {shortened} "
        f"WHERE rule IS NULL AND observed_to > {last_day}"
    )
    run(f"UPDATE persons SET rule = 'never_observed', raw = {raw} WHERE rule IS NULL AND observed_to < observed_from")
    run(
        "CREATE TABLE person AS SELECT person_id, birth_date, death_date, observed_from, observed_to "
        "FROM persons WHERE rule IS NULL"
    )
    ((whole,),) = run(f"SELECT bool_and(regexp_full_match(person_id, '{_WHOLE_NUMBER}')) FROM person").fetchall()
    return "BIGINT" if whole else "VARCHAR"
