"""The same few people for every format."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from random import Random

import pyarrow as pa

__all__ = ["OBSERVED", "PEOPLE", "Bought", "People"]

OBSERVED = date(2005, 7, 1), date(2020, 12, 31)
Bought = tuple[str, str, str, float | None, int | None]  # person, day, code, DDDs, days


@dataclass(frozen=True)
class People:
    """Persons with ids that no small damage turns into each other, and dispensings of which no two are alike."""

    ids: tuple[int, ...]
    births: tuple[date, ...]
    bought: tuple[Bought, ...]

    @classmethod
    def make(cls, seed: int, *, persons: int = 24, rows: int = 96) -> People:
        draw = Random(seed)
        ids = tuple(draw.randrange(10**11, 10**12) for _ in range(persons))
        births = tuple(date(1940, 1, 1) + timedelta(draw.randrange(9_000)) for _ in ids)
        codes = [f"N0{group}" for group in ("5BA01", "5CF01", "6AB04", "6AX11", "5AH04", "2BE01", "3AX16", "4BA02")]
        days = [OBSERVED[0] + timedelta(draw.randrange(5_000)) for _ in range(rows)]
        bought = [
            (str(draw.choice(ids)), day.isoformat(), draw.choice(codes), draw.randint(1, 120) / 2, draw.randint(1, 100))
            for day in days
        ]
        return cls(ids, births, tuple(dict.fromkeys(bought)))

    @property
    def tables(self) -> dict[str, pa.Table]:
        """Canonical tables in Arrow's types."""
        start, end = ([day] * len(self.ids) for day in OBSERVED)
        who, days, codes, ddd, supply = zip(*self.bought, strict=True)
        persons = {
            "person_id": pa.array(self.ids),
            "sex": pa.array(["F" if person % 2 else "M" for person in self.ids]),
            "birth_date": pa.array(self.births),
            "observed_from": pa.array(start),
            "observed_to": pa.array(end),
            "death_date": pa.nulls(len(self.ids), pa.date32()),
        }
        dispensings = {
            "person_id": pa.array(map(int, who)),
            "dispensed_on": pa.array(map(date.fromisoformat, days)),
            "atc": pa.array(codes),
            "ddd": pa.array(ddd),
            "days_supply": pa.array(supply, pa.int16()),
        }
        outcomes = {"person_id": pa.array([], pa.int64()), "diagnosed_on": pa.array([], pa.date32())}
        return {
            "persons": pa.table(persons),
            "dispensings": pa.table(dispensings),
            "outcomes": pa.table({**outcomes, "outcome": pa.array([], pa.string())}),
        }


PEOPLE = People.make(20_261_122)
