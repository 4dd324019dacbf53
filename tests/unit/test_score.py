"""Scoring a register: everyone asked for is scored or refused for a reason; blocks change nothing."""

from __future__ import annotations

import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError, NotEstimable, OutputError
from prodromal.explain import explain
from prodromal.features import build
from prodromal.features.index_dates import Everyone, IndexDates
from prodromal.register import Register
from prodromal.risk import load
from prodromal.scoring import run, score_register
from tests.torture.small import deliver, make_bundle, make_register

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
    path = tmp_path / "r.parquet"
    score_register(world.model, world.register, everyone(world), path, reasons=3)
    frame = pq.read_table(path).to_pandas()
    matrix = build(world.plan, world.register, frame[["person_id", "index_date"]])
    at_once = world.model.score(matrix, world.register.persons)
    for column in ("score", "risk", "percentile", "flags"):
        assert (frame[column] == at_once[column]).all()
    reasons = explain(world.model, matrix, world.register.persons, by="class").reasons(3)
    assert (frame[["reason_1", "reason_2", "reason_3"]].astype(object) == reasons).all(axis=None)
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


def test_an_interrupted_run_leaves_no_output_and_goes_on_where_it_stopped(world, tmp_path, monkeypatch):
    whole, path = tmp_path / "whole.parquet", tmp_path / "r.parquet"
    account = score_register(world.model, world.register, everyone(world), whole)

    def stop(done, _):
        if done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score_register(world.model, world.register, everyone(world), path, progress=stop)
    assert not path.exists()
    made = []
    score = run.PartWork.score
    monkeypatch.setattr(run.PartWork, "score", lambda work, *args: made.append(args[1]) or score(work, *args))
    assert score_register(world.model, world.register, everyone(world), path) == account
    assert made == list(range(1, len(world.register.parts)))
    assert path.read_bytes() == whole.read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == [
        "r.drift.csv",
        "r.parquet",
        "whole.drift.csv",
        "whole.parquet",
    ]


def test_parts_of_another_job_and_changed_parts_are_made_again(world, tmp_path):
    whole, path = tmp_path / "whole.parquet", tmp_path / "r.parquet"
    score_register(world.model, world.register, everyone(world), whole, reasons=1)

    def stop(*_):
        raise KeyboardInterrupt

    for reasons in (0, 1):
        with pytest.raises(KeyboardInterrupt):
            score_register(world.model, world.register, everyone(world), path, reasons=reasons, progress=stop)
    (part,) = (tmp_path / ".r.parquet.run").glob("part-*.arrow")
    part.write_bytes(part.read_bytes()[:-1])
    score_register(world.model, world.register, everyone(world), path, reasons=1)
    assert path.read_bytes() == whole.read_bytes()


DAMAGE = {
    "a flipped bit": lambda part: part.write_bytes(_flipped(part.read_bytes())),
    "cut short": lambda part: part.write_bytes(part.read_bytes()[:-40]),
    "gone": lambda part: part.unlink(),
}


def _flipped(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_part_damaged_after_it_was_noted_is_not_published(world, tmp_path, damage):
    whole, path = tmp_path / "whole.parquet", tmp_path / "r.parquet"
    score_register(world.model, world.register, everyone(world), whole)

    def harm(done, parts):
        if done == parts:
            damage(tmp_path / ".r.parquet.run" / "part-00000.arrow")

    with pytest.raises(DataError, match=r"part-00000\.arrow"):
        score_register(world.model, world.register, everyone(world), path, progress=harm)
    assert not path.exists()
    score_register(world.model, world.register, everyone(world), path)
    assert path.read_bytes() == whole.read_bytes()


def test_two_runs_cannot_write_one_output(world, tmp_path):
    path = tmp_path / "r.parquet"

    def second(*_):
        with pytest.raises(OutputError, match="another run holds"):
            score_register(world.model, world.register, everyone(world), path)

    score_register(world.model, world.register, everyone(world), path, progress=second)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["r.drift.csv", "r.parquet"]


def test_everyone_in_a_stream_or_in_memory_and_any_number_of_threads_give_the_same_bytes(world, tmp_path):
    paths = [tmp_path / f"{name}.parquet" for name in ("memory", "stream", "threads")]
    score_register(world.model, world.register, everyone(world), paths[0], reasons=2)
    score_register(world.model, world.register, Everyone(DAY), paths[1], reasons=2)
    score_register(world.model, world.register, Everyone(DAY), paths[2], reasons=2, threads=3)
    assert paths[1].read_bytes() == paths[2].read_bytes()
    memory, stream = (pq.read_table(path).to_pandas() for path in paths[:2])
    assert memory.equals(stream)


def test_rows_keep_their_order_and_repeated_rows_their_results(world, tmp_path):
    rng = np.random.default_rng(1)
    people = world.register.persons
    able = np.flatnonzero((people.observed_from < DAY) & (people.death > DAY))
    able = np.setdiff1d(able, world.register.diagnoses("ALS")[0])
    rows = rng.permutation(np.concatenate([rng.choice(able, 500), able[:3], able[:3]]))
    days = np.full(len(rows), DAY, dtype=np.int32)
    score_register(world.model, world.register, IndexDates(rows, days), tmp_path / "r.parquet")
    found = pq.read_table(tmp_path / "r.parquet").to_pandas()
    assert (found["person_id"].to_numpy() == people.ids[rows]).all()
    assert (found.groupby("person_id")["score"].nunique() == 1).all()


def test_ids_that_are_texts(tmp_path):
    deliver(tmp_path / "d", persons=30)
    for name in ("persons", "dispensings"):
        path = tmp_path / "d" / f"{name}.csv"
        head, *rows = path.read_text().splitlines()
        path.write_text("\n".join([head, *(f"p{row}" for row in rows)]) + "\n")
    register = make_register(tmp_path / "d", tmp_path / "register")
    model = load(make_bundle(register, tmp_path / "bundle"))
    account = score_register(model, register, Everyone(DAY), tmp_path / "r.parquet", reasons=1)
    assert set(pq.read_table(tmp_path / "r.parquet").column("person_id").to_pylist()) <= set(register.persons.ids)
    assert account.scored > 20


def test_a_changed_part_of_the_register_is_named(world, tmp_path):
    folder = tmp_path / "register"
    shutil.copytree(world.register.folder, folder)
    part = max((folder / "dispensings").iterdir())
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    with pytest.raises(DataError, match=part.name):
        score_register(world.model, Register.open(folder), Everyone(DAY), tmp_path / "r.parquet")


def test_a_folder_that_cannot_be_written(world, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        score_register(world.model, world.register, everyone(world), tmp_path / "file" / "r.parquet")
