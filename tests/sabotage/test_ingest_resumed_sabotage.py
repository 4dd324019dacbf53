"""An ingest that goes on wrongly in a named way fails a named test."""

from __future__ import annotations

import json
from importlib import import_module

import pytest

from prodromal.register.parts import PartDone
from prodromal.sources import job, work
from prodromal.sources.staging import Staging
from prodromal.sources.steps import Steps
from tests.unit import test_ingest_resumed as resumed

# The package shows the function of this name.
INGEST = import_module("prodromal.sources.ingest")


@pytest.fixture(autouse=True)
def small_deliveries_are_worth_it(monkeypatch):
    monkeypatch.setattr(work, "_WORTH_KEEPING", 0)


def fails(test, *arguments):
    with pytest.raises((AssertionError, ValueError, IndexError)):
        test(*arguments)


def stop_late(_, interrupted, patch):
    resumed.stopped(interrupted, patch, after=8)


def by_size_and_age(source):
    return {file: state[:2] for file, state in right_states(source).items()}


right_states = job.seen


def test_the_journal_is_not_read(monkeypatch, tmp_path):
    right = Steps.__init__

    def forgetful(steps, connection):
        right(steps, connection)
        tables = connection.execute("SELECT table_name FROM duckdb_tables() WHERE table_name <> 'steps'").fetchall()
        for (table,) in tables:
            connection.execute(f'DROP TABLE "{table}"')
        steps._told.clear()

    monkeypatch.setattr(Steps, "__init__", forgetful)
    monkeypatch.setattr(resumed, "stop_behind", stop_late)
    fails(resumed.test_threads_and_memory_make_no_other_job, tmp_path, monkeypatch, {"threads": 1})


def test_rows_are_committed_without_their_note(monkeypatch, tmp_path):
    right = Steps.once

    def once(steps, name, work):
        if not name.startswith("read: ") or steps.told(name) is not None:
            return right(steps, name, work)
        steps.note(name, work() or {})
        return steps.told(name)

    monkeypatch.setattr(Steps, "once", once)
    every_step = resumed.test_stopped_at_every_step_the_register_is_the_same_to_the_byte
    fails(every_step, tmp_path, monkeypatch, "csv", True)


def test_the_state_of_files_makes_no_difference(monkeypatch, tmp_path):
    monkeypatch.setattr(job, "seen", lambda _: {})
    fails(resumed.test_another_delivery_starts_anew, tmp_path, monkeypatch, resumed.another_file)


def test_files_are_known_by_size_and_age_only(monkeypatch, tmp_path):
    monkeypatch.setattr(job, "seen", by_size_and_age)
    fails(resumed.test_another_delivery_starts_anew, tmp_path, monkeypatch, resumed.same_size_and_age)


def test_nobody_looks_whether_a_file_changed_meanwhile(monkeypatch, tmp_path):
    monkeypatch.setattr(INGEST, "seen", lambda _: {})
    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        resumed.test_a_file_that_changes_while_it_is_read_is_refused_and_nothing_stays(tmp_path)


def test_parts_are_trusted(monkeypatch, tmp_path):
    monkeypatch.setattr(PartDone, "is_intact", lambda *_: True)
    fails(resumed.test_a_part_that_was_damaged_is_written_again, tmp_path, monkeypatch)


@pytest.mark.parametrize("name", ["since", "kept_before", "repairs"])
def test_parts_are_taken_up_wrongly(monkeypatch, tmp_path, name):
    if name == "since":
        right = Staging.sorted
        monkeypatch.setattr(Staging, "sorted", lambda staging, table, _=None: right(staging, table))
    elif name == "kept_before":
        monkeypatch.setattr(Staging, "kept_before", lambda *_: 0)
    else:
        monkeypatch.setattr(INGEST, "PartDone", lambda entry, next_id, repairs: PartDone(entry, next_id, {}))
    fails(resumed.test_stopped_at_every_step_the_register_is_the_same_to_the_byte, tmp_path, monkeypatch, "csv", False)


def test_threads_are_part_of_the_job(monkeypatch, tmp_path):
    right = INGEST.job_of
    given = iter(json.dumps([n]) for n in range(1_000))
    monkeypatch.setattr(INGEST, "job_of", lambda source, **more: right(source, threads=next(given), **more))
    monkeypatch.setattr(resumed, "stop_behind", stop_late)
    fails(resumed.test_threads_and_memory_make_no_other_job, tmp_path, monkeypatch, {"threads": 1})
