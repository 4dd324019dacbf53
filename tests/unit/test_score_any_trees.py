"""Scoring a register with trees of every size: by codes and tables, by codes alone, by the library; in any blocks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow.parquet as pq
import pytest
import xgboost

from prodromal.errors import DataError
from prodromal.explain import By, Explainer, explain
from prodromal.explain.treeshap import TreeShap
from prodromal.features import build
from prodromal.features.index_dates import Everyone
from prodromal.scoring import Scorer, score_register, scorer
from prodromal.trees import StoredTrees

DAY = int(np.datetime64("2014-01-01").astype(int))
# No deeper: the library's own contributions do not add up in XGBoost 3.2 where paths have dozens of splits.
LOPSIDED = {"grow_policy": "lossguide", "max_depth": 12}
GROWTH = {
    "codes and tables": ({"max_depth": 4}, (True, True)),
    "codes alone": ({**LOPSIDED, "max_leaves": 60}, (True, False)),
    "neither": ({**LOPSIDED, "max_leaves": 400}, (False, False)),
}


@pytest.fixture(params=GROWTH)
def model(request, world):
    """The world's model with other trees, of a made-up outcome."""
    growth, expected = GROWTH[request.param]
    people = world.register.frame("persons")[["person_id"]].assign(index_date=np.datetime64("2014-01-01", "s"))
    matrix = build(world.plan, world.register, people)
    outcome = np.random.default_rng(1).normal(size=len(people))
    parameters = {"lambda": 0, "min_child_weight": 0, "nthread": 1, "tree_method": "hist", "eta": 0.1, **growth}
    booster = xgboost.train(parameters, xgboost.DMatrix(matrix.values, outcome), 3)
    made = replace(world.model, trees=StoredTrees.of(booster))
    assert (made.predictor is not None, Explainer(made, by=By.CLASS).takes_codes) == expected
    return made


def test_scores_are_the_library_s_and_reasons_those_of_an_explanation(world, model, tmp_path):
    path = tmp_path / "r.parquet"
    score_register(model, world.register, Everyone(DAY), path, reasons=3)
    frame = pq.read_table(path).to_pandas()
    matrix = build(world.plan, world.register, frame[["person_id", "index_date"]])
    people = world.register.persons
    margin = model.booster.inplace_predict(matrix.values, predict_type="margin").astype(np.float64)
    offset = model.offset(people.age_years(matrix.person_row, matrix.days), people.sex[matrix.person_row])
    assert np.array_equal(frame["score"], model.slope * margin + offset)
    reasons = explain(model, matrix, people, by="class").reasons(3)
    assert (frame[["reason_1", "reason_2", "reason_3"]].astype(object) == reasons).all(axis=None)


@pytest.mark.parametrize(("block", "rows"), [(50_000, 1), (50_000, 7), (11, 4), (1, 4096)])
def test_blocks_change_nothing(world, model, tmp_path, monkeypatch, block, rows):
    whole = tmp_path / "whole.parquet"
    score_register(model, world.register, Everyone(DAY), whole, reasons=3)
    monkeypatch.setattr(scorer, "ROWS_PER_BLOCK", block)
    monkeypatch.setattr(scorer, "ROWS_PER_MATRIX", rows)
    chosen = next(iter(Everyone(DAY).by_part(world.register)))
    few = slice(0, 40)
    history = Scorer(model).builder.reader.read(chosen.part, chosen.rows)
    tables = Scorer(model, reasons=3).tables(chosen.people, history, chosen.person[few], chosen.day[few])
    found = [row for table in tables for row in table.to_pylist()]
    expected = {row["person_id"]: row for row in pq.read_table(whole).to_pylist()}
    told = [row for row in found if row["person_id"] in expected]
    assert len(told) > 5
    assert all(row == expected[row["person_id"]] for row in told)


def test_reasons_that_do_not_add_up_are_not_given(world, tmp_path, monkeypatch):
    of_coded = TreeShap.of_coded
    monkeypatch.setattr(TreeShap, "of_coded", lambda *args, **kwargs: _shifted(of_coded(*args, **kwargs)))
    with pytest.raises(DataError, match="do not add up to the score"):
        score_register(world.model, world.register, Everyone(DAY), tmp_path / "r.parquet", reasons=1)


def _shifted(found):
    return replace(found, values=found.values + np.float32(0.01))
