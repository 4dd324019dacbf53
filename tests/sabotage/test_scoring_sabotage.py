"""Scoring broken in named ways: what the tests of scoring look at must change."""

from __future__ import annotations

import fcntl

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError, OutputError
from prodromal.features.index_dates import Everyone
from prodromal.register import Register
from prodromal.risk import load
from prodromal.scoring import journal, refusal, score_register
from tests.torture.small import DAY, deliver, make_bundle, make_register


@pytest.fixture(scope="module")
def ground(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ground")
    deliver(folder / "d", persons=120)
    register = make_register(folder / "d", folder / "r", rows_per_part=800)
    return register, load(make_bundle(register, folder / "b"))


def score(ground, output, **options):
    register, model = ground
    return score_register(model, register, Everyone(DAY), output, reasons=1, **options)


def interrupted(ground, output):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        score(ground, output, progress=stop)


def test_without_the_lock_two_writers_mix(ground, tmp_path, monkeypatch):
    output = tmp_path / "r.parquet"

    def second(*_):
        score(ground, output)

    with pytest.raises(OutputError, match="another run holds"):
        score(ground, output, progress=second)
    monkeypatch.setattr(fcntl, "flock", lambda *_: None)
    with pytest.raises((OutputError, DataError, OSError)) as broken:
        score(ground, output, progress=second)
    assert "another run holds" not in str(broken.value)


def test_a_journal_that_trusts_a_changed_part_publishes_it(ground, tmp_path, monkeypatch):
    whole, output = tmp_path / "whole.parquet", tmp_path / "r.parquet"
    score(ground, whole)
    interrupted(ground, output)
    (part,) = (tmp_path / ".r.parquet.run").glob("part-*.arrow")
    table = pa.ipc.open_stream(part.read_bytes()).read_all()
    with pa.ipc.new_stream(part, table.schema) as stream:
        stream.write_table(table.set_column(2, table.schema.field("score"), [np.zeros(len(table))]))
    for digest in ("sha256", "_sha256"):
        monkeypatch.setattr(journal, digest, lambda _: "the same")
    entry = part.with_suffix(".json")
    entry.write_text(entry.read_text().replace(entry.read_text().split('"sha256": "')[1][:64], "the same"))
    score(ground, output)
    assert not pq.read_table(output)["score"].equals(pq.read_table(whole)["score"])


def test_a_journal_that_forgets_which_job_it_was_mixes_jobs(ground, tmp_path, monkeypatch):
    output = tmp_path / "r.parquet"
    interrupted(ground, output)
    monkeypatch.setattr(journal.Journal, "_settle", lambda *_: None)
    register, model = ground
    score_register(model, register, Everyone(DAY - 700), output, reasons=1)
    assert len(pq.read_table(output)["index_date"].unique()) == 2


def test_without_refusal_the_dead_are_scored(ground, tmp_path, monkeypatch):
    told = score(ground, tmp_path / "a.parquet")
    assert told.refused["dead"] > 0
    everybody = lambda people, rows, day, *_: (np.ones(len(day), dtype=bool), {})  # noqa: E731
    monkeypatch.setattr(refusal, "_sorted_out", everybody)
    assert score(ground, tmp_path / "b.parquet").scored > told.scored


def test_without_verifying_a_part_another_one_is_scored(ground, tmp_path, monkeypatch):
    register, _ = ground
    one = register.parts[0].path
    mine = one.read_bytes()
    try:
        table = pq.read_table(one)
        pq.write_table(
            table.set_column(1, "dispensed_on", table["dispensed_on"].take(np.arange(len(table))[::-1])), one
        )
        with pytest.raises(DataError, match=one.name):
            score(ground, tmp_path / "a.parquet")
        monkeypatch.setattr(Register, "verify_part", lambda *_: None)
        assert score(ground, tmp_path / "b.parquet").scored > 0
    finally:
        one.write_bytes(mine)
