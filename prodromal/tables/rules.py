"""Rules of the tables, in the order in which they are asked; the first that applies rejects the row.

A rule is a condition in SQL over the parsed columns of a source row. For a column ``x`` it may use ``x`` (the typed
value, NULL if missing or unreadable), ``x_given`` (something stood there), ``x_malformed`` (it could not be read) and,
for dates, ``x_partial`` (a year or a month only). ``person`` and ``relative`` are rows of the persons table, all NULL
for an unknown person; ``latest`` is the last day that the extract can contain. Sources add rules of their own for what
only they can see (encoding, columns).
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

from prodromal.tables.canonical import TABLES
from prodromal.tables.schema import Kind

__all__ = ["RULES", "Rule"]


@dataclass(frozen=True)
class Rule:
    """A reason for which a row is rejected: its name, its condition in SQL, and a sentence for readers."""

    name: str
    condition: str
    sentence: str


_PLACEHOLDERS = "(DATE '1900-01-01', DATE '9999-12-31')"


def _missing(column: str) -> Rule:
    return Rule(f"missing_{column}", f"NOT {column}_given", f"{column} is empty")


def _date(column: str, *, required: bool) -> tuple[Rule, ...]:
    missing = (Rule(f"undated_{column}", f"NOT {column}_given", f"{column} is empty"),) if required else ()
    return (
        *missing,
        Rule(f"partial_{column}", f"{column}_partial", f"{column} has a year or month only"),
        Rule(f"malformed_{column}", f"{column}_malformed", f"{column} is no date of the declared form"),
        Rule(f"placeholder_{column}", f"{column} IN {_PLACEHOLDERS}", f"{column} is a placeholder, not a date"),
    )


def _numbers(table: str) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            f"malformed_{column.name}",
            f"{column.name}_malformed",
            f"{column.name} is no {column.kind.value}",
        )
        for column in TABLES[table].columns
        if column.kind in (Kind.REAL, Kind.INTEGER)
    )


_UNKNOWN_PERSON = Rule("unknown_person", "person.person_id IS NULL", "the person is not in the persons table")


def _within_life(column: str) -> tuple[Rule, ...]:
    return (
        Rule("future", f"{column} > latest", f"{column} lies after the day of the extract"),
        Rule("before_birth", f"{column} < person.birth_date", f"{column} lies before birth"),
        Rule("after_death", f"{column} > person.death_date", f"{column} lies after death"),
    )


_PERSON_RULES = (
    _missing("person_id"),
    Rule("undated_birth_date", "NOT birth_date_given", "birth_date is empty"),
    Rule("malformed_birth_date", "birth_date_malformed", "birth_date is no date of the declared form"),
    Rule("placeholder_birth_date", f"birth_date IN {_PLACEHOLDERS}", "birth_date is a placeholder, not a date"),
    *_date("observed_from", required=True),
    Rule("undated_observed_to", "NOT observed_to_given", "observed_to is empty"),
    Rule("partial_observed_to", "observed_to_partial", "observed_to has a year or month only"),
    Rule("malformed_observed_to", "observed_to_malformed", "observed_to is no date of the declared form"),
    Rule("malformed_death_date", "death_date_malformed", "death_date is no date of the declared form"),
    *_numbers("persons"),
    Rule("negative_weight", "sampling_weight < 0", "sampling_weight is negative"),
    Rule("born_in_future", "birth_date > latest", "birth_date lies after the day of the extract"),
    Rule("dead_before_birth", "death_date < birth_date", "death_date lies before birth_date"),
    Rule("never_observed", "observed_to < observed_from", "observation ends before it begins"),
)

_DISPENSING_RULES = (
    _missing("person_id"),
    *_date("dispensed_on", required=True),
    _missing("atc"),
    Rule("malformed_atc", "atc_malformed", "atc is no ATC code"),
    Rule(
        "unknown_atc",
        "NOT contains('ABCDGHJLMNPRSV', left(atc, 1))",
        "no such main group",
    ),
    *_numbers("dispensings"),
    _UNKNOWN_PERSON,
    *_within_life("dispensed_on"),
    Rule(
        "outside_observation",
        "dispensed_on NOT BETWEEN person.observed_from AND person.observed_to",
        "dispensed_on lies outside the person's observation",
    ),
)

_OUTCOME_RULES = (
    _missing("person_id"),
    _missing("outcome"),
    *_date("diagnosed_on", required=True),
    _UNKNOWN_PERSON,
    *_within_life("diagnosed_on"),
)

_RELATIVE_RULES = (
    _missing("person_id"),
    _missing("relative_id"),
    Rule(
        "unknown_relation",
        "relation IS NULL OR relation NOT IN ('sibling', 'spouse')",
        "relation is not sibling or spouse",
    ),
    _UNKNOWN_PERSON,
    Rule("unknown_relative", "relative.person_id IS NULL", "the relative is not in the persons table"),
    Rule("own_relative", "relative.person_id = person.person_id", "a person is their own relative"),
)

_FOLLOW_UP_RULES = (
    _missing("person_id"),
    *_date("visit_on", required=True),
    *_date("invasive_ventilation_on", required=False),
    *_numbers("follow_up"),
    Rule("alsfrs_r_out_of_range", "alsfrs_r NOT BETWEEN 0 AND 48", "alsfrs_r is not between 0 and 48"),
    _UNKNOWN_PERSON,
    *_within_life("visit_on"),
)

RULES = MappingProxyType(
    {
        "persons": _PERSON_RULES,
        "dispensings": _DISPENSING_RULES,
        "outcomes": _OUTCOME_RULES,
        "relatives": _RELATIVE_RULES,
        "follow_up": _FOLLOW_UP_RULES,
    }
)
