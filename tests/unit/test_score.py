"""Scoring a register: everyone asked for is scored or refused for a reason; blocks change nothing."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq
import pytest

from prodromal.errors import NotEstimable, OutputError
from prodromal.explain import By, Explainer
from prodromal.features import build
from prodromal.features.index_dates import IndexDates
from prodromal.risk import score_register

DAY = int(np.datetime64("2014-01-01").astype(int))


def everyone(world) -> IndexDates:
    return IndexDates.on(np.arange(len(world.register.persons)), DAY)


def test_asked_equals_scored_and_refused(world, tmp_path):
    people = world.register.persons
    account = score_register(
        world.model, world.register, everyone(world), tmp_path / "r.parquet", provenance={"seed": "1"}
    )
    assert account.asked == len(people)
    assert account.refused["dead"] == int((people.death <= DAY).sum())
    file = pq.ParquetFile(tmp_path / "r.parquet")
    assert file.metadata.num_rows == account.scored
    assert file.schema_arrow.metadata[b"prodromal.seed"] == b"1"


def test_streamed_scores_equal_scores_at_once_and_reasons_stand_beside_them(world, tmp_path):
    explainer = Explainer(world.model, world.register.persons, by=By.CLASS)
    path = tmp_path / "r.parquet"
    score_register(
        world.model, world.register, everyone(world), path, reasons=lambda m: explainer.explain(m).reasons(3)
    )
    frame = pq.read_table(path).to_pandas()
    matrix = build(world.plan, world.register, frame[["person_id", "index_date"]])
    at_once = world.model.score(matrix, world.register.persons)
    for column in ("score", "risk", "percentile", "flags"):
        assert (frame[column] == at_once[column]).all()
    assert {"reason_1", "reason_2", "reason_3"} <= set(frame.columns)
    assert frame["reason_1"].str.contains(" x ").mean() > 0.9


def test_unknown_people_are_refused_not_scored_as_somebody_else(world, tmp_path):
    people = world.register.persons
    known = np.flatnonzero((people.observed_from < DAY) & (people.death > DAY))[3]
    dates = IndexDates(np.asarray([-1, known, -1]), np.full(3, DAY, dtype=np.int32))
    account = score_register(world.model, world.register, dates, tmp_path / "r.parquet")
    assert account.refused["unknown_person"] == 2
    (identity,) = pq.read_table(tmp_path / "r.parquet").column("person_id").to_pylist()
    assert identity == people.ids[known]


def test_nobody_to_score_writes_nothing(world, tmp_path):
    dates = IndexDates(np.asarray([-1]), np.asarray([DAY], dtype=np.int32))
    with pytest.raises(NotEstimable, match="unknown_person 1"):
        score_register(world.model, world.register, dates, tmp_path / "r.parquet")
    assert list(tmp_path.iterdir()) == []


def test_an_interrupted_run_leaves_nothing(world, tmp_path):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_register(world.model, world.register, everyone(world), tmp_path / "r.parquet", progress=stop)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written(world, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        score_register(world.model, world.register, everyone(world), tmp_path / "file" / "r.parquet")
