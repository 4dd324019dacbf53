"""Laws of features: tiles add up, time has no origin, order and repetition of rows do not matter."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.errors import DataError
from prodromal.features import build, iterate
from prodromal.features.index_dates import Everyone, IndexDates
from prodromal.features.index_file import IndexFile
from prodromal.windows import Window, tile
from tests.generators import Cohort, cohorts, plans, write_register

ADDITIVE = ("count", "ddd", "days_covered", "initiated")


def values(plan, cohort, **how):
    return build(plan, write_register(cohort), cohort.index_dates, **how).values


@settings(max_examples=40)
@given(
    plan=plans(),
    cohort=cohorts(),
    marks=st.lists(st.integers(1, 400), min_size=1, max_size=4, unique=True).map(sorted),
)
def test_tiles_add_up(plan, cohort, marks):
    # Where a tile reaches beyond the observation it is missing, and so is the sum: a person seen always is asked.
    always = {i: replace(p, observed_from=p.observed_from - timedelta(9999)) for i, p in cohort.persons.items()}
    seen = {i: replace(p, observed_to=p.observed_to + timedelta(9999)) for i, p in always.items()}
    parts, whole = (
        values(
            replace(plan, measures=ADDITIVE, since=(), person=(), windows=windows), replace(cohort, persons=seen)
        ).reshape(len(cohort.asked), len(plan.groups), len(ADDITIVE), len(windows))
        for windows in (tile(0, *marks), (Window(1, marks[-1] + 1),))
    )
    np.testing.assert_array_equal(parts.sum(axis=3), whole[..., 0])


@settings(max_examples=40)
@given(plan=plans(), cohort=cohorts(), by=st.integers(-4000, 4000))
def test_time_has_no_origin(plan, cohort, by):
    step, plan = timedelta(days=by), replace(plan, person=())
    moved = Cohort(
        {
            i: replace(p, observed_from=p.observed_from + step, observed_to=p.observed_to + step)
            for i, p in cohort.persons.items()
        },
        {i: [replace(d, dispensed_on=d.dispensed_on + step) for d in ds] for i, ds in cohort.dispensings.items()},
        [(i, day + step) for i, day in cohort.asked],
    )
    np.testing.assert_array_equal(values(plan, cohort), values(plan, moved))


@settings(max_examples=40)
@given(plan=plans(), cohort=cohorts(), data=st.data())
def test_order_of_dispensings_does_not_matter(plan, cohort, data):
    mixed = {i: data.draw(st.permutations(ds)) for i, ds in cohort.dispensings.items()}
    np.testing.assert_array_equal(values(plan, cohort), values(plan, replace(cohort, dispensings=mixed)))


@settings(max_examples=40)
@given(plan=plans(), cohort=cohorts(), times=st.integers(2, 3))
def test_repeated_index_dates_give_repeated_rows(plan, cohort, times):
    once, often = values(plan, cohort), values(plan, replace(cohort, asked=cohort.asked * times))
    np.testing.assert_array_equal(np.tile(once, (times, 1)), often)


@settings(max_examples=40)
@given(
    plan=plans(),
    cohort=cohorts(),
    threads=st.sampled_from([1, 2, 4]),
    rows_per_part=st.sampled_from([1, 7, 1000]),
    rows_per_block=st.sampled_from([1, 3, 1000]),
)
def test_size_of_parts_and_blocks_and_threads_do_not_matter(plan, cohort, threads, rows_per_part, rows_per_block):
    register = write_register(cohort, rows_per_part=rows_per_part)
    dates = IndexDates.of(register, cohort.index_dates)
    found = np.zeros((len(dates), len(plan.features)), dtype=np.float32)
    for positions, block in iterate(plan, register, dates, rows_per_block=rows_per_block, threads=threads):
        assert len(block) <= rows_per_block
        found[positions] = block.values
        np.testing.assert_array_equal(block.person_row, dates.person_row[positions])
        np.testing.assert_array_equal(block.person_id, register.persons.ids[dates.person_row[positions]])
    np.testing.assert_array_equal(found, values(plan, cohort))


@settings(max_examples=40)
@given(plan=plans(), cohort=cohorts(), rows_per_part=st.sampled_from([1, 5, 1000]), day=st.integers(14_000, 18_000))
def test_everyone_on_a_day_is_everyone_in_the_order_of_the_persons(plan, cohort, rows_per_part, day):
    register = write_register(cohort, rows_per_part=rows_per_part)
    found = np.full((len(register.persons), len(plan.features)), np.inf, dtype=np.float32)
    for positions, block in iterate(plan, register, Everyone(day)):
        found[positions] = block.values
    everyone = IndexDates.on(np.arange(len(register.persons)), day)
    np.testing.assert_array_equal(found, build(plan, register, everyone).values)


def index_file(asked):
    path = Path(tempfile.mkdtemp()) / "index_dates.parquet"
    columns = {
        "person_id": [person for person, _ in asked],
        "index_date": pa.array([day for _, day in asked], pa.date32()),
    }
    pq.write_table(pa.table(columns), path, row_group_size=2, write_page_checksum=True)
    return IndexFile(path)


@settings(max_examples=60)
@given(plan=plans(), cohort=cohorts(), rows_per_part=st.sampled_from([1, 5, 1000]))
def test_a_sorted_file_of_index_dates_gives_the_same(plan, cohort, rows_per_part):
    cohort = replace(cohort, asked=sorted(cohort.asked))
    register = write_register(cohort, rows_per_part=rows_per_part)
    expected = build(plan, register, cohort.index_dates)
    blocks = list(iterate(plan, register, index_file(cohort.asked), rows_per_block=2))
    np.testing.assert_array_equal(np.concatenate([positions for positions, _ in blocks]), np.arange(len(expected)))
    np.testing.assert_array_equal(np.concatenate([block.values for _, block in blocks]), expected.values)
    assert [i for _, block in blocks for i in block.person_id] == [i for i, _ in cohort.asked]


@settings(max_examples=30)
@given(plan=plans(), cohort=cohorts(), where=st.sampled_from([0, -1]))
def test_a_file_of_index_dates_names_its_faults(plan, cohort, where):
    register = write_register(cohort, rows_per_part=3)
    asked, (person, day) = sorted(cohort.asked), cohort.asked[0]
    stranger = (10**6 if isinstance(person, int) else "zz") if where else (-5 if isinstance(person, int) else "")
    with pytest.raises(DataError, match="who is not in the register"):
        list(iterate(plan, register, index_file(sorted([*asked, (stranger, day)]))))
    with pytest.raises(DataError, match="not sorted"):
        list(iterate(plan, register, index_file([(person, day + timedelta(1)), (person, day)])))


@settings(max_examples=60)
@given(plan=plans(), cohort=cohorts())
def test_days_covered_equals_a_calendar_of_ticks(plan, cohort):
    plan = replace(plan, measures=("days_covered",), since=(), person=())
    found = values(plan, cohort)
    start, length = np.datetime64("2005-01-01"), 6000
    for row, (person, day) in enumerate(cohort.asked):
        index = int((np.datetime64(day) - start).astype(int))
        for column, feature in enumerate(plan.features):
            ticks = np.zeros(length, dtype=bool)
            for d in cohort.dispensings[person]:
                first = int((np.datetime64(d.dispensed_on) - start).astype(int))
                if feature.group.matches(d.atc) and first < index:
                    by_ddd = plan.default_days_supply if d.ddd is None else max(1, int(d.ddd + 0.5))
                    ticks[first : first + (by_ddd if d.days_supply is None else d.days_supply)] = True
            inside = ticks[index - feature.window.to_days + 1 : index - feature.window.from_days + 1]
            if not np.isnan(found[row, column]):
                assert inside.sum() == found[row, column]
