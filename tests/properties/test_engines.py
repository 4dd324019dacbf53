"""The fast engine equals the reference; the future cannot leak; order does not matter."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.features import build
from prodromal.features.reference import compute_row
from tests.generators import Cohort, cohorts, dispensings, later, plans, write_register


@settings(max_examples=200)
@given(plan=plans(), cohort=cohorts(), rows_per_part=st.sampled_from([1, 5, 1000]))
def test_fast_engine_equals_reference(plan, cohort, rows_per_part):
    matrix = build(plan, write_register(cohort, rows_per_part=rows_per_part), cohort.index_dates)
    expected = [
        compute_row(plan, cohort.persons[person], cohort.dispensings[person], day) for person, day in cohort.asked
    ]
    np.testing.assert_array_equal(matrix.values, np.asarray(expected, dtype=np.float32))


@settings(max_examples=100)
@given(plan=plans(), cohort=cohorts(), measures=st.sets(st.sampled_from(["count", "recurrent", "ddd"]), min_size=1))
def test_a_row_does_not_depend_on_the_other_index_dates_of_the_person(plan, cohort, measures):
    """Someone with one index date takes a shorter way through the kernel."""
    plan = replace(plan, measures=tuple(sorted(measures)))
    register = write_register(cohort)
    together = build(plan, register, cohort.index_dates)
    alone = [
        build(plan, register, Cohort(cohort.persons, cohort.dispensings, [row]).index_dates) for row in cohort.asked
    ]
    np.testing.assert_array_equal(together.values, np.concatenate([matrix.values for matrix in alone]))


@settings(max_examples=100)
@given(plan=plans(), cohort=cohorts(), extra=st.lists(dispensings, min_size=1, max_size=6))
def test_nothing_dispensed_on_or_after_the_index_date_matters(plan, cohort, extra):
    before = build(plan, write_register(cohort), cohort.index_dates)
    after = build(plan, write_register(later(cohort, extra)), cohort.index_dates)
    np.testing.assert_array_equal(before.values, after.values)


@settings(max_examples=50)
@given(plan=plans(), cohort=cohorts(), data=st.data())
def test_order_of_index_dates_does_not_matter(plan, cohort, data):
    order = data.draw(st.permutations(range(len(cohort.asked))))
    shuffled = Cohort(cohort.persons, cohort.dispensings, [cohort.asked[i] for i in order])
    register = write_register(cohort)
    straight, mixed = (build(plan, register, c.index_dates) for c in (cohort, shuffled))
    np.testing.assert_array_equal(straight.values[order], mixed.values)
