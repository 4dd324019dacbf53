"""From a register and index dates to a matrix, part by part."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from joblib import Parallel, delayed

from prodromal.errors import DataError
from prodromal.features import kernels
from prodromal.features.index_dates import IndexDates
from prodromal.features.matrix import FeatureMatrix
from prodromal.features.measures import SINCE_MEASURES, WINDOW_MEASURES
from prodromal.register.persons import UNKNOWN_DAY, Persons, to_days

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pandas as pd
    import pyarrow as pa

    from prodromal.features.plan import FeaturePlan
    from prodromal.register import Part, Register

__all__ = ["build", "iterate"]


def build(
    plan: FeaturePlan, register: Register, index_dates: pd.DataFrame | IndexDates, *, threads: int = 1
) -> FeatureMatrix:
    """Compute a plan's features for people at index dates.

    Parameters
    ----------
    plan : FeaturePlan
        What to measure.
    register : Register
        Where the dispensings are.
    index_dates : DataFrame
        Columns ``person_id`` and ``index_date``; any order, several rows per person allowed.
    threads : int
        Parts that are worked on at the same time.

    Returns
    -------
    FeatureMatrix
        One row per index date, in the order given.

    Raises
    ------
    DataError
        If a person is not in the register.
    """
    dates = index_dates if isinstance(index_dates, IndexDates) else IndexDates.of(register, index_dates)
    dates.require_known()
    values = np.empty((len(dates), len(plan.features)), dtype=np.float32)

    def put(part: Part, positions: npt.NDArray[np.int64]) -> None:
        history = _history(plan, register.persons, part)
        values[positions] = _block(plan, register.persons, part, history, dates, positions)

    Parallel(n_jobs=threads, require="sharedmem")(delayed(put)(*item) for item in _by_part(register, dates))
    return FeatureMatrix(
        values, register.persons.ids[dates.person_row], dates.day.astype("datetime64[D]"), plan, dates.person_row
    )


def iterate(
    plan: FeaturePlan, register: Register, dates: IndexDates, *, rows_per_block: int = 50_000
) -> Iterator[tuple[npt.NDArray[np.int64], FeatureMatrix]]:
    """Matrices of bounded size, part by part, each with the positions of its rows in `dates`.

    Rows come in the order of persons, then of index dates.
    """
    dates.require_known()
    for part, positions in _by_part(register, dates):
        history = _history(plan, register.persons, part)
        for low in range(0, len(positions), rows_per_block):
            chosen = positions[low : low + rows_per_block]
            values = _block(plan, register.persons, part, history, dates, chosen)
            rows = dates.person_row[chosen]
            yield (
                chosen,
                FeatureMatrix(
                    values, register.persons.ids[rows], dates.day[chosen].astype("datetime64[D]"), plan, rows
                ),
            )


def _by_part(register: Register, dates: IndexDates) -> Iterator[tuple[Part, npt.NDArray[np.int64]]]:
    """Each part that has index dates, with their positions sorted by person and day."""
    order = np.lexsort((dates.day, dates.person_row))
    rows = dates.person_row[order]
    for part in register.parts:
        low, high = np.searchsorted(rows, [part.first_person, part.first_person + part.persons])
        if high > low:
            yield part, order[low:high]


def _block(
    plan: FeaturePlan,
    persons: Persons,
    part: Part,
    history: kernels.History,
    dates: IndexDates,
    positions: npt.NDArray[np.int64],
) -> npt.NDArray[np.float32]:
    rows, days = dates.person_row[positions], dates.day[positions]
    out = np.empty((len(positions), len(plan.features)), dtype=np.float32)
    _fill_person_columns(out, plan, persons, rows, days)
    kernels.fill(
        out,
        rows - part.first_person,
        days,
        persons.observed_from[rows],
        persons.observed_to[rows],
        history,
        _shape(plan),
    )
    return out


def _fill_person_columns(
    out: npt.NDArray[np.float32],
    plan: FeaturePlan,
    persons: Persons,
    rows: npt.NDArray[np.int64],
    days: npt.NDArray[np.int32],
) -> None:
    for column, feature in enumerate(plan.features):
        if feature.group is not None:
            return
        if feature.measure == "age_years":
            age = persons.age_years(rows, days)
            out[:, column] = np.where(persons.birth[rows] == UNKNOWN_DAY, np.nan, age)
        elif feature.measure == "sex":
            out[:, column] = np.where(persons.sex[rows] == 2, np.nan, persons.sex[rows])
        else:
            out[:, column] = np.maximum(0, (days - persons.observed_from[rows]) // 365)


def _history(plan: FeaturePlan, persons: Persons, part: Part) -> kernels.History:
    table = part.read(["person_id", "dispensed_on", "atc", "ddd"]).unify_dictionaries()
    ids = persons.ids[part.first_person : part.first_person + part.persons]
    start = np.empty(len(ids) + 1, dtype=np.int64)
    strays = kernels.row_starts(*_comparable(table.column("person_id"), persons, part), start)
    if strays:
        raise DataError(f"{part.path}: {strays} of {part.rows} dispensings belong to no person of this part")
    codes = table.column("atc").combine_chunks()
    group_start, groups = _groups_of_codes(plan, codes.dictionary.to_pylist())
    return kernels.History(
        start,
        to_days(table.column("dispensed_on"), UNKNOWN_DAY),
        np.asarray(codes.indices, dtype=np.int32),
        np.asarray(table.column("ddd").to_numpy(), dtype=np.float32),
        group_start,
        groups,
    )


def _comparable(
    ids: pa.ChunkedArray, persons: Persons, part: Part
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Ids of dispensings and of the part's persons as whole numbers in the same order."""
    own = persons.ids[part.first_person : part.first_person + part.persons]
    if own.dtype.kind in "iu":
        return ids.to_numpy().astype(np.int64, copy=False), own.astype(np.int64, copy=False)
    encoded = ids.combine_chunks().dictionary_encode()
    rows = persons.rows(np.asarray(encoded.dictionary.to_pylist(), dtype=object))
    codes = np.asarray(encoded.indices, dtype=np.int64)
    return rows[codes], np.arange(part.first_person, part.first_person + part.persons)


def _groups_of_codes(plan: FeaturePlan, codes: list[str]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    members = [[g for g, group in enumerate(plan.groups) if group.matches(code)] for code in codes]
    start = np.cumsum([0, *map(len, members)]).astype(np.int32)
    return start, np.asarray([g for groups in members for g in groups], dtype=np.int32)


def _shape(plan: FeaturePlan) -> kernels.Shape:
    marks = sorted({1, *(end for window in plan.windows for end in (window.from_days, window.to_days))})
    slots: list[int] = []
    column = 0
    for measures, asked, width in (
        (WINDOW_MEASURES, plan.measures, len(plan.windows)),
        (SINCE_MEASURES, plan.since, 1),
    ):
        slots += [column + asked.index(name) * width if name in asked else -1 for name in measures]
        column += len(asked) * width
    return kernels.Shape(
        marks=np.asarray(marks, dtype=np.int32),
        near=np.asarray([marks.index(window.from_days) for window in plan.windows], dtype=np.int32),
        far=np.asarray([marks.index(window.to_days) for window in plan.windows], dtype=np.int32),
        needed_days=np.asarray(
            [max(1, int(np.ceil(plan.min_coverage * window.days))) for window in plan.windows], dtype=np.int32
        ),
        slot=np.asarray(slots, dtype=np.int32),
        first_column=len(plan.person),
        columns_per_group=column,
        groups=len(plan.groups),
    )
