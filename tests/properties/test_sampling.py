"""Controls are drawn in proportion to the people whom they stand for, by either way of drawing."""

from __future__ import annotations

import numpy as np
import pytest

from prodromal.design import Outcome
from prodromal.design.facts import Facts
from prodromal.design.sampling import Sampler
from prodromal.register.persons import NEVER, Persons

SIZE, HEAVY = 3000, 1000


def facts() -> Facts:
    """One birth year; the first thousand people stand for twenty each, the others for one."""
    days = np.zeros(SIZE, dtype=np.int32)
    people = Persons(
        ids=np.arange(SIZE),
        sex=np.zeros(SIZE, dtype=np.int8),
        birth=days - 20000,
        observed_from=days - 3000,
        observed_to=days + 3000,
        death=np.full(SIZE, NEVER, dtype=np.int32),
        weight=np.where(np.arange(SIZE) < HEAVY, 20.0, 1.0),
        region=np.full(SIZE, "", dtype=object),
    )
    diagnosed = np.full(SIZE, NEVER, dtype=np.int32)
    diagnosed[-1] = 500
    return Facts(people, diagnosed, np.arange(SIZE), Outcome("ALS"))


@pytest.mark.parametrize("tries", [40, 10**6], ids=["by trial", "by full scan"])
def test_shares_follow_the_weights(monkeypatch, tries):
    monkeypatch.setattr("prodromal.design.sampling._TRIES", tries)
    asked = facts()
    sampler = Sampler(asked, np.ones(SIZE, dtype=bool))
    random = np.random.default_rng(1)
    drawn = np.concatenate([sampler.draw(SIZE - 1, 0, 5, 0, random)[0] for _ in range(800)])
    expected = HEAVY * 20 / (HEAVY * 20 + SIZE - HEAVY - 1)
    share = (drawn < HEAVY).mean()
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / len(drawn))
    assert SIZE - 1 not in drawn


def test_the_caliper_widens_only_as_far_as_it_must():
    asked = facts()
    asked.persons.birth[:-1] += 800
    sampler = Sampler(asked, np.ones(SIZE, dtype=bool))
    controls, caliper = sampler.draw(SIZE - 1, 0, 5, 5, np.random.default_rng(1))
    assert (len(controls), caliper) == (5, 2)
    assert len(sampler.draw(SIZE - 1, 0, 5, 1, np.random.default_rng(1))[0]) == 0
