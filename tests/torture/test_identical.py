"""Identical bits and the closed future, at the numbers of the suite."""

from __future__ import annotations

import numpy as np

from prodromal.features import building
from tests.torture import identical


def test_scoring_is_bit_identical():
    assert identical.scoring_is_identical(12, seed=1) == (14, 0)


def test_the_future_cannot_leak():
    assert identical.future_cannot_leak(1_000, seed=1) == (1_000, 0)


def test_sabotage_an_index_date_that_counts_itself_leaks(monkeypatch):
    matrix = building.Builder.matrix

    def one_day_late(builder, people, history, person, days, room=None):
        return matrix(builder, people, history, person, (days + 1).astype(np.int32), room)

    monkeypatch.setattr(building.Builder, "matrix", one_day_late)
    assert identical.future_cannot_leak(1_000, seed=1)[1] > 0
