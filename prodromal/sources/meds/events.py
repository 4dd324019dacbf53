"""Rows of canonical tables as MEDS events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodromal.sources.meds.vocabulary import Vocabulary

__all__ = ["SCHEMA", "of_dispensings", "of_persons", "of_table"]

# `event_number` tells apart events that are equal in all else; MEDS requires the first three.
SCHEMA = pa.schema(
    [
        pa.field("subject_id", pa.int64(), nullable=False),
        pa.field("time", pa.timestamp("us")),
        pa.field("code", pa.string(), nullable=False),
        ("numeric_value", pa.float32()),
        ("ddd", pa.float32()),
        ("days_supply", pa.int16()),
        ("quantity", pa.float32()),
        ("source", pa.string()),
        ("relative_id", pa.int64()),
        ("invasive_ventilation_on", pa.timestamp("us")),
        ("event_number", pa.int32()),
    ]
)
_SORTED = SCHEMA.append(pa.field("place", pa.int8()))
# Events of one moment in the order of a life.
_BIRTH, _BEGINNING, _DURING, _END, _DEATH = range(5)


def of_persons(persons: pa.Table, words: Vocabulary) -> Iterator[pa.Table]:
    """Sex, region and weight without a time; birth, observation and death at theirs."""
    ids = persons.column("person_id")
    sex = pc.binary_join_element_wise(words.sex[0], persons.column("sex").cast(pa.string()), "")
    yield _events(ids, sex)
    region = persons.column("region").cast(pa.string())
    yield _given(region, ids, pc.binary_join_element_wise(words.region[0], region, ""))
    weight = persons.column("sampling_weight")
    yield _given(weight, ids, words.weight, numeric_value=weight)
    for column, code, place in (
        ("birth_date", words.birth, _BIRTH),
        ("observed_from", words.observed_from, _BEGINNING),
        ("observed_to", words.observed_to, _END),
        ("death_date", words.death, _DEATH),
    ):
        day = persons.column(column)
        yield _given(day, ids, code, time=day, place=place)


def of_dispensings(rows: pa.Table, words: Vocabulary) -> pa.Table:
    """One event each; DDDs are the numeric value."""
    code = pc.binary_join_element_wise(words.atc[0], rows.column("atc").cast(pa.string()), "")
    amounts = {name: rows.column(name) for name in ("ddd", "days_supply", "quantity")}
    return _events(
        rows.column("person_id"), code, time=rows.column("dispensed_on"), numeric_value=amounts["ddd"], **amounts
    )


def of_table(name: str, rows: pa.Table, words: Vocabulary) -> pa.Table:
    """Outcomes, relatives or follow-up, one event each."""
    ids = rows.column("person_id")
    if name == "outcomes":
        code = pc.binary_join_element_wise(words.outcome, rows.column("outcome").cast(pa.string()), "")
        return _events(ids, code, time=rows.column("diagnosed_on"), source=rows.column("source").cast(pa.string()))
    if name == "relatives":
        code = pc.binary_join_element_wise(words.relative[0], rows.column("relation").cast(pa.string()), "")
        return _events(ids, code, relative_id=rows.column("relative_id"))
    ventilated = rows.column("invasive_ventilation_on")
    return _events(
        ids,
        words.follow_up,
        time=rows.column("visit_on"),
        numeric_value=rows.column("alsfrs_r"),
        invasive_ventilation_on=ventilated,
    )


def _given(column: Any, ids: Any, code: Any, **others: Any) -> pa.Table:
    """Events of the people who have something in `column`."""
    return _events(ids, code, **others).filter(pc.is_valid(column))


def _events(ids: Any, code: Any, *, place: int = _DURING, **columns: Any) -> pa.Table:
    rows = len(ids)
    columns |= {
        "subject_id": ids,
        "code": pa.repeat(code, rows) if isinstance(code, str) else code,
        "event_number": pa.array(np.arange(rows, dtype=np.int32)),
        "place": pa.repeat(place, rows),
    }
    return pa.table(
        [
            columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
            for field in _SORTED
        ],
        schema=_SORTED,
    )
