"""Nothing small is shown, and no suppressed count can be placed closely from what is shown."""

from __future__ import annotations

import numpy as np

from prodromal.evaluate import disclosure as evaluated
from tests.security import disclosure


def test_no_table_of_sums_has_a_hole():
    assert disclosure.attacked_sums(102, seed=1) == (102, 0)


def test_no_evaluation_has_a_hole():
    assert disclosure.attacked_evaluations(6, seed=1) == (6, 0)


def only_small(members, counts, smallest, *_, **__):
    """Suppression that forgets subtraction."""
    return (counts > 0) & (counts < smallest)


def nothing(members, counts, smallest, *_, **__):
    return np.zeros(len(counts), dtype=bool)


def test_the_attacker_finds_what_can_be_subtracted(monkeypatch):
    monkeypatch.setattr(disclosure, "suppress", only_small)
    assert disclosure.attacked_sums(30, seed=1)[1] > 10
    monkeypatch.setattr(evaluated, "suppress", only_small)
    assert disclosure.attacked_evaluations(3, seed=1)[1] > 0


def test_the_attacker_finds_small_counts_that_are_shown(monkeypatch):
    monkeypatch.setattr(disclosure, "suppress", nothing)
    assert disclosure.attacked_sums(30, seed=1)[1] > 20
