"""Arrays into Arrow columns and back, without Arrow's own way through pandas."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodromal.features.arrow import column_of, identifiers, numbers, texts_of


@pytest.mark.parametrize("dtype", [np.int8, np.int16, np.int32, np.int64, np.float32, np.float64, "datetime64[s]"])
@pytest.mark.parametrize("step", [1, 2])
def test_an_array_becomes_the_column_that_arrow_makes_of_it(dtype, step):
    values = np.arange(10).astype(dtype)[::step]
    column = column_of(values)
    column.validate(full=True)
    assert column.equals(pa.array(values))


def test_what_is_no_number_stays_none_and_is_not_missing():
    column = column_of(np.array([np.nan, -0.0, np.inf]))
    assert column.null_count == 0
    assert np.array_equal(numbers(column, np.float64, 7.0), [np.nan, 0.0, np.inf], equal_nan=True)


@given(st.lists(st.text(st.characters(codec="utf-8"))))
def test_texts_come_back(texts):
    column = texts_of(texts)
    column.validate(full=True)
    assert column.to_pylist() == texts
    assert identifiers(column_of(np.array([*texts, ""], dtype=object))).tolist() == [*texts, ""]
