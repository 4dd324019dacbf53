"""The same bits for any number of threads, block size and memory order."""

import numpy as np
import pytest
import xgboost

from prodromal.explain import treeshap
from prodromal.explain.treeshap import TreeShap


@pytest.fixture(scope="module")
def prepared_and_rows():
    rng = np.random.default_rng(11)
    rows = rng.poisson(2, (1003, 30)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.2] = np.nan
    label = np.nan_to_num(rows[:, :5]).sum(axis=1) + rng.normal(0, 2, len(rows)) > 8
    parameters = {"objective": "binary:logistic", "max_depth": 5, "nthread": 1}
    return TreeShap.of(xgboost.train(parameters, xgboost.DMatrix(rows, label, nthread=1), 40)), rows


@pytest.fixture(scope="module")
def expected(prepared_and_rows):
    prepared, rows = prepared_and_rows
    return prepared.contributions(rows).values.tobytes()


@pytest.mark.parametrize("threads", [1, 2, 4, 7])
@pytest.mark.parametrize("block", [1, 7, 512, 5000])
def test_threads_and_blocks(prepared_and_rows, expected, threads, block, monkeypatch):
    prepared, rows = prepared_and_rows
    monkeypatch.setattr(treeshap, "ROWS_PER_BLOCK", block)
    assert prepared.contributions(rows, threads=threads).values.tobytes() == expected


@pytest.mark.parametrize("arrange", [np.asfortranarray, lambda rows: np.repeat(rows, 2, axis=0)[::2], np.float64])
def test_memory_order_and_type(prepared_and_rows, expected, arrange):
    prepared, rows = prepared_and_rows
    assert prepared.contributions(arrange(rows)).values.tobytes() == expected


def test_one_row_at_a_time(prepared_and_rows, expected):
    prepared, rows = prepared_and_rows
    assert b"".join(prepared.contributions(row[None]).values.tobytes() for row in rows[:50]) == expected[: 50 * 30 * 4]


def test_row_order(prepared_and_rows, expected):
    prepared, rows = prepared_and_rows
    order = np.random.default_rng(3).permutation(len(rows))
    shuffled = prepared.contributions(rows[order]).values
    assert shuffled[np.argsort(order)].tobytes() == expected
