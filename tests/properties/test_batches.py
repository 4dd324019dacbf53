"""A history does not depend on the batches in which its dispensings come."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from prodromal.errors import DataError
from prodromal.features import FeaturePlan
from prodromal.features.collect import Reader

CODES = ["A02BC01", "N05BA01", "N05BA04", "N05CF01", "N06AB04", "M01AE01"]
PLANS = {
    "counts": 'measures = ["count"]',
    "DDDs": 'measures = ["count", "ddd"]',
    "supplies": 'measures = ["days_covered", "switches"]',
}


def plan(measures):
    return FeaturePlan.parse(
        f"""
name = "batches"
windows = ["0-90d", "90-365d"]
{measures}
since = ["days_since_last"]
person = ["age_years"]
[[groups]]
name = "N05"
label = "anxiolytics and hypnotics"
atc = ["N05"]
[[groups]]
name = "N05B"
label = "anxiolytics"
atc = ["N05B"]
"""
    )


def dispensings(rng, rows):
    ddd = rng.gamma(2, 10, rows).astype(np.float32)
    supply = rng.integers(1, 90, rows).astype(np.int16)
    return {
        "dispensed_on": pa.array(rng.integers(10_000, 17_000, rows).astype(np.int32)).cast(pa.date32()),
        "atc": pa.array(rng.choice(CODES, rows), mask=rng.random(rows) < 0.1),
        "ddd": pa.array(ddd, mask=rng.random(rows) < 0.2),
        "days_supply": pa.array(supply, mask=rng.random(rows) < 0.3),
    }


def batch(columns, names, rows):
    """Some rows, with a dictionary of their own."""
    some = {name: columns[name].take(pa.array(rows, pa.int64())) for name in names}
    return pa.record_batch({**some, "atc": some["atc"].dictionary_encode()})


def same(ours, theirs, words, other_words):
    """Whether two histories are the same; each numbers the codes in the order in which it met them."""
    assert np.array_equal(ours.start, theirs.start)
    assert ours.longest == theirs.longest
    assert np.array_equal(ours.day, theirs.day)
    assert np.array_equal(ours.ddd, theirs.ddd, equal_nan=True)
    assert np.array_equal(ours.days_supply, theirs.days_supply)
    assert [words[code] for code in ours.code] == [other_words[code] for code in theirs.code]


def words(history, found):
    """What each code's number means: its groups and its place among the substances."""
    starts, groups = history.group_start, history.groups
    known = range(len(history.substance))
    return [(tuple(groups[starts[c] : starts[c + 1]]), found[history.substance[c]]) for c in known]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("measures", PLANS.values(), ids=PLANS)
def test_batches_of_any_size_give_one_history(measures, seed):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(4, 60).astype(np.int32) * (rng.random(60) < 0.8).astype(np.int32)
    rows = int(counts.sum())
    columns, names = dispensings(rng, rows), Reader(plan(measures)).columns
    whole = Reader(plan(measures)).gather([batch(columns, names, range(rows))], counts)
    cuts = np.sort(rng.integers(0, rows + 1, 12))  # some of them twice: batches without rows
    pieces = [batch(columns, names, part.tolist()) for part in np.split(np.arange(rows), cuts)]
    found = Reader(plan(measures)).gather(pieces, counts)
    named = sorted(code for code in CODES if code.startswith("N05"))
    same(found, whole, words(found, named), words(whole, named))
    assert 0 < len(whole.day) < rows


def test_more_or_fewer_dispensings_than_told_are_refused():
    columns = dispensings(np.random.default_rng(1), 10)
    made = plan(PLANS["DDDs"])
    given = [batch(columns, Reader(made).columns, range(10))]
    for told in (9, 11):
        with pytest.raises(DataError, match="dispensings"):
            Reader(made).gather(given, np.array([told], dtype=np.int32))
