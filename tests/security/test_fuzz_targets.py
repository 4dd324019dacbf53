"""What ``scripts/fuzz`` starts from, and small changes of it, end in our own errors or well."""

from __future__ import annotations

import numpy as np
import pytest

from scripts.fuzz_targets.readers import OURS, TARGETS
from tests.security.drivers import _mutated


@pytest.mark.parametrize("name", TARGETS)
def test_a_target_takes_its_seeds_and_what_is_near_them(name):
    target, rng = TARGETS[name], np.random.default_rng(1)
    seeds = list(target.seeds())
    assert seeds
    passed = 0
    for seed in seeds:
        for data in (seed, *(_mutated(seed, rng) for _ in range(20)), seed[: len(seed) // 2], b""):
            try:
                target.read(data)
                passed += 1
            except OURS:
                continue
    assert passed or name == "signature"
