"""Nothing small is shown, and no suppressed count can be placed closely from what is shown."""

from __future__ import annotations

import numpy as np

from prodromal.association import margins
from prodromal.evaluate import disclosure as evaluated
from prodromal.risk import use
from tests.security import disclosure
from tests.torture.promises import failures


def test_no_table_of_sums_has_a_hole():
    assert failures("small_cells_in_sums") == 0


def test_no_evaluation_has_a_hole():
    assert failures("small_cells_in_evaluations") == 0


def test_no_bundle_tells_of_few_users():
    assert failures("small_cells_in_bundles") == 0


def test_no_study_has_a_hole():
    """In one of the first three, users of a class told how many people had been seen for long enough."""
    assert failures("small_cells_in_studies", seed=321) == 0


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


def test_the_attacker_finds_what_one_study_tells_of_another_number(monkeypatch):
    monkeypatch.setattr(margins, "suppress", only_small)
    assert disclosure.attacked_studies(3, seed=1)[1] > 0
    monkeypatch.setattr(margins, "_small_differences", lambda members, *_: (members[:0], members[:0, 0].astype(int)))
    assert disclosure.attacked_studies(3, seed=1)[1] > 0


def test_the_attacker_finds_small_counts_that_are_shown(monkeypatch):
    monkeypatch.setattr(disclosure, "suppress", nothing)
    assert disclosure.attacked_sums(30, seed=1)[1] > 20


def test_the_attacker_finds_few_users_few_others_and_few_people_that_shares_tell(monkeypatch):
    exact = use.pool
    careless = {
        "nobody is pooled": lambda counts, smallest, starts: exact(counts, 1, starts),
        "few people": lambda counts, smallest, starts: exact(counts, smallest if counts.shape[2] == 2 else 1, starts),
        "few others": lambda counts, smallest, starts: exact(counts[:, :, :1], smallest, starts),
        "one fewer": lambda counts, smallest, starts: exact(counts, smallest - 1, starts),
    }
    for how, pool in careless.items():
        monkeypatch.setattr(use, "pool", pool)
        assert disclosure.attacked_use(4, seed=1)[1] > 0, how
