"""Incidence, mortality and prevalence come back out of the register as they went into it."""

import numpy as np
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from prodromal.simulate import SimulationConfig, simulate
from prodromal.simulate.census import Census, take_census
from prodromal.simulate.law import day_number, resolve
from prodromal.simulate.people import BLOCK, Population
from prodromal.simulate.prevalence import read_prevalence
from prodromal.simulate.rates import AGES, read_rates

SCALE = 25.0
BANDS = [(20, 45), (45, 55), (55, 65), (65, 70), (70, 75), (75, 80), (80, 85), (85, 90), (90, 105)]


def taken(blocks=80, **settings):
    config = SimulationConfig.scenario("published", persons=blocks * BLOCK, incidence_scale=SCALE, **settings)
    population = Population(resolve(config), 5)
    total = Census.empty()
    for index in range(population.blocks):
        total = total + take_census(population.block(index))
    return total


def z_scores(census, event):
    """Deviation of the logarithm of observed / expected in standard errors, by sex and age band."""
    if event == "diagnoses":
        seen, rate = census.diagnoses, SCALE * read_rates(None, "als_incidence_sweden_like.csv")
    else:
        seen, rate = census.deaths, read_rates(None, "mortality_sweden_like.csv")
    expected = census.person_years * rate
    observed = np.array([[seen[sex, a:b].sum() for a, b in BANDS] for sex in (0, 1)])
    wanted = np.array([[expected[sex, a:b].sum() for a, b in BANDS] for sex in (0, 1)])
    return np.log(observed / wanted) * np.sqrt(wanted), observed, wanted


@pytest.fixture(scope="module")
def census():
    return taken()


@pytest.mark.parametrize("event", ["diagnoses", "deaths"])
def test_events_by_age_and_sex_follow_the_table(census, event):
    z, observed, wanted = z_scores(census, event)
    assert observed.sum() > 5000
    assert np.abs(z).max() < 3.5
    assert (z**2).sum() < 45  # chi-square with 18 degrees of freedom: above in 0.04 % of seeds
    assert abs(observed.sum() / wanted.sum() - 1) < 0.05


def test_the_familial_carriers_do_not_move_the_average():
    z, observed, wanted = z_scores(taken(40, family={"carrier_share": 0.02}), "diagnoses")
    # cases cluster in families here, so that counts vary more than by Poisson's law
    assert np.abs(z).max() < 5
    assert abs(observed.sum() / wanted.sum() - 1) < 0.06


def test_the_population_is_as_old_as_the_swedish(census):
    """Of Swedish adults about a quarter are 65 or older, and about 7 percent 80 or older."""
    years = census.person_years.sum(axis=0)
    assert years[:18].sum() == 0
    assert years[65:].sum() / years.sum() == pytest.approx(0.25, abs=0.015)
    assert years[80:].sum() / years.sum() == pytest.approx(0.07, abs=0.01)
    assert census.person_years[1].sum() > census.person_years[0].sum()


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    folder = tmp_path_factory.mktemp("simulated") / "register"
    simulate(SimulationConfig.scenario("published", persons=80_000), folder, seed=8, threads=2)
    return folder


def user_share(folder, config, years=range(2007, 2022, 2)):
    """Share of whole-year residents with a dispensing, by class, sex and band, weighting years alike."""
    law = resolve(config)
    persons = pq.read_table(folder / "persons.parquet")
    sex = (persons["sex"].to_numpy() == "F").astype(int)
    born, start, stop = (persons[c].cast("int32").to_numpy() for c in ("birth_date", "observed_from", "observed_to"))
    born = born.astype("datetime64[D]").astype("datetime64[Y]").astype(int) + 1970
    table = ds.dataset(folder / "dispensings").to_table(columns=["person_id", "dispensed_on", "atc"]).combine_chunks()
    row = table["person_id"].to_numpy() - 1
    year = table["dispensed_on"].to_numpy().astype("datetime64[Y]").astype(int) + 1970
    atc = table["atc"].combine_chunks()
    of_substance = {
        law.products.atc[i]: c for c, name in enumerate(law.classes) for i in law.products.of_class[name][0]
    }
    of_code = np.array([of_substance.get(code, -1) for code in atc.dictionary.to_pylist()])
    of_class = of_code[atc.indices.to_numpy(zero_copy_only=False)]
    bands = read_prevalence(None, law.classes)
    found = np.zeros((len(law.classes), 2, 6, 2))
    for c in range(len(law.classes)):
        for y in years:
            whole = (start <= day_number(config.starts_on.replace(year=y, month=1, day=1))) & (
                stop >= day_number(config.starts_on.replace(year=y, month=12, day=31))
            )
            uses = np.zeros(len(sex), dtype=bool)
            uses[row[(of_class == c) & (year == y)]] = True
            for b, (first, end, _, _) in enumerate(bands[c]):
                for s in (0, 1):
                    inside = whole & (sex == s) & (y - born >= first) & (y - born < end)
                    found[c, s, b] += uses[inside].sum(), inside.sum()
    target = np.array([[[band[2 + s] for band in bands[c]] for s in (0, 1)] for c in range(len(bands))])
    return found[..., 0] / found[..., 1], target, law.classes


def test_users_in_a_year_follow_the_table_of_prevalences(register):
    share, target, classes = user_share(register, SimulationConfig.scenario("published", persons=80_000))
    ratio = share / target
    common = [c for c, name in enumerate(classes) if name not in {"muscle_relaxants", "antipsychotics"}]
    by_class = {classes[c]: float(ratio[c][target[c] > 0.02].mean()) for c in common}
    assert {name: value for name, value in by_class.items() if abs(value - 1) > 0.05} == {}
    assert np.abs(np.where(target > 0.1, ratio, 1.0) - 1).max() < 0.15


def test_old_people_have_about_ten_dispensings_a_year(register):
    persons = pq.read_table(register / "persons.parquet")
    start, stop, born = (persons[c].cast("int32").to_numpy() for c in ("observed_from", "observed_to", "birth_date"))
    days = ds.dataset(register / "dispensings").to_table(columns=["person_id", "dispensed_on"])
    age = (days["dispensed_on"].cast("int32").to_numpy() - born[days["person_id"].to_numpy() - 1]) / 365.25
    years = {}
    for old in (False, True):
        turn = born + 60 * 365.25
        spent = np.where(old, stop - np.maximum(start, turn), np.minimum(stop, turn) - start)
        years[old] = np.maximum(spent, 0).sum() / 365.25
    assert 8 < (age >= 60).sum() / years[True] < 12
    assert (age < 60).sum() / years[False] < 5


def test_half_of_new_hypnotic_users_never_refill(register):
    truth = pq.read_table(register / "truth" / "initiations.parquet").to_pandas(date_as_object=False)
    first = truth[truth["class"] == "hypnotics"].groupby("person_id")["initiated_on"].min()
    persons = pq.read_table(register / "persons.parquet").to_pandas(date_as_object=False).set_index("person_id")
    new = first[
        (first >= persons.loc[first.index, "observed_from"])
        & (first < persons.loc[first.index, "observed_to"] - np.timedelta64(400, "D"))
    ]
    table = ds.dataset(register / "dispensings").to_table(columns=["person_id", "dispensed_on", "atc"])
    frame = table.to_pandas(date_as_object=False)
    frame = frame[frame["atc"].astype(str).str.startswith("N05C") & frame["person_id"].isin(new.index)]
    since = (frame["dispensed_on"] - frame["person_id"].map(new)).dt.days
    assert (since.groupby(frame["person_id"]).min() == 0).all()
    count = frame[since < 365].groupby("person_id").size()
    assert len(count) > 1500
    assert 0.45 < (count == 1).mean() < 0.55


def test_age_bands_of_the_shipped_tables_cover_everybody():
    for name in ("als_incidence_sweden_like.csv", "mortality_sweden_like.csv"):
        assert read_rates(None, name).shape == (2, AGES)
