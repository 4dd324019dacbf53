"""Rows that the model cannot tell apart may be explained once, to the same bits."""

import numpy as np
import pytest
from hypothesis import given, settings

from prodromal.explain.treeshap import TreeShap
from prodromal.trees import code_rows, coded
from tests.properties.test_treeshap_libraries import models


@pytest.fixture(autouse=True, params=[1.1, 0.8])
def worthwhile(request):
    """1.1: always done once, even where hardly any rows are equal."""
    patch = pytest.MonkeyPatch()
    patch.setattr(coded, "_WORTHWHILE", request.param)
    yield
    patch.undo()


def assert_same_bits(prepared, rows):
    each, once = prepared.contributions(rows), prepared.contributions(rows, equal_rows_once=True)
    assert each.values.tobytes() == once.values.tobytes()


@settings(max_examples=30)
@given(models())
def test_the_same_bits(model):
    booster, rows = model
    assert_same_bits(TreeShap.of(booster), np.concatenate([rows, rows[::-1]]))


@settings(max_examples=10)
@given(models())
def test_whatever_the_hash(model):
    booster, rows = model
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(coded, "_hash", lambda code: code[-1:].sum(axis=0, dtype=np.uint64))
        assert_same_bits(TreeShap.of(booster), np.concatenate([rows, rows[::-1]]))


@settings(max_examples=10)
@given(models())
def test_each_row_stands_for_itself_or_is_equal_to_its_stand_in(model):
    booster, rows = model
    prepared = TreeShap.of(booster)
    book = prepared.tables.book
    twice = np.concatenate([rows, rows])
    codes = code_rows(book, twice, once=False).codes
    found = coded._stand_ins(codes, coded._hash(codes))
    assert np.array_equal(found[: len(rows)], found[len(rows) :])
    assert (found[: len(rows)] <= np.arange(len(rows))).all()
