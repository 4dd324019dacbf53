"""A model whose features a cluster computed is that of one machine, to the byte."""

from __future__ import annotations

import shutil
from datetime import date

import numpy as np
import pytest

from prodromal.cli import main
from prodromal.design import read_cohort
from prodromal.distributed import build_on_spark, training
from prodromal.errors import DataError, ProdromalError
from prodromal.features import FeaturePlan, build
from prodromal.register import Register
from prodromal.simulate import SimulationConfig, simulate
from prodromal.sources import Source, TableSource, ingest

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    """The cases of a simulated nation and a few others, in several parts."""
    folder = tmp_path_factory.mktemp("cases")
    simulate(
        SimulationConfig.scenario("strong", persons=300_000, noncase_fraction=0.005),
        folder / "delivery",
        seed=7,
        file_format="parquet",
    )
    names = ("persons", "dispensings", "outcomes", "relatives")
    places = ((name, folder / "delivery" / name) for name in names)
    tables = tuple(
        TableSource(name, tuple(sorted(place.glob("*"))) or (place.with_suffix(".parquet"),)) for name, place in places
    )
    ingest(Source(tables, extracted_on=date(2026, 1, 1)), folder / "register", rows_per_part=20_000)
    return Register.open(folder / "register")


@pytest.fixture(scope="module")
def sets(register, tmp_path_factory):
    """Matched sets, in the order of sets and not of people."""
    path = tmp_path_factory.mktemp("sets") / "sets.parquet"
    verb(f"cohort sets {register.folder} --seed 3 --output {path}")
    return path


def test_the_register_has_several_parts(register):
    assert len(register.parts) >= 3


def verb(line):
    with pytest.raises(SystemExit) as ended:
        main(line.split())
    assert ended.value.code == 0


def files_of(folder):
    return {file.name: file.read_bytes() for file in folder.iterdir()}


def test_drawing_sets_reads_no_dispensing(register, sets, tmp_path):
    folder = shutil.copytree(register.folder, tmp_path / "register", ignore=shutil.ignore_patterns("dispensings"))
    verb(f"cohort sets {folder} --seed 3 --output {tmp_path / 'sets.parquet'}")
    assert (tmp_path / "sets.parquet").read_bytes() == sets.read_bytes()


def test_the_matrix_of_matched_sets(spark, register, sets, tmp_path):
    plan, dates = FeaturePlan.psychiatric(), read_cohort(sets).index_dates
    alone, found = build(plan, register, dates), build_on_spark(spark, plan, register, dates, tmp_path)
    assert found.values.tobytes() == alone.values.tobytes()
    assert found.person_id.tolist() == alone.person_id.tolist()
    assert found.index_date.tolist() == alone.index_date.tolist()
    assert found.person_row.tolist() == alone.person_row.tolist()
    assert list(tmp_path.iterdir()) == []
    unknown = dates.assign(person_id=-1)
    with pytest.raises(DataError, match="not in the register"):
        build_on_spark(spark, plan, register, unknown, tmp_path)


def test_the_bundle_is_that_of_one_machine(spark, register, sets, tmp_path):
    few = "--seed 3 --trials 1 --max-rounds 20"
    verb(f"train {register.folder} {sets} {few} --output {tmp_path / 'alone'}")
    verb(f"spark train {register.folder} {sets} {few} --output {tmp_path / 'given'}")
    verb(f"spark train {register.folder} {few} --output {tmp_path / 'drawn'}")
    alone = files_of(tmp_path / "alone")
    assert files_of(tmp_path / "given") == alone
    assert files_of(tmp_path / "drawn") == alone
    assert (tmp_path / "drawn.sets.parquet").read_bytes() == sets.read_bytes()


def test_rows_given_back_in_another_order_are_seen(spark, register, sets, tmp_path, monkeypatch):
    distinct = training._distinct

    def turned(dates):
        asked, place = distinct(dates)
        return asked, np.roll(place, 1)

    monkeypatch.setattr(training, "_distinct", turned)
    with pytest.raises((AssertionError, ProdromalError)):
        test_the_matrix_of_matched_sets(spark, register, sets, tmp_path)
