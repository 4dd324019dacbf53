"""The tables that every source is brought to."""

from __future__ import annotations

from types import MappingProxyType

from prodromal.tables.schema import Column, Kind, Table

__all__ = ["TABLES"]

_PERSON = Column("person_id", Kind.ID, "pseudonym of the person, a whole number or text", required=True)

_PERSONS = Table(
    "persons",
    (
        _PERSON,
        Column("sex", Kind.SEX, "M, F or U (unknown)", required=True),
        Column("birth_date", Kind.DATE, "date of birth; a year alone becomes 1 July", required=True),
        Column("observed_from", Kind.DATE, "first day on which a dispensing would have been recorded", required=True),
        Column("observed_to", Kind.DATE, "last day on which a dispensing would have been recorded", required=True),
        Column("death_date", Kind.DATE, "date of death, empty if alive"),
        Column("region", Kind.TEXT, "region of residence"),
        Column("sampling_weight", Kind.REAL, "people in the population whom this person stands for; 1 if absent"),
    ),
    ("person_id",),
)

_DISPENSINGS = Table(
    "dispensings",
    (
        _PERSON,
        Column("dispensed_on", Kind.DATE, "date of dispensing", required=True),
        Column("atc", Kind.ATC, "ATC code of any level", required=True),
        Column("ddd", Kind.REAL, "defined daily doses dispensed"),
        Column("days_supply", Kind.INTEGER, "days that the dispensing lasts", plausible=(1, 3650)),
        Column("quantity", Kind.REAL, "packages; negative for a return"),
    ),
    ("person_id", "dispensed_on", "atc", "ddd", "days_supply", "quantity"),
)

_OUTCOMES = Table(
    "outcomes",
    (
        _PERSON,
        Column("outcome", Kind.TEXT, "name of the outcome, such as ALS", required=True),
        Column("diagnosed_on", Kind.DATE, "date of diagnosis", required=True),
        Column("source", Kind.TEXT, "register that the diagnosis comes from"),
    ),
    ("person_id", "diagnosed_on", "outcome", "source"),
)

_RELATIVES = Table(
    "relatives",
    (
        _PERSON,
        Column("relative_id", Kind.ID, "pseudonym of the relative", required=True),
        Column("relation", Kind.TEXT, "sibling or spouse", required=True),
    ),
    ("person_id", "relative_id", "relation"),
)

_FOLLOW_UP = Table(
    "follow_up",
    (
        _PERSON,
        Column("visit_on", Kind.DATE, "date of the visit", required=True),
        Column("alsfrs_r", Kind.INTEGER, "ALSFRS-R total, 0-48"),
        Column("invasive_ventilation_on", Kind.DATE, "date on which invasive ventilation began"),
    ),
    ("person_id", "visit_on"),
)

TABLES = MappingProxyType({table.name: table for table in (_PERSONS, _DISPENSINGS, _OUTCOMES, _RELATIVES, _FOLLOW_UP)})
