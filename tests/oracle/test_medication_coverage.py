"""Days covered are those that a package for medication adherence counts: days of a period with any supply."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest
from pdcscore import pdcCalc

from prodromal.atc import AtcGroup
from prodromal.features import FeaturePlan, build
from prodromal.features.reference import Dispensing, Person
from prodromal.windows import Window
from tests.generators import Cohort, write_register

INDEX = date(2015, 1, 1)
WINDOWS = (Window(1, 91), Window(91, 366), Window(1, 731))
PLAN = FeaturePlan("coverage", (AtcGroup("N06A", "N06A", ("N06A",), "N06A"),), WINDOWS, ("days_covered",))
PERSON = Person("F", date(1950, 1, 1), date(2005, 1, 1), date(2020, 1, 1))


@pytest.fixture(scope="module")
def cohort():
    """Overlapping, touching and separate supplies, within the windows, across their ends, and long before."""
    rng = np.random.default_rng(5)
    bought = {}
    for person in range(1, 301):
        days = sorted(rng.integers(1, 1000, rng.integers(1, 12)), reverse=True)
        supplies = rng.choice([1, 7, 28, 30, 90, 100, 365], len(days))
        bought[person] = [
            Dispensing(INDEX - timedelta(int(day)), str(rng.choice(["N06AB04", "N06AX11"])), None, int(supply))
            for day, supply in zip(days, supplies, strict=True)
        ]
    return Cohort(dict.fromkeys(bought, PERSON), bought, [(person, INDEX) for person in bought])


def counted_by_pdcscore(cohort, window):
    rows = [
        {"person": person, "drug": "N06A", "filled": d.dispensed_on, "supply": d.days_supply}
        for person, bought in cohort.dispensings.items()
        for d in bought
    ]
    fills = pd.DataFrame(rows).assign(
        first=INDEX - timedelta(window.to_days - 1), last=INDEX - timedelta(window.from_days)
    )
    for column in ("filled", "first", "last"):
        fills[column] = pd.to_datetime(fills[column])
    # It divides by the days from the first fill on, so it has no place for who fills only after the window.
    fills = fills[fills["filled"] <= fills["last"]]
    names = ["person", "drug", "filled", "supply", "first", "last"]
    scores = pdcCalc(fills, *names, overlap_adjustment=False).calculate_pdc_scores()
    return scores.set_index("person")["dayscovered"].reindex(list(cohort.dispensings), fill_value=0).to_numpy()


def days_covered(cohort, window):
    frame = build(PLAN, write_register(cohort), cohort.index_dates).to_frame()
    return frame[f"N06A.days_covered.{window.name}"].to_numpy()


@pytest.mark.parametrize("window", WINDOWS, ids=lambda window: window.name)
def test_days_covered_agree_with_pdcscore(cohort, window):
    ours = days_covered(cohort, window)
    assert 0 < ours.mean() < window.days
    np.testing.assert_array_equal(ours, counted_by_pdcscore(cohort, window))


def test_a_supply_that_is_a_day_longer_is_caught(cohort):
    longer = {
        person: [replace(d, days_supply=d.days_supply + 1) for d in bought]
        for person, bought in cohort.dispensings.items()
    }
    for window in WINDOWS:
        assert (days_covered(replace(cohort, dispensings=longer), window) != counted_by_pdcscore(cohort, window)).any()
