"""Tables of rates and prevalences are read whole or refused."""

import numpy as np
import pytest

from prodromal.errors import DefinitionError
from prodromal.simulate import SimulationConfig
from prodromal.simulate.law import resolve
from prodromal.simulate.rates import CumulativeHazard, read_rates

HEADER = "sex,age_from,age_to,rate_per_100k\n"
WHOLE = HEADER + "M,0,120,10\nF,0,60,5\nF,60,120,20\n"


def test_bands_become_single_years(tmp_path):
    path = tmp_path / "rates.csv"
    path.write_text(WHOLE)
    rates = read_rates(path, "rates.csv")
    assert rates.shape == (2, 120)
    assert rates[0].tolist() == [1e-4] * 120
    assert rates[1, [59, 60]].tolist() == [5e-5, 2e-4]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sex,age,rate\nM,0,1\n", "every row needs sex"),
        (HEADER + "M,0,120,10\n", "120 of 240 cells"),
        (WHOLE + "F,10,20,1\n", "covered twice"),
        (WHOLE.replace(",10", ",-10"), "must not be negative"),
        (WHOLE.replace("M", "X"), "every row needs sex"),
        (WHOLE.replace("60,120", "60,130"), "ages must lie in 0-120"),
    ],
)
def test_a_faulty_table_is_refused(tmp_path, text, message):
    path = tmp_path / "rates.csv"
    path.write_text(text)
    with pytest.raises(DefinitionError, match=message):
        read_rates(path, "rates.csv")


def test_the_cumulative_hazard_and_its_inverse_agree():
    hazard = CumulativeHazard(read_rates(None, "mortality_sweden_like.csv"))
    sex, age = np.repeat([0, 1], 50), np.tile(np.linspace(0.5, 99.5, 50), 2)
    np.testing.assert_allclose(hazard.age_when(sex, hazard.at(sex, age)), age, rtol=1e-12)
    assert hazard.age_when(np.array([0]), np.array([1e9]))[0] == np.inf


def test_the_mortality_table_gives_the_life_expectancy_it_was_made_from():
    rates = read_rates(None, "mortality_sweden_like.csv")
    alive = np.exp(-np.concatenate([np.zeros((2, 1)), np.cumsum(rates, axis=1)], axis=1))
    expectancy = ((alive[:, 65:-1] - alive[:, 66:]) / rates[:, 65:]).sum(axis=1) / alive[:, 65]
    np.testing.assert_allclose(expectancy, [20.19, 22.39], rtol=0.01)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("class,age_from,age_to,men_percent,women_percent\nstatins,20,120,5,101\n", "percentages in 0-100"),
        ("class,age_from,age_to,men_percent,women_percent\nstatins,20,120,5,5\n", "class anxiolytics has no age bands"),
        ("class,age_from\nstatins,20\n", "every row needs class"),
    ],
)
def test_a_faulty_table_of_prevalences_is_refused(tmp_path, text, message):
    path = tmp_path / "prevalence.csv"
    path.write_text(text)
    with pytest.raises(DefinitionError, match=message):
        resolve(SimulationConfig.scenario("published", prevalence_table=str(path)))


def test_a_prevalence_that_falls_faster_than_use_ends_is_refused():
    with pytest.raises(DefinitionError, match="class statins: the share at ages 85-120 cannot be reached"):
        resolve(SimulationConfig.scenario("published", context={"statins": {"long_years": 60.0, "long_share": 1.0}}))
