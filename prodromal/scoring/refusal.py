"""Who cannot be scored: unknown, unborn, dead, without birth date, not yet or no more in the data, or ill already."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np

from prodromal.features.index_dates import IndexDates
from prodromal.register.persons import NEVER, UNKNOWN_DAY
from prodromal.scoring.diagnosed import Diagnosed

if TYPE_CHECKING:
    import numpy.typing as npt

    from prodromal.features.index_dates import Asked
    from prodromal.register import Persons, Register

__all__ = ["last_day", "refuse", "refuse_of_part", "refuse_unknown"]

Reasons = dict[str, int]

# A nation is scored when its last month has come in, at a date a little after the end of the data.
_LATEST = timedelta(days=31)


def last_day(register: Register) -> int:
    """The last index date that a register can answer, in days since 1970-01-01."""
    last = register.last_observed
    return int(NEVER) if last is None else (last + _LATEST - date(1970, 1, 1)).days


def refuse(register: Register, dates: IndexDates, outcome: str) -> tuple[IndexDates, Reasons]:
    """Split off those who cannot be scored for an outcome, and count them by reason."""
    known, unknown = refuse_unknown(dates)
    diagnosed = Diagnosed.of(register, outcome)
    kept, reasons = _sorted_out(register.persons, known.person_row, known.day, diagnosed, last_day(register))
    return IndexDates(known.person_row[kept], known.day[kept]), {**unknown, **reasons}


def refuse_unknown(dates: IndexDates) -> tuple[IndexDates, Reasons]:
    """Split off those who are not in the register; the others keep their order."""
    known = dates.person_row >= 0
    count = int((~known).sum())
    return IndexDates(dates.person_row[known], dates.day[known]), {"unknown_person": count} if count else {}


def refuse_of_part(asked: Asked, diagnosed: Diagnosed | None, last: int = int(NEVER)) -> tuple[Asked, Reasons]:
    """Split off those of a part who cannot be scored; index dates go to `last`."""
    kept, reasons = _sorted_out(asked.people, asked.person, asked.day, diagnosed, last)
    if not reasons:
        return asked, reasons
    return replace(asked, position=asked.position[kept], person=asked.person[kept], day=asked.day[kept]), reasons


def _sorted_out(
    people: Persons, rows: npt.NDArray[np.int64], day: npt.NDArray[np.int32], diagnosed: Diagnosed | None, last: int
) -> tuple[npt.NDArray[np.bool_], Reasons]:
    diagnosis = diagnosed.first_days(people)[rows] if diagnosed else NEVER
    kept = np.ones(len(day), dtype=bool)
    reasons = {}
    for reason, mask in (
        ("no_birth_date", people.birth[rows] == UNKNOWN_DAY),
        ("not_born", people.birth[rows] > day),
        ("dead", people.death[rows] <= day),
        ("not_yet_observed", people.observed_from[rows] >= day),
        ("after_the_data", day > last),
        ("already_diagnosed", diagnosis <= day),
    ):
        if count := int((kept & mask).sum()):
            reasons[reason] = count
        kept &= ~mask
    return kept, reasons
