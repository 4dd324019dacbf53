"""Damaged files are refused, or their rows rejected and accounted for; no value is read that nobody wrote."""

from __future__ import annotations

import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError
from prodromal.sources import delimited
from prodromal.sources.pages import verify_pages
from tests.mutated import mutated_files, trial


@pytest.mark.parametrize(("kind", "trials"), [("csv", 20), ("parquet", 40)])
def test_damaged_files(kind, trials):
    assert mutated_files(kind, trials, seed=2) == (trials, 0)


def test_without_checksums_damage_would_be_read(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "verify_pages", lambda _: None)
    outcomes = []
    for number in (7, 11):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcomes.append(trial("parquet", random.Random(f"parquet 1 {number}"), folder))
    assert False in outcomes


def test_a_file_that_unpacks_to_very_much_is_refused(tmp_path, monkeypatch):
    pq.write_table(pa.table({"x": pa.array([0] * 1_000_000, pa.int64())}), tmp_path / "x.parquet", use_dictionary=False)
    verify_pages(tmp_path / "x.parquet")
    monkeypatch.setattr("prodromal.sources.pages._UNPACKED_BYTES", 1_000)
    monkeypatch.setattr("prodromal.sources.pages._UNPACKED_RATIO", 2)
    with pytest.raises(DataError, match="would unpack"):
        verify_pages(tmp_path / "x.parquet")
