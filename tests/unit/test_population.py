"""Absolute risk: closed forms, monotony, and tables that are refused."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from prodromal.errors import DefinitionError
from prodromal.risk.population import AGES, Population

YEAR = 365.25


def flat(incidence: float, mortality: float) -> Population:
    return Population("flat", np.full((2, AGES), incidence), np.full((2, AGES), mortality))


@given(
    rate=st.floats(1e-6, 0.2),
    death=st.floats(0, 0.5),
    f=st.floats(-2, 2),
    lag=st.integers(0, 1500),
    width=st.integers(1, 4000),
)
def test_constant_rates_have_a_closed_form(rate, death, f, lag, width):
    found = flat(rate, death).risk([f], age_years=[60], sex=[0], lag_days=lag, horizon_days=lag + width)[0]
    hazard = rate * np.exp(f)
    total = hazard + death
    expected = hazard / total * np.exp(-total * lag / YEAR) * -np.expm1(-total * width / YEAR)
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_rates_change_with_age_in_mid_year():
    rates = np.zeros((2, AGES))
    rates[:, 61:] = 0.01
    risk = Population("step", rates, np.zeros((2, AGES))).risk(
        [0.0], age_years=[60], sex=[1], lag_days=0, horizon_days=731
    )
    # Half a year at 61 in the first year, all of the second.
    np.testing.assert_allclose(risk, 1 - np.exp(-0.01 * (0.5 + 731 / YEAR - 1)), rtol=1e-12)


def test_unknown_sex_is_the_mean_of_both():
    population = Population.sweden_like()
    time = {"lag_days": 0, "horizon_days": 365}
    one = [population.risk([0.0], age_years=[70], sex=[s], **time)[0] for s in (0, 1, 2)]
    np.testing.assert_allclose(one[2], (one[0] + one[1]) / 2, rtol=1e-3)


@given(f=st.lists(st.floats(-3, 3), min_size=2, max_size=2, unique=True))
def test_a_higher_score_is_a_higher_risk(f):
    low, high = Population.sweden_like().risk(
        sorted(f), age_years=[70, 70], sex=[0, 0], lag_days=365, horizon_days=1826
    )
    assert low <= high


def test_the_shipped_table_is_about_right():
    risk = Population.sweden_like().risk([0.0], age_years=[72], sex=[0], lag_days=0, horizon_days=365)
    assert 15e-5 < risk[0] < 17e-5


TABLE = "sex,age_from,age_to,rate_per_100k\nM,0,120,1\nF,0,120,2\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TABLE.replace("rate_per_100k", "rate"), "no column rate_per_100k"),
        (TABLE.replace(",2\n", ",-2\n"), "0 or more"),
        (TABLE.replace(",2\n", ",x\n"), "numbers"),
        (TABLE.replace("F,0,120", "F,0,90"), "no rate"),
        (TABLE.replace("F,0,120", "M,5,9"), "overlap"),
        (TABLE.replace("F,0", "W,0"), "M or F"),
    ],
)
def test_tables_of_ones_own_are_checked(tmp_path, text, words):
    good, bad = tmp_path / "good.csv", tmp_path / "bad.csv"
    good.write_text(TABLE)
    bad.write_text(text)
    assert Population.read("own", good, good).incidence[1, 50] == 2e-5
    with pytest.raises(DefinitionError, match=words):
        Population.read("own", bad, good)
