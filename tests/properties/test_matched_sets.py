"""Laws of matched sets: order, gradients, concordance; and of the designs that draw them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from prodromal.errors import DataError
from prodromal.risk.sets import MatchedSets


@st.composite
def frames(draw):
    sizes = draw(st.lists(st.integers(2, 6), min_size=1, max_size=6))
    rows = [(s, k == 0) for s, size in enumerate(sizes) for k in range(size)]
    ids = draw(st.permutations(range(len(rows))))
    return pd.DataFrame(
        {"set_id": [s for s, _ in rows], "case": [c for _, c in rows], "person_id": list(ids), "index_date": 0}
    )


@given(frame=frames(), data=st.data())
def test_canonical_order_does_not_depend_on_the_order_given(frame, data):
    mixed = frame.iloc[data.draw(st.permutations(range(len(frame))))].reset_index(drop=True)
    names = data.draw(st.permutations(range(frame["set_id"].nunique())))
    mixed["set_id"] = mixed["set_id"].map(dict(enumerate(names)))
    one, other = MatchedSets.of(frame), MatchedSets.of(mixed)
    assert list(frame["person_id"].iloc[one.order]) == list(mixed["person_id"].iloc[other.order])
    np.testing.assert_array_equal(one.start, other.start)


@given(frame=frames(), data=st.data())
def test_gradient_and_hessian_are_those_of_the_likelihood(frame, data):
    sets = MatchedSets.of(frame)
    f = data.draw(arrays(float, len(frame), elements=st.floats(-3, 3)))
    gradient, hessian = sets.gradient(f)
    step = 1e-5
    for row in range(len(f)):
        bump = np.eye(len(f))[row] * step
        low, middle, high = (-sets.log_likelihood(f + k * bump) for k in (-1, 0, 1))
        np.testing.assert_allclose(gradient[row], (high - low) / (2 * step), atol=1e-7)
        np.testing.assert_allclose(hessian[row], (high - 2 * middle + low) / step**2, atol=1e-4)


@given(frame=frames(), data=st.data())
def test_concordance_counts_pairs(frame, data):
    sets = MatchedSets.of(frame)
    f = data.draw(arrays(float, len(frame), elements=st.sampled_from([-1.0, 0.0, 1.0])))
    pairs = []
    for start, size in zip(sets.start, sets.sizes, strict=True):
        pairs += [1.0 if f[start] > f[start + k] else 0.5 if f[start] == f[start + k] else 0.0 for k in range(1, size)]
    assert sets.concordance(f) == pytest.approx(np.mean(pairs), abs=1e-12)
    assert sets.concordance(f * 3 + 1) == sets.concordance(f)


def test_a_set_without_a_case_is_refused():
    frame = pd.DataFrame(
        {"set_id": [0, 0, 1, 1], "case": [True, False, False, False], "person_id": range(4), "index_date": 0}
    )
    with pytest.raises(DataError, match="1 of 2"):
        MatchedSets.of(frame)
