"""Whether those who are scored are like those whom the model learned from: a table beside the risks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from prodromal.register.gaps import expected_by_neighbours, is_gap
from prodromal.risk.scored import FLAGS
from prodromal.risk.use import Use, expected_users

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    import numpy.typing as npt

    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["Drift", "Seen", "drift_table"]

_FEWEST = 5
_SHIFTED_Z, _SHIFTED_RATIO = 5.0, 1.25
_FLAGGED = 0.1


@dataclass(frozen=True)
class Seen:
    """What was seen of those scored: use by age and sex, and how many have each flag."""

    use: Use
    flagged: npt.NDArray[np.int64]

    def __add__(self, other: Seen) -> Seen:
        return Seen(self.use + other.use, self.flagged + other.flagged)

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for the journal."""
        return {
            "people": self.use.people.tolist(),
            "users": self.use.users.tolist(),
            "flagged": self.flagged.tolist(),
        }

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any]) -> Seen:
        """The inverse of ``to_dict``."""
        people = np.asarray(facts["people"], dtype=np.float64)
        users = np.asarray(facts["users"], dtype=np.float64).reshape(len(people), -1)
        return cls(Use(people, users), np.asarray(facts["flagged"], dtype=np.int64))

    @classmethod
    def total(cls, groups: int, several: Iterable[Seen]) -> Seen:
        """The sum of several."""
        whole = cls(Use.none(groups), np.zeros(len(FLAGS), dtype=np.int64))
        for one in several:
            whole += one
        return whole


class Drift(NamedTuple):
    """A row of the table of drift; NaN where a number is too small to be told, or there is none."""

    kind: str
    name: str
    observed: float
    expected: float = math.nan
    ratio: float = math.nan
    z: float = math.nan
    shifted: bool = False


def drift_table(model: RiskModel, register: Register, names: tuple[str, ...], seen: Seen, scored: int) -> list[Drift]:
    """Compare those scored with the training.

    Returns
    -------
    list of Drift
        Kind ``use``: people with any dispensing of a group before the index date, and how many there would be if people
        of the same age and sex used it as in training; z is the difference in standard errors, of both samples; shifted
        where it exceeds 5 and the ratio is not within 0.8-1.25. Kind ``flag``: people with a flag; shifted where they
        are more than a tenth. Kind ``code``: dispensings with a code of the plan's groups that the training saw fewer
        than 10 times. Kind ``month``: dispensings of a month that has far fewer than the months around it. Kind
        ``extract``: people have different sampling weights, so use among them is not the population's. Counts below 5
        are missing.
    """
    return [
        *_use(model.training.get("use"), names, seen.use, model.training.get("rows", math.inf)),
        *_flags(seen.flagged, scored),
        *_codes(model, register),
        *_months(register),
        *([Drift("extract", "sampling_weight", math.nan)] if register.is_extract else []),
    ]


def _use(reference: Mapping[str, Any] | None, names: tuple[str, ...], use: Use, trained_on: float) -> Iterable[Drift]:
    people = float(use.people.sum())
    for group, name in enumerate(names):
        observed = float(use.users[:, group].sum())
        expected = expected_users(reference, use.people, name) if reference else None
        if expected is None or people == 0:
            yield Drift("use", name, _shown(observed))
            continue
        error = _error(observed, expected, people, trained_on)
        ratio, z = observed / expected if expected else math.inf, (observed - expected) / error
        shifted = abs(z) > _SHIFTED_Z and not 1 / _SHIFTED_RATIO <= ratio <= _SHIFTED_RATIO
        small = observed < _FEWEST
        if small:
            ratio = z = math.nan
        yield Drift("use", name, _shown(observed), round(expected, 1), ratio, z, shifted)


def _error(observed: float, expected: float, people: float, trained_on: float) -> float:
    """Standard error of observed less expected users, did both samples use alike: the training is a sample, too."""
    weight = 1 / (1 + people / trained_on)
    share = min((1 - weight) * observed / people + weight * expected / people, 1.0)
    return math.sqrt(max(people * share * (1 - share), 1.0) / weight)


def _flags(flagged: npt.NDArray[np.int64], scored: int) -> Iterable[Drift]:
    for name, count in zip(FLAGS, flagged.tolist(), strict=True):
        yield Drift("flag", name, _shown(count), shifted=count > _FLAGGED * max(scored, 1))


def _codes(model: RiskModel, register: Register) -> Iterable[Drift]:
    known = model.training.get("codes")
    if known is None:
        return
    for code, rows in sorted(register.codes.items()):
        if code not in known and any(group.matches(code) for group in model.plan.groups):
            yield Drift("code", code, _shown(rows), 0.0, shifted=rows >= _FEWEST)


def _months(register: Register) -> Iterable[Drift]:
    whole = list(register.months.items())[1:-1]  # the first and the last are seldom whole
    rows = np.array([count for _, count in whole], dtype=np.int64)
    expected = expected_by_neighbours(rows, np.ones(len(rows), dtype=np.int64))
    for place in np.flatnonzero(is_gap(rows, expected)).tolist():
        month, count = whole[place]
        yield Drift("month", month, _shown(count), float(expected[place]), count / expected[place], shifted=True)


def _shown(count: float) -> float:
    return float(count) if count == 0 or count >= _FEWEST else math.nan
