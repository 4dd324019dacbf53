"""An attacker on the shares of users by sex and age that a bundle holds."""

from __future__ import annotations

from itertools import product

import numpy as np

from prodromal.risk.use import AGE_ENDS, SMALLEST, Use
from tests.security.attacker import reach

__all__ = ["attacked_use"]

_CELLS = 2 * (len(AGE_ENDS) - 1)
# Kinds of people: those of each cell who use neither of two groups, one, the other, or both.
_CELL, _A, _B = np.array(list(product(range(_CELLS), (False, True), (False, True)))).T
_USES = {"A": _A == 1, "B": _B == 1}


def attacked_use(trials: int, seed: int) -> tuple[int, int]:
    """Bundles of random people; one with any hole is a failure.

    Besides the bundle the attacker knows how many people each share is of, and so how many of them are users.
    """
    rng, failures = np.random.default_rng(seed), 0
    for _ in range(trials):
        people = _people(rng)
        failures += _holes(people, _told(people)) > 0
    return trials, failures


def _people(rng):
    """Number of each kind; some ages are rare, one sex may be missing, and users are few, or most."""
    cells = rng.negative_binomial(1, rng.choice([0.3, 0.03, 0.005], _CELLS))
    cells[: _CELLS // 2] *= rng.random() < 0.9
    shares = rng.beta(0.4, rng.choice([0.4, 4.0, 40.0], 2), (_CELLS, 2))
    both = np.stack([1 - shares, shares], axis=2)
    chances = (both[:, 0, :, None] * both[:, 1, None, :]).reshape(_CELLS, 4)
    return np.concatenate([rng.multinomial(n, chance) for n, chance in zip(cells, chances, strict=True)])


def _told(people):
    counted = [np.bincount(_CELL, people * kind, _CELLS) for kind in (1, *_USES.values())]
    return Use(counted[0], np.column_stack(counted[1:])).to_dict(tuple(_USES))["share"]


def _holes(people, told) -> int:
    """Small counts of people, users or others in a cell that the shares give away."""
    members, counts = [], []
    for group, shares in told.items():
        for share in set(shares):
            inside = np.array(shares)[_CELL] == share
            users = inside & _USES[group]
            assert round(share * people[inside].sum()) == people[users].sum(), "the attacker misreads the shares"
            members += [inside, users]
            counts += [people[inside].sum(), people[users].sum()]
    targets = [c == _CELL for c in range(_CELLS)]
    targets += [inside & kind for inside in targets[:] for used in _USES.values() for kind in (used, ~used)]
    return sum(_is_placed(target, people, members, counts) for target in targets)


def _is_placed(target, people, members, counts) -> bool:
    if not members:
        return False
    low, high = reach(target, np.array(members), np.array(counts), np.array(counts))
    if high - low > 1e-6:
        return bool(high - low < SMALLEST - 1e-6)
    return bool(0 < people[target].sum() < SMALLEST)
