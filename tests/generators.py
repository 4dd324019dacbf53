"""Generated people, plans and registers, shared by the tests of every kind."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import pandas as pd
import pyarrow as pa
from hypothesis import strategies as st

from prodromal.atc import AtcGroup
from prodromal.features import FeaturePlan
from prodromal.features.measures import PERSON_MEASURES, SINCE_MEASURES, WINDOW_MEASURES
from prodromal.features.reference import Dispensing, Person
from prodromal.register import Register
from prodromal.register.writer import RegisterWriter
from prodromal.tables import TABLES
from prodromal.windows import Window

ORIGIN = date(2010, 1, 1)
CODES = ("N06AB04", "N06AB10", "N06AX11", "N05BA01", "N05CF01", "C10AA05", "N06AA09", "N05B", "N06AB", "J01")
days = st.integers(0, 400).map(lambda n: ORIGIN + timedelta(days=n))


@dataclass(frozen=True)
class Cohort:
    """People, what was dispensed to them, and who is looked at when."""

    persons: dict[int | str, Person]
    dispensings: dict[int | str, list[Dispensing]]
    asked: list[tuple[int | str, date]]

    @property
    def index_dates(self) -> pd.DataFrame:
        return pd.DataFrame(
            {"person_id": [p for p, _ in self.asked], "index_date": pd.to_datetime([d for _, d in self.asked])}
        )


persons = st.builds(
    lambda sex, birth, start, length: Person(sex, birth, start, start + timedelta(days=length)),
    st.sampled_from("MFU"),
    st.none() | st.dates(date(1920, 1, 1), date(1990, 12, 31)),
    days,
    st.integers(0, 500),
)
dispensings = st.builds(
    Dispensing,
    days,
    st.sampled_from(CODES),
    st.none() | st.integers(0, 4000).map(lambda n: n / 8),
    st.none() | st.integers(1, 120),
)


@st.composite
def cohorts(draw) -> Cohort:
    ids = draw(st.lists(st.integers(1, 99), min_size=1, max_size=4, unique=True))
    if draw(st.booleans()):
        ids = [f"id{n}" for n in ids]
    people = {i: draw(persons) for i in sorted(ids)}
    bought = {i: draw(st.lists(dispensings, max_size=12)) for i in people}
    asked = draw(st.lists(st.tuples(st.sampled_from(sorted(people)), days), min_size=1, max_size=8))
    return Cohort(people, bought, asked)


@st.composite
def windows(draw) -> Window:
    start = draw(st.integers(1, 300))
    return Window(start, start + draw(st.integers(1, 200)))


@st.composite
def plans(draw) -> FeaturePlan:
    prefixes = draw(
        st.lists(
            st.sampled_from(["N", "N06A", "N06AB", "N05", "N05B", "N05CF01", "C10AA", "J"]),
            min_size=1,
            max_size=4,
            unique=True,
        )
    )
    return FeaturePlan(
        "generated",
        tuple(AtcGroup(p, p, (p,), p) for p in prefixes),
        tuple(draw(st.lists(windows(), min_size=1, max_size=4, unique_by=lambda w: w.name))),
        tuple(draw(st.lists(st.sampled_from(list(WINDOW_MEASURES)), min_size=1, unique=True))),
        tuple(draw(st.lists(st.sampled_from(list(SINCE_MEASURES)), unique=True))),
        tuple(name for name in PERSON_MEASURES if draw(st.booleans())),
        min_coverage=draw(st.sampled_from([1.0, 0.5, 0.01, 0.7])),
        default_days_supply=draw(st.sampled_from([1, 30, 90])),
        washout_days=draw(st.sampled_from([0, 30, 200])),
    )


def write_register(cohort: Cohort, *, rows_per_part: int = 1000, shuffle: bool = False) -> Register:
    """A register of the cohort in a fresh folder, written past the doors of ingest."""
    folder = Path(tempfile.mkdtemp(prefix="prodromal-test-"))
    whole = isinstance(next(iter(cohort.persons)), int)
    writer = RegisterWriter(folder, rows_per_part=rows_per_part)
    people = [
        {
            "person_id": i,
            "sex": p.sex,
            "birth_date": p.birth_date,
            "observed_from": p.observed_from,
            "observed_to": p.observed_to,
        }
        for i, p in cohort.persons.items()
    ]
    bought = [
        {"person_id": i, "dispensed_on": d.dispensed_on, "atc": d.atc, "ddd": d.ddd, "days_supply": d.days_supply}
        for i, ds in cohort.dispensings.items()
        for d in sorted(ds, key=lambda d: d.dispensed_on)
    ]
    for name, rows in (("persons", people), ("dispensings", bought)):
        writer.write(TABLES[name], [_batch(name, rows, whole)], person_id="BIGINT" if whole else "VARCHAR")
    writer.finish(accounts={}, sources=[], settings={})
    return Register.open(folder)


def _batch(name: str, rows: list[dict], whole: bool) -> pa.RecordBatch:
    kinds = {
        "id": pa.int64() if whole else pa.string(),
        "date": pa.date32(),
        "number": pa.float32(),
        "whole number": pa.int16(),
    }
    columns = [(c.name, kinds.get(c.kind.value, pa.string())) for c in TABLES[name].columns]
    schema = pa.schema([*columns, ("fingerprint", pa.uint64()), ("repairs", pa.int32())])
    full = [{**dict.fromkeys(schema.names), **row, "fingerprint": n, "repairs": 0} for n, row in enumerate(rows)]
    return pa.RecordBatch.from_pylist(full, schema=schema)


def later(cohort: Cohort, extra: list[Dispensing]) -> Cohort:
    """The cohort with dispensings added on or after the last day that anyone is looked at."""
    last = max(day for _, day in cohort.asked)
    moved = [replace(d, dispensed_on=last + (d.dispensed_on - ORIGIN)) for d in extra]
    return replace(cohort, dispensings={i: [*ds, *moved] for i, ds in cohort.dispensings.items()})
