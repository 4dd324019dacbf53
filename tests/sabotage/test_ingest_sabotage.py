"""Ingest done wrongly in a named way fails a named test."""

from __future__ import annotations

import pytest

from prodromal.quality import release
from prodromal.register import order, writer
from prodromal.sources import columns, staging, verdicts
from tests.properties import test_ingest_order, test_ingest_shortcut
from tests.unit import test_ingest, test_ingest_doses, test_ingest_relation, test_quality


def fails(test, *arguments):
    with pytest.raises((AssertionError, ValueError)):
        test(*arguments)


def test_ties_left_as_they_come(monkeypatch, tmp_path):
    monkeypatch.setattr(order, "_without_ties", lambda *_: None)
    fails(test_ingest.test_duplicates_are_identical_in_every_column_mapped_or_not, tmp_path)


def test_dictionaries_in_the_order_of_their_batches(monkeypatch):
    monkeypatch.setattr(writer, "with_sorted_dictionaries", lambda table: table)
    fails(test_ingest_order.test_batches_of_any_size_give_the_same_files)


def test_rows_left_out_judged_and_counted_as_rejected(monkeypatch, tmp_path):
    monkeypatch.setattr(verdicts, "LEFT_OUT_MARK", "?")
    fails(test_ingest_relation.test_rows_left_out_count_against_nothing, tmp_path)


def test_rows_added_not_told_from_rows_read(monkeypatch, tmp_path):
    monkeypatch.setattr(verdicts, "COPIED", 1 << 14)
    fails(test_ingest_relation.test_every_row_is_somewhere, tmp_path)


def test_returns_not_settled(monkeypatch, tmp_path):
    monkeypatch.setattr(staging, "settle_returns", lambda _: None)
    fails(test_ingest.test_a_return_cancels_the_nearest_earlier_dispensing, tmp_path)


def test_dates_read_loosely(monkeypatch, tmp_path):
    loose = lambda column, source: (f"try_cast({source.expression} AS DATE)", f"read_{column.name}")  # noqa: E731
    monkeypatch.setattr(columns, "_strict_date", loose)
    fails(test_ingest.test_dates_are_read_strictly, tmp_path, "2010-01-01 10:00")


def test_persons_not_asked(monkeypatch, tmp_path):
    monkeypatch.setattr(staging, "rules_of_persons", lambda _: ())
    fails(test_ingest.test_a_faulty_row_is_rejected_by_its_rule, tmp_path, "after_death")


def test_routes_of_administration_ignored(monkeypatch, tmp_path):
    compute = staging.compute_ddd
    blind = lambda connection, index, *bits: compute(connection, [(*i[:2], "", i[3]) for i in index], *bits)  # noqa: E731
    monkeypatch.setattr(staging, "compute_ddd", blind)
    by_needle = next(case for case in test_ingest_doses.CASES if case[0] == "two DDDs, by needle")
    fails(test_ingest_doses.test_computed_or_missing, tmp_path, *by_needle[1:])


def test_small_counts_shown(monkeypatch):
    monkeypatch.setitem(release.__globals__, "_hidden", lambda counts, _: counts < 0)
    fails(test_quality.test_nothing_small_follows_by_subtraction)


def test_small_counts_hidden_without_what_gives_them_away(monkeypatch):
    monkeypatch.setitem(release.__globals__, "_hidden", lambda counts, _: (counts > 0) & (counts < 5))
    fails(test_quality.test_nothing_small_follows_by_subtraction)


def test_too_many_rows_take_the_shortcut(monkeypatch):
    right = test_ingest_shortcut.altered
    monkeypatch.setattr(staging, "insert", right(test_ingest_shortcut.TOO_MANY))
    fails(test_ingest_shortcut.test_the_shortcut_changes_no_verdict, monkeypatch, 1)
