"""The canonical tables as SQL over the events of a MEDS dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prodromal.sources.engine import identifier, literal
from prodromal.sources.meds.vocabulary import EXTENSIONS
from prodromal.sources.relation import Relation

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

    from prodromal.sources.meds.survey import Survey
    from prodromal.sources.meds.vocabulary import Vocabulary

__all__ = ["TYPES", "is_code", "make_views", "relation", "rest_of"]

_PLACE = {"_row_": "BIGINT", "_file_": "INTEGER", "_copy_": "INTEGER", "_rule_": "VARCHAR"}
_OF = {"event": "UBIGINT", "person_id": "BIGINT"}
TYPES: Mapping[str, Mapping[str, str]] = {
    "persons": {
        "person_id": "BIGINT",
        **dict.fromkeys(("sex", "region"), "VARCHAR"),
        **dict.fromkeys(("birth_date", "death_date", "observed_from", "observed_to"), "DATE"),
        "sampling_weight": "FLOAT",
    },
    "dispensings": {
        **_OF,
        "dispensed_on": "DATE",
        "atc": "VARCHAR",
        **dict.fromkeys(("ddd", "days_supply", "quantity"), "DOUBLE"),
    },
    "outcomes": {**_OF, "outcome": "VARCHAR", "diagnosed_on": "DATE", "source": "VARCHAR"},
    "relatives": {**_OF, "relative_id": "BIGINT", "relation": "VARCHAR"},
    "follow_up": {**_OF, "visit_on": "DATE", "alsfrs_r": "DOUBLE", "invasive_ventilation_on": "DATE"},
}


def relation(table: str, files: tuple[Path, ...]) -> Relation:
    """One canonical table, read from the view of its name."""
    return Relation(f"meds_{table}", {**_PLACE, **TYPES[table]}, files)


def is_code(name: str) -> str:
    """SQL: whether an event bears a code, alone or with more behind it."""
    return f"(code = {literal(name)} OR starts_with(code, {literal(name + '//')}))"


def rest_of(beginnings: Iterable[str], *, whole: bool = False) -> str:
    """SQL: what follows the first fitting beginning of a code, up to the next ``//`` or whole; NULL if none fits."""
    longest = sorted(beginnings, key=len, reverse=True)
    cases = " ".join(f"WHEN starts_with(code, {literal(b)}) THEN substr(code, {len(b) + 1})" for b in longest)
    return f"CASE {cases} END" if whole else f"split_part(CASE {cases} END, '//', 1)"


def make_views(
    connection: duckdb.DuckDBPyConnection,
    found: Survey,
    words: Vocabulary,
    outcomes: Mapping[str, tuple[str, ...]],
    value: str | None,
    latest: str,
) -> None:
    """Make the views that the relations read.

    Parameters
    ----------
    connection : DuckDBPyConnection
        May read the files of the dataset.
    found : Survey
        Of the dataset.
    words : Vocabulary
        What its codes mean.
    outcomes : mapping of str to tuple of str
        Codes of each outcome; one that ends in ``*`` stands for all that begin so.
    value : {"ddd", "days_supply", "quantity"}, optional
        What ``numeric_value`` of a dispensing is.
    latest : str
        SQL date: the last day that the dataset can contain.
    """
    connection.execute("CREATE TABLE meds_file (number INTEGER, name VARCHAR)")
    connection.executemany("INSERT INTO meds_file VALUES (?, ?)", list(enumerate(map(str, found.files))))
    connection.register("subjects", found.subjects)
    connection.execute("CREATE TABLE meds_subject AS SELECT * FROM subjects")
    connection.unregister("subjects")
    connection.execute("CREATE TABLE meds_outcome (outcome VARCHAR, code VARCHAR)")
    pairs = [(name, code) for name, codes in outcomes.items() for code in found.matching(codes)]
    if pairs:
        connection.executemany("INSERT INTO meds_outcome VALUES (?, ?)", pairs)
    connection.execute(f"CREATE VIEW meds_event AS {_events(found)}")
    connection.execute(f"CREATE TABLE meds_trait AS {_traits(words)}")
    dated = (words.observed_from, words.observed_to)
    observed = (
        _OBSERVED if all(found.matching((code, f"{code}//*")) for code in dated) else _first_and_last(words, latest)
    )
    for view, sql in (
        ("meds_observed", observed),
        ("meds_persons", _PERSONS),
        ("meds_dispensings", _dispensings(words, value)),
        ("meds_outcomes", _OUTCOMES),
        ("meds_relatives", _relatives(words)),
        ("meds_follow_up", _follow_up(words)),
    ):
        connection.execute(f"CREATE VIEW {view} AS {sql}")


def _events(found: Survey) -> str:
    files = ", ".join(literal(str(file)) for file in found.files)
    everything = ", ".join(f"e.{identifier(name)}" for name in sorted(found.columns))
    chosen = ", ".join(
        (f"e.{name}" if name in found.columns else "NULL") + f" AS {name}" for name in ("numeric_value", *EXTENSIONS)
    )
    return f"""SELECT f.number AS _file_, e.file_row_number + 1 AS _row_, hash({everything}) AS event,
        e.subject_id AS person_id, e.time, CAST(e.time AS DATE) AS on_day, e.code, {chosen}
        FROM read_parquet([{files}], filename = '_name_', file_row_number = true, union_by_name = true,
            hive_partitioning = false) e
        JOIN meds_file f ON f.name = e._name_"""


def _traits(words: Vocabulary) -> str:
    """What is said of a person once."""
    kinds = (
        (f"{rest_of(words.sex)} IS NOT NULL", "sex"),
        (f"{rest_of(words.region, whole=True)} IS NOT NULL", "region"),
        (is_code(words.birth), "birth"),
        (is_code(words.death), "death"),
        (is_code(words.observed_from), "from"),
        (is_code(words.observed_to), "to"),
        (is_code(words.weight), "weight"),
    )
    cases = " ".join(f"WHEN {condition} THEN {literal(kind)}" for condition, kind in kinds)
    return f"""SELECT person_id, on_day, kind, numeric_value,
        coalesce({rest_of(words.sex)}, {rest_of(words.region, whole=True)}) AS word
        FROM (SELECT *, CASE {cases} END AS kind FROM meds_event) WHERE kind IS NOT NULL"""


_OBSERVED = """SELECT person_id, min(on_day) FILTER (kind = 'from') AS observed_from,
    max(on_day) FILTER (kind = 'to') AS observed_to FROM meds_trait GROUP BY person_id"""


def _first_and_last(words: Vocabulary, latest: str) -> str:
    return f"""SELECT person_id, min(on_day) AS observed_from, max(on_day) AS observed_to FROM meds_event
        LEFT JOIN (SELECT person_id, min(on_day) AS born FROM meds_trait WHERE kind = 'birth' GROUP BY person_id)
            USING (person_id)
        WHERE on_day BETWEEN coalesce(born, on_day) AND {latest} AND on_day <> DATE '1900-01-01'
            AND NOT {is_code(words.birth)} AND NOT {is_code(words.death)} GROUP BY person_id"""


_PERSONS = """SELECT s.row AS _row_, s.file AS _file_, 0 AS _copy_,
    CASE WHEN last_sex > sex THEN 'conflicting_sex' WHEN last_birth > birth_date THEN 'conflicting_birth'
         WHEN last_death > death_date THEN 'conflicting_death' END AS _rule_,
    s.subject_id AS person_id, sex, region, birth_date, death_date, observed_from, observed_to, sampling_weight
    FROM meds_subject s
    LEFT JOIN (SELECT person_id, min(word) FILTER (kind = 'sex') AS sex, max(word) FILTER (kind = 'sex') AS last_sex,
                   max(word) FILTER (kind = 'region') AS region,
                   min(on_day) FILTER (kind = 'birth') AS birth_date, max(on_day) FILTER (kind = 'birth') AS last_birth,
                   min(on_day) FILTER (kind = 'death') AS death_date, max(on_day) FILTER (kind = 'death') AS last_death,
                   CAST(max(numeric_value) FILTER (kind = 'weight') AS FLOAT) AS sampling_weight
               FROM meds_trait GROUP BY person_id) t ON t.person_id = s.subject_id
    LEFT JOIN meds_observed o ON o.person_id = s.subject_id"""
_ROW = "_row_, _file_, 0 AS _copy_, CAST(NULL AS VARCHAR) AS _rule_, event, person_id"


def _dispensings(words: Vocabulary, value: str | None) -> str:
    amounts = ", ".join(
        f"CAST({f'coalesce({name}, numeric_value)' if name == value else name} AS DOUBLE) AS {name}"
        for name in ("ddd", "days_supply", "quantity")
    )
    code = rest_of(words.atc)
    return f"SELECT {_ROW}, on_day AS dispensed_on, {code} AS atc, {amounts} FROM meds_event WHERE {code} IS NOT NULL"


_OUTCOMES = """SELECT _row_, _file_, row_number() OVER (PARTITION BY _file_, _row_ ORDER BY outcome) - 1 AS _copy_,
    CAST(NULL AS VARCHAR) AS _rule_, event, person_id, outcome, on_day AS diagnosed_on,
    CAST(source AS VARCHAR) AS source
    FROM meds_event JOIN meds_outcome USING (code)"""


def _relatives(words: Vocabulary) -> str:
    relation = rest_of(words.relative, whole=True)
    return f"SELECT {_ROW}, relative_id, {relation} AS relation FROM meds_event WHERE {relation} IS NOT NULL"


def _follow_up(words: Vocabulary) -> str:
    return f"""SELECT {_ROW}, on_day AS visit_on, CAST(numeric_value AS DOUBLE) AS alsfrs_r,
        CAST(invasive_ventilation_on AS DATE) AS invasive_ventilation_on
        FROM meds_event WHERE {is_code(words.follow_up)}"""
