"""Persons and dispensings of one bucket: held to the rules of the canonical tables, in the order of a register."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prodromal.atc import FORM
from prodromal.errors import DataError
from prodromal.register import Persons
from prodromal.register.persons import NEVER, SEXES, UNKNOWN_DAY, to_days
from prodromal.tables import TABLES, Kind

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy.typing as npt

__all__ = ["dispensings_of", "persons_of", "rows_of"]

_TYPES = {
    Kind.DATE: pa.date32(),
    Kind.REAL: pa.float32(),
    Kind.INTEGER: pa.int16(),
    Kind.SEX: pa.string(),
    Kind.ATC: pa.string(),
    Kind.TEXT: pa.string(),
}
_MAIN_GROUPS = "ABCDGHJLMNPRSV"
_WELL_FORMED = f"^(?:{FORM})$"
_Mask = "npt.NDArray[np.bool_]"


def persons_of(table: pa.Table) -> Persons:
    """Persons of a bucket by id.

    Raises
    ------
    DataError
        If rows break a rule of the canonical table; it tells how many.
    """
    typed = _typed("persons", table).sort_by("person_id")
    ids = typed.column("person_id")
    sex = typed.column("sex")
    people = Persons.from_arrow(typed)
    repeated = np.zeros(len(people), dtype=bool)
    repeated[1:] = people.ids[1:] == people.ids[:-1]
    known_birth = people.birth != UNKNOWN_DAY
    _refuse(
        "persons",
        {
            "missing_person_id": _array(pc.is_null(ids)),
            "repeated_person_id": repeated,
            "unknown_sex_code": ~_array(pc.is_in(sex, pa.array([*SEXES, None]))),
            "undated_observed_from": people.observed_from == UNKNOWN_DAY,
            "undated_observed_to": people.observed_to == NEVER,
            "never_observed": people.observed_to < people.observed_from,
            "observed_after_death": people.observed_to > people.death,
            "dead_before_birth": known_birth & (people.death < people.birth),
            "negative_weight": people.weight < 0,
        },
    )
    return people


def dispensings_of(table: pa.Table, people: Persons) -> tuple[list[pa.RecordBatch], npt.NDArray[np.int32]]:
    """Dispensings of a bucket as a register has them: sorted, repeated rows once; and how many each person has.

    Raises
    ------
    DataError
        If rows break a rule of the canonical table; it tells how many.
    """
    typed = _typed("dispensings", table)
    _refuse("dispensings", _broken(typed, people))
    ordered = typed.take(pc.sort_indices(_sortable(typed), [(name, "ascending") for name in typed.column_names]))
    once = ordered.filter(pa.array(~_repeats(ordered))).combine_chunks()
    codes = once.column("atc").combine_chunks().dictionary_encode()
    kept = once.set_column(once.column_names.index("atc"), "atc", codes).to_batches()
    counts = np.zeros(len(people), dtype=np.int32)
    for batch in kept:
        places, times = np.unique(rows_of(batch.column("person_id"), people), return_counts=True)
        counts[places] += times.astype(np.int32)
    return kept, counts


def _broken(typed: pa.Table, people: Persons) -> dict[str, npt.NDArray[np.bool_]]:
    day = to_days(typed.column("dispensed_on"), UNKNOWN_DAY)
    atc = typed.column("atc")
    formed = _array(pc.fill_null(pc.match_substring_regex(atc, _WELL_FORMED), False))
    grouped = _array(pc.is_in(pc.utf8_slice_codeunits(atc, 0, 1), pa.array(list(_MAIN_GROUPS))))
    rows = rows_of(typed.column("person_id"), people)
    known = rows >= 0
    life = _Life(
        *(values[rows[known]] for values in (people.birth, people.death, people.observed_from, people.observed_to))
    )
    low, high = TABLES["dispensings"]["days_supply"].plausible or (1, 3650)
    supply = typed.column("days_supply")
    return {
        "missing_person_id": _array(pc.is_null(typed.column("person_id"))),
        "undated_dispensed_on": day == UNKNOWN_DAY,
        "malformed_atc": ~(formed & grouped),
        "return": _below(typed.column("ddd"), 0) | _below(typed.column("quantity"), 0),
        "implausible_days_supply": _below(supply, low) | _below(pc.negate(supply), -high),
        "unknown_person": ~known,
        **{rule: _spread(known, broken) for rule, broken in life.broken(day[known]).items()},
    }


class _Life(NamedTuple):
    """Days of the persons of some dispensings."""

    birth: npt.NDArray[np.int32]
    death: npt.NDArray[np.int32]
    observed_from: npt.NDArray[np.int32]
    observed_to: npt.NDArray[np.int32]

    def broken(self, day: npt.NDArray[np.int32]) -> dict[str, npt.NDArray[np.bool_]]:
        return {
            "before_birth": day < self.birth,
            "after_death": day > self.death,
            "outside_observation": (day < self.observed_from) | (day > self.observed_to),
        }


def rows_of(ids: pa.ChunkedArray | pa.Array, people: Persons) -> npt.NDArray[np.int64]:
    """Rows of persons; -1 for an unknown or missing id."""
    found = pc.index_in(ids, pa.array(people.ids, ids.type))
    return np.asarray(pc.fill_null(found, -1), dtype=np.int64)


def _spread(where: npt.NDArray[np.bool_], values: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    whole = np.zeros(len(where), dtype=bool)
    whole[where] = values
    return whole


def _typed(name: str, table: pa.Table) -> pa.Table:
    """The canonical columns in their types; optional ones that are absent are empty."""
    ids = table.column("person_id").type
    columns = {}
    for column in TABLES[name].columns:
        wanted = ids if column.kind is Kind.ID else _TYPES[column.kind]
        there = column.name in table.column_names
        columns[column.name] = table.column(column.name).cast(wanted) if there else pa.nulls(table.num_rows, wanted)
    return pa.table(columns)


def _sortable(typed: pa.Table) -> pa.Table:
    """Dispensings with a missing number before every other; nothing else is missing, and columns sort as they stand."""
    assert tuple(typed.column_names) == TABLES["dispensings"].sort
    columns = {name: typed.column(name) for name in typed.column_names}
    for name in ("ddd", "days_supply", "quantity"):
        columns[name] = pc.fill_null(columns[name].cast(pa.float64()), -np.inf)
    return pa.table(columns)


def _repeats(table: pa.Table) -> npt.NDArray[np.bool_]:
    """Whether a row equals the one before in every column, missing values too."""
    same = np.ones(max(table.num_rows - 1, 0), dtype=bool)
    for column in table.columns:
        one, other = column[1:], column[:-1]
        absent = pc.and_(pc.is_null(one), pc.is_null(other))
        same &= _array(pc.or_(pc.fill_null(pc.equal(one, other), False), absent))
    return np.concatenate([np.zeros(min(table.num_rows, 1), dtype=bool), same])


def _below(column: pa.ChunkedArray, bound: float) -> npt.NDArray[np.bool_]:
    return _array(pc.fill_null(pc.less(column, pa.scalar(bound, column.type)), False))


def _array(values: pa.ChunkedArray) -> npt.NDArray[np.bool_]:
    return np.asarray(values.to_numpy(), dtype=bool)


def _refuse(table: str, broken: Mapping[str, npt.NDArray[np.bool_]]) -> None:
    counts = {rule: int(mask.sum()) for rule, mask in broken.items() if mask.any()}
    if counts:
        rows = len(next(iter(broken.values())))
        reasons = ", ".join(f"{rule} {number}" for rule, number in counts.items())
        raise DataError(
            f"{table}: rows of a bucket of {rows} break the rules of the canonical table ({reasons}); "
            "bring the delivery to a register with 'prodromal ingest', which accounts for every row, and score that"
        )
