"""Runs that are killed, starved or doubled, at the numbers of the suite; ``scripts/torture`` has the full ones."""

from __future__ import annotations

from tests.torture import running


def test_a_killed_scoring_run_loses_nothing():
    assert running.killed_runs(20, seed=1) == (20, 0)


def test_a_killed_ingest_loses_nothing():
    assert running.killed_ingests(8, seed=1) == (8, 0)


def test_a_full_disk_corrupts_nothing():
    assert running.full_disk(5, seed=1) == (5, 0)


def test_two_writers_cannot_mix():
    assert running.two_writers(3, seed=1) == (3, 0)
