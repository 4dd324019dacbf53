"""Memory, training and explanations at the numbers of the suite."""

from __future__ import annotations

from tests.torture.explained import explanations_add_up
from tests.torture.memory import memory_is_bounded


def test_memory_is_bounded():
    assert memory_is_bounded(1, seed=1) == (1, 0)


def test_explanations_add_up():
    assert explanations_add_up(1_000, seed=1) == (1_000, 0)
