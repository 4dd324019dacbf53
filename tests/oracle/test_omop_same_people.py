"""The same simulated people give the same features and risks, bit for bit, from CSV and from OMOP in every form."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from prodromal.features import IndexDates, build
from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest
from prodromal.sources.omop import OmopOutcome, omop_source
from tests.writers.omop import ALS, FORMS, omop_tables, save

PEOPLE = 1500
NAMES = ("persons", "dispensings", "outcomes")
EXTRACT = date(2026, 1, 1)


@pytest.fixture(scope="module")
def canonical(world):
    """Some of the world's people, the cases first; of equal rows one, for in CSV they are one and in OMOP two."""
    with duckdb.connect() as connection:
        for name in NAMES:
            files = (
                world.delivery / name / "*" if (world.delivery / name).is_dir() else f"{world.delivery / name}.parquet"
            )
            connection.execute(f"CREATE VIEW every_{name} AS SELECT DISTINCT * FROM read_parquet('{files}')")
        connection.execute(
            "CREATE TABLE chosen AS SELECT person_id FROM every_persons ORDER BY "
            f"person_id NOT IN (SELECT person_id FROM every_outcomes), person_id LIMIT {PEOPLE}"
        )
        return {
            name: connection.sql(
                f"SELECT * FROM every_{name} SEMI JOIN chosen USING (person_id) ORDER BY ALL"
            ).to_arrow_table()
            for name in NAMES
        }


@pytest.fixture(scope="module")
def as_csv(canonical, tmp_path_factory):
    """The register by way of CSV."""
    folder = tmp_path_factory.mktemp("csv")
    with duckdb.connect() as connection:
        for name, table in canonical.items():
            connection.register("written", table)
            connection.execute(f"COPY written TO '{folder / name}.csv' (HEADER)")
    tables = tuple(TableSource(name, (folder / f"{name}.csv",)) for name in NAMES)
    ingest(Source(tables, extracted_on=EXTRACT), folder / "register")
    return Register.open(folder / "register")


def as_omop(canonical, folder, form, outcome=f"ALS={ALS}"):
    place = save(omop_tables(canonical), folder / "cdm", form)
    source = omop_source(place, [OmopOutcome.parse(outcome)], extracted_on=EXTRACT, quantity="ddd", max_rejected=0)
    ingest(source, folder / "register")
    return Register.open(folder / "register")


def answers(register, world):
    """Features of everyone on a day, days covered among them, and risks: as bytes, with the ids and outcomes."""
    day = (date(2014, 1, 1) - date(1970, 1, 1)).days
    asked = IndexDates.on(np.arange(len(register.persons), dtype=np.int64), day)
    more = replace(world.plan, measures=("count", "ddd", "days_covered"))
    risks = world.model.score(build(world.plan, register, asked), register.persons)
    outcomes = register.frame("outcomes").drop(columns="source").sort_values(["person_id", "diagnosed_on"])
    return (
        build(more, register, asked).values.tobytes(),
        risks[["score", "risk"]].to_numpy().tobytes(),
        list(risks["person_id"]),
        outcomes.to_csv(index=False),
    )


@pytest.fixture(scope="module")
def expected(as_csv, world):
    return answers(as_csv, world)


@pytest.mark.parametrize("form", FORMS)
def test_same_people_same_features_and_risks(canonical, world, expected, tmp_path, form):
    register = as_omop(canonical, tmp_path, form)
    assert len(register.persons) == PEOPLE
    assert answers(register, world) == expected


def test_a_cohort_gives_the_same_outcomes(canonical, world, expected, tmp_path):
    assert answers(as_omop(canonical, tmp_path, "parquet", "ALS=cohort:7"), world) == expected


def test_one_day_of_difference_is_seen(canonical, world, expected, tmp_path):
    dispensings = canonical["dispensings"].to_pandas()
    dispensings.loc[len(dispensings) // 2, "ddd"] += 1
    changed = {**canonical, "dispensings": pa.Table.from_pandas(dispensings, canonical["dispensings"].schema)}
    assert answers(as_omop(changed, tmp_path, "parquet"), world) != expected
