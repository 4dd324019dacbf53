"""Building refuses what cannot be built, and says what to do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from prodromal.atc import AtcGroup
from prodromal.errors import DataError, DefinitionError
from prodromal.features import FeaturePlan, build, iterate
from prodromal.features.index_dates import IndexDates
from prodromal.features.index_file import IndexFile
from prodromal.features.reference import Dispensing, Person
from prodromal.windows import Window
from tests.generators import Cohort, write_register

PLAN = FeaturePlan("small", (AtcGroup("N06A", "N06A", ("N06A",), "N06A"),), (Window(1, 31),), ("count", "ddd"))
PERSON = Person("F", date(1950, 1, 1), date(2005, 1, 1), date(2020, 1, 1))


@pytest.fixture
def cohort():
    bought = {
        1: [Dispensing(date(2014, 12, 31), "N06AB04", 28.0)],
        2: [],
        3: [Dispensing(date(2014, 12, 1), "A02BC01")],
    }
    return Cohort(dict.fromkeys((1, 2, 3), PERSON), bought, [(i, date(2015, 1, 1)) for i in (3, 1, 2)])


def test_a_matrix_larger_than_memory_is_refused_with_its_numbers(cohort):
    register = write_register(cohort)
    many = IndexDates.on(np.zeros(1_000_000, dtype=np.int64), 16_000)
    with pytest.raises(
        DefinitionError, match=r"1,000,000 index dates and 6 features needs 24 MB.*10 MB.*iterate.*--output"
    ):
        build(PLAN, register, many, memory_mb=10)


def test_a_matrix_as_large_as_memory_is_built(cohort):
    register = write_register(cohort)
    dates = IndexDates.on(np.zeros(50_000, dtype=np.int64), 16_436)
    assert len(build(PLAN, register, dates, memory_mb=2)) == 50_000


def test_a_person_who_is_not_there_is_counted_and_not_named(cohort):
    register = write_register(cohort)
    strange = replace(cohort, asked=[*cohort.asked, (987654, date(2015, 1, 1))]).index_dates
    with pytest.raises(DataError, match="1 of 4 rows") as caught:
        build(PLAN, register, strange)
    assert "987654" not in str(caught.value)


@pytest.mark.parametrize("name", ["persons", "rows_per_person"])
def test_a_table_of_another_register_is_refused(cohort, name):
    wrong = write_register(
        replace(cohort, persons={1: PERSON, 2: PERSON, 4: PERSON}, dispensings={1: [], 2: [], 4: []})
    )
    for streamed in (False, True):
        register = write_register(cohort)
        index_file = IndexFile(register.folder / "dates.parquet")
        cohort.index_dates.sort_values(["person_id", "index_date"]).to_parquet(index_file.path)
        (register.folder / f"{name}.parquet").write_bytes((wrong.folder / f"{name}.parquet").read_bytes())
        with pytest.raises(DataError, match=f"{name}.parquet differs from the manifest"):
            list(iterate(PLAN, register, index_file)) if streamed else build(PLAN, register, wrong_index(wrong))


def test_counts_that_do_not_add_up_to_the_part_are_refused(cohort):
    register = write_register(cohort)
    register.__dict__["rows_per_person"] = np.array([1, 0, 0], dtype=np.int32)
    with pytest.raises(DataError, match="its persons have 1 dispensings, the manifest names 2"):
        build(PLAN, register, cohort.index_dates)


def wrong_index(register):
    return IndexDates.on(np.arange(3, dtype=np.int64), 16_436)


def test_more_dispensings_than_the_manifest_names_are_refused(cohort):
    register = write_register(cohort)
    register.manifest["files"]["dispensings"][0]["rows"] = 1
    with pytest.raises(DataError, match="have 2 dispensings, the manifest names 1"):
        build(PLAN, register, cohort.index_dates)


def test_only_the_columns_that_a_plan_needs_are_read():
    from prodromal.features.collect import Reader

    counts, covered = replace(PLAN, measures=("count",)), replace(PLAN, measures=("days_covered",))
    assert Reader(counts).columns == ("dispensed_on", "atc")
    assert Reader(PLAN).columns == ("dispensed_on", "atc", "ddd")
    assert Reader(covered).columns == ("dispensed_on", "atc", "ddd", "days_supply")


def test_an_error_in_a_thread_reaches_the_caller(cohort):
    register = write_register(cohort, rows_per_part=1)
    (register.folder / "dispensings" / "part-00001.parquet").unlink()
    dates = IndexDates.of(register, cohort.index_dates)
    with pytest.raises(DataError, match="missing"):
        list(iterate(PLAN, register, dates, threads=2))


SECOND_PROCESS = """
import sys
import numpy as np
from prodromal.features import IndexDates, iterate
from prodromal.features.collect import _keep
from prodromal.features.compiled import is_compiled
from prodromal.features.kernels import fill
from prodromal.register import Register
from tests.unit.test_features import PLAN

assert is_compiled()
list(iterate(PLAN, Register.open(sys.argv[1]), IndexDates.on(np.arange(3), 16436)))
assert fill.stats.cache_hits and not fill.stats.cache_misses and not _keep.stats.cache_misses
"""


def test_the_compiled_loops_are_found_by_a_second_process(cohort):
    register = write_register(cohort)
    build(PLAN, register, cohort.index_dates)
    command = [sys.executable, "-c", SECOND_PROCESS, str(register.folder)]
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2])
