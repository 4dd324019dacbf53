"""Every measure keeps its spec table, in the reference and in the fast engine, and the manual shows the table."""

from __future__ import annotations

import math
import runpy
from pathlib import Path

import numpy as np
import pytest
from hypothesis import find

from prodromal.features import build, reference
from prodromal.features.measures import PERSON_MEASURES, SINCE_MEASURES, WINDOW_MEASURES
from prodromal.features.reference import compute_row
from tests.generators import Cohort, plans, write_register
from tests.spec.tables import FOLDER, all_cases

ROOT = Path(__file__).resolve().parents[2]
CASES = all_cases()
MEASURES = {**WINDOW_MEASURES, **SINCE_MEASURES, **PERSON_MEASURES}
each_case = pytest.mark.parametrize("case", CASES, ids=[f"{c.measure}: {c.sentence}" for c in CASES])


def assert_expected(case, values):
    found = dict(zip(case.plan.names, values, strict=True))
    for name, value in case.expected.items():
        same = math.isnan(found[name]) if math.isnan(value) else found[name] == value
        assert same, f"{name}: {found[name]}, not {value}"


@each_case
def test_the_reference_keeps_the_table(case):
    assert_expected(case, compute_row(case.plan, case.person, case.dispensings, case.index_date))


@each_case
def test_the_fast_engine_keeps_the_table(case):
    cohort = Cohort({1: case.person}, {1: case.dispensings}, [(1, case.index_date)])
    assert_expected(case, build(case.plan, write_register(cohort), cohort.index_dates).values[0])


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_has_a_table_a_meaning_and_a_generator(measure):
    assert (FOLDER / f"{measure}.txt").is_file(), f"write tests/spec/features/{measure}.txt"
    assert measure in {**reference.WINDOW, **reference.SINCE, **reference.PERSON}
    assert find(plans(), lambda plan: measure in {feature.measure for feature in plan.features})


def test_no_table_speaks_of_a_measure_that_is_gone():
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(MEASURES)


def test_the_manual_is_up_to_date():
    manual = runpy.run_path(str(ROOT / "scripts" / "manual"))
    assert manual["MANUAL"].read_text(encoding="utf-8") == manual["render"](), "run scripts/manual"


def test_the_reference_and_the_tables_are_not_empty():
    assert all(case.expected for case in CASES)
    assert any(np.isnan(value) for case in CASES for value in case.expected.values())
