"""From a register and index dates to a matrix, part by part."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from prodromal.errors import DefinitionError
from prodromal.features.ahead import ahead, pool
from prodromal.features.index_dates import IndexDates
from prodromal.features.matrix import FeatureMatrix
from prodromal.features.measures import SINCE_MEASURES, WINDOW_MEASURES
from prodromal.register.persons import UNKNOWN_DAY

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import pandas as pd

    from prodromal.features.index_dates import Asked, Dates
    from prodromal.features.kernels import History, Shape
    from prodromal.features.plan import FeaturePlan
    from prodromal.register import Persons, Register

__all__ = ["Builder", "build", "iterate"]

Block = tuple[npt.NDArray[np.int64], FeatureMatrix]


def build(
    plan: FeaturePlan,
    register: Register,
    index_dates: pd.DataFrame | IndexDates,
    *,
    threads: int = 1,
    memory_mb: int = 16_000,
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
    memory_mb : int
        Largest matrix to make, in millions of bytes.

    Returns
    -------
    FeatureMatrix
        One row per index date, in the order given.

    Raises
    ------
    DataError
        If a person is not in the register.
    DefinitionError
        If the matrix would be larger than `memory_mb`.
    """
    dates = index_dates if isinstance(index_dates, IndexDates) else IndexDates.of(register, index_dates)
    dates.require_known()
    _refuse_too_large(len(dates), len(plan.features), memory_mb)
    values = np.empty((len(dates), len(plan.features)), dtype=np.float32)
    for positions, block in iterate(plan, register, dates, threads=threads):
        values[positions] = block.values  # noqa: PD011  ours, not pandas'
    return FeatureMatrix(
        values, register.persons.ids[dates.person_row], dates.day.astype("datetime64[D]"), plan, dates.person_row
    )


def iterate(
    plan: FeaturePlan, register: Register, dates: Dates, *, rows_per_block: int = 50_000, threads: int = 1
) -> Iterator[Block]:
    """Matrices of bounded size, part by part, each with the positions of its rows in `dates`.

    Parameters
    ----------
    plan : FeaturePlan
        What to measure.
    register : Register
        Where the dispensings are.
    dates : IndexDates or IndexFile
        Who is looked at when.
    rows_per_block : int
        Largest number of rows of a matrix.
    threads : int
        Parts and blocks that are worked on at the same time; the results do not depend on it.

    Yields
    ------
    positions : ndarray of int64, shape (n_rows,)
        Where the rows stand in `dates`; rows come in the order of persons, then of index dates.
    matrix : FeatureMatrix
        Their features.

    Raises
    ------
    DataError
        If a person is not in the register, or the register is damaged.
    """
    builder = Builder(plan)
    with pool(threads) as executor:
        parts = (partial(_read, builder, asked) for asked in dates.by_part(register))
        histories = ahead(executor, parts, depth=threads)
        yield from ahead(executor, _jobs(builder, histories, rows_per_block), depth=2 * threads)


class Builder:
    """A plan made ready for the people of one part after the other.

    Parameters
    ----------
    plan : FeaturePlan
        What to measure.
    """

    def __init__(self, plan: FeaturePlan) -> None:
        from prodromal.features.collect import Reader

        self.plan = plan
        self.reader = Reader(plan)
        self._shape = _shape(plan)

    def room(self, rows: int) -> npt.NDArray[np.float32]:
        """Make room for the features of so many rows."""
        return np.empty((rows, len(self.plan.features)), dtype=np.float32)

    def matrix(
        self,
        people: Persons,
        history: History,
        person: npt.NDArray[np.int64],
        days: npt.NDArray[np.int32],
        room: npt.NDArray[np.float32] | None = None,
    ) -> FeatureMatrix:
        """Features of some people.

        Parameters
        ----------
        people : Persons
            Persons of a part.
        history : History
            Their dispensings, from ``reader``.
        person : ndarray of int64, shape (n_rows,)
            Rows of `people`, ascending.
        days : ndarray of int32, shape (n_rows,)
            Index dates as days since 1970-01-01, ascending within a person.
        room : ndarray of float32, shape (at least n_rows, n_features), optional
            Where to write them; the next call with it writes over them. Used again and again, it stays in the
            processor's cache.

        Returns
        -------
        FeatureMatrix
            ``person_row`` counts within `people`.
        """
        from prodromal.features.kernels import fill

        values = (self.room(len(days)) if room is None else room)[: len(days)]
        assert values.shape == (len(days), len(self.plan.features)), "the room is too small"
        for column, name in enumerate(feature.measure for feature in self.plan.features[: self._shape.first_column]):
            values[:, column] = _of_person(name, people, person, days)
        fill(values, person, days, people.observed_from[person], people.observed_to[person], history, self._shape)
        return FeatureMatrix(values, people.ids[person], days.astype("datetime64[D]"), self.plan, person)


def _refuse_too_large(rows: int, features: int, memory_mb: int) -> None:
    needed = rows * features * 4 / 1e6
    if needed > memory_mb:
        raise DefinitionError(
            f"a matrix of {rows:,} index dates and {features:,} features needs {needed:,.0f} MB, more than the "
            f"{memory_mb:,} MB allowed: take it block by block with iterate(), write it with 'prodromal features "
            "--output', or raise memory_mb"
        )


def _read(builder: Builder, asked: Asked) -> tuple[Asked, History]:
    return asked, builder.reader.read(asked.part, asked.rows)


def _jobs(
    builder: Builder, histories: Iterator[tuple[Asked, History]], rows_per_block: int
) -> Iterator[Callable[[], Block]]:
    for asked, history in histories:
        for low in range(0, len(asked.day), rows_per_block):
            yield partial(_block, builder, asked, history, slice(low, low + rows_per_block))


def _block(builder: Builder, asked: Asked, history: History, rows: slice) -> Block:
    found = builder.matrix(asked.people, history, asked.person[rows], asked.day[rows])
    return asked.position[rows], replace(found, person_row=found.person_row + asked.part.first_person)


def _of_person(
    name: str, people: Persons, person: npt.NDArray[np.int64], days: npt.NDArray[np.int32]
) -> npt.NDArray[np.float64]:
    if name == "age_years":
        return np.where(people.birth[person] == UNKNOWN_DAY, np.nan, people.age_years(person, days))
    if name == "sex":
        return np.where(people.sex[person] == 2, np.nan, people.sex[person])
    return np.asarray(np.maximum(0, (days - people.observed_from[person]) // 365), dtype=np.float64)


def _shape(plan: FeaturePlan) -> Shape:
    from prodromal.features.kernels import Shape

    marks = sorted({1, *(end for window in plan.windows for end in (window.from_days, window.to_days))})
    slots: list[int] = []
    column = 0
    for measures, asked, width in (
        (WINDOW_MEASURES, plan.measures, len(plan.windows)),
        (SINCE_MEASURES, plan.since, 1),
    ):
        slots += [column + asked.index(name) * width if name in asked else -1 for name in measures]
        column += len(asked) * width
    return Shape(
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
        default_days_supply=plan.default_days_supply,
        washout_days=plan.washout_days,
    )
