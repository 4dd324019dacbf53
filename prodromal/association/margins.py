"""Which counts of a study add up to which others: the sums that disclosure control must protect together."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prodromal.disclosure import suppress

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    import numpy.typing as npt

    from prodromal.disclosure import Profile

__all__ = ["People", "Place", "Sums", "chain"]

# Table, row of it, column.
Place = tuple[str, int, str]

# Window of the first dispensing, dispensings in all and beyond a year (two stands for more).
_USES = [
    ("", 0, 0),
    ("0-1", 1, 0),
    ("0-1", 2, 0),
    *((window, *counts) for window in (">1-5", ">5") for counts in ((1, 1), (2, 1), (2, 2))),
]
# Above the dearest of users.
_DEAREST = 4
_STAGES = ("drawn", "headline", "windows")
# Followed after the diagnosis, with an event, with a visit.
_LOST = (False, False, False)
_COURSES = [_LOST, *((True, event, visit) for event in (False, True) for visit in (False, True))]


class People:
    """Every kind of person that the tables of one comparator can tell apart, as arrays with one entry a kind.

    Parameters
    ----------
    of_population : bool
        Whether age group and course are told of them, too.
    """

    def __init__(self, *, of_population: bool) -> None:
        either = (False, True)
        ages, courses = (either, _COURSES) if of_population else ((False,), [_LOST])
        kinds = product(_STAGES, _USES, either, ages, courses)
        frame = pd.DataFrame(
            [(stage, *use, woman, young, *course) for stage, use, woman, young, course in kinds],
            columns=["stage", "window", "total", "beyond", "woman", "young", "followed", "event", "visit"],
        )
        self.window, self.total, self.beyond = (frame[c].to_numpy() for c in ("window", "total", "beyond"))
        self.drawn = np.ones(len(frame), dtype=bool)
        self.headline = (frame["stage"] != "drawn").to_numpy()
        self.windows = (frame["stage"] == "windows").to_numpy()
        self.woman, self.young = frame["woman"].to_numpy(), frame["young"].to_numpy()
        self.followed, self.event, self.visit = (frame[c].to_numpy() for c in ("followed", "event", "visit"))


@dataclass(eq=False)
class Sums:
    """Collects sums over kinds of people, with their counts and where they stand."""

    counts: dict[bytes, int] = field(default_factory=dict)
    places: dict[bytes, list[Place]] = field(default_factory=lambda: defaultdict(list))
    dear: dict[bytes, int] = field(default_factory=dict)
    known: set[bytes] = field(default_factory=set)

    def add(self, kinds: npt.NDArray[np.bool_], count: float, places: Iterable[Place], *, dear: int = 0) -> None:
        """Add a sum that is shown; the dearest is given up last."""
        key = kinds.tobytes()
        self.counts[key] = int(count)
        self.places[key] += places
        self.dear[key] = max(dear, self.dear.get(key, 0))

    def know(self, others: Sums) -> None:
        """Take the sums of others as known whatever happens to them: they can shield nothing."""
        for key in others.counts.keys() - self.counts.keys():
            self.counts[key] = others.counts[key]
            self.known.add(key)

    def joined(self, others: Sums) -> Sums:
        """Both together, and none known; the others are given up last."""
        both = Sums({**self.counts, **others.counts}, dear=dict(self.dear))
        for sums in (self, others):
            for key, places in sums.places.items():
                both.places[key] += places
        for key, dear in others.dear.items():
            both.dear[key] = dear + _DEAREST
        return both

    def hidden(self, profile: Profile, already: Collection[Place] = ()) -> list[Place]:
        """Where numbers stand that must not be shown, given those that are hidden already."""
        keys = list(self.counts)
        if not keys:
            return []
        members = np.array([np.frombuffer(key, dtype=bool) for key in keys])
        counts = np.array([self.counts[key] for key in keys], dtype=np.int64)
        dear = np.array([self.dear.get(key, 0) for key in keys], dtype=np.int64)
        known = np.array([key in self.known for key in keys])
        more, few = _small_differences(members, counts, known, profile.smallest)
        every = np.unique(np.concatenate([members, more]), axis=1)
        none = np.zeros(len(few), dtype=bool)
        suppressed = set(already)
        before = np.array([not suppressed.isdisjoint(self.places[key]) for key in keys])
        chosen = suppress(
            every,
            np.concatenate([counts, few]),
            profile.smallest,
            np.concatenate([dear, none.astype(np.int64)]),
            np.concatenate([known, none]),
            np.concatenate([before, none]),
        )
        return [place for key, gone in zip(keys, chosen, strict=False) if gone for place in self.places[key]]


def _small_differences(
    members: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64], known: npt.NDArray[np.bool_], smallest: int
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.int64]]:
    """The few people by whom one sum exceeds another that it contains: never shown, and to be protected as well."""
    found: dict[bytes, int] = {}
    for inner, outer in product(range(len(members)), repeat=2):
        few = int(counts[outer] - counts[inner])
        small = 0 < few < smallest and counts[inner] > 0 and not (known[inner] and known[outer])
        if small and not (members[inner] & ~members[outer]).any():
            found[(members[outer] & ~members[inner]).tobytes()] = few
    here = {row.tobytes() for row in members}
    rest = {key: few for key, few in found.items() if key not in here}
    rows = [np.frombuffer(key, dtype=bool) for key in rest]
    return np.array(rows, dtype=bool).reshape(len(rest), members.shape[1]), np.array(
        list(rest.values()), dtype=np.int64
    )


def chain(counts: Mapping[Place, float], dear: Place, profile: Profile, already: Collection[Place] = ()) -> list[Place]:
    """Protect numbers of those who remain, each part of the one before; a step that few do not pass is hidden."""
    sums, places = Sums(), list(counts)
    for at, place in enumerate(places):
        sums.add(np.arange(len(places)) >= at, counts[place], [place], dear=int(place == dear))
    return sums.hidden(profile, already)
