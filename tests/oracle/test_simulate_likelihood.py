"""The closed form of the likelihood ratio agrees with a slow one: integrals by quadrature and by daily sums."""

from datetime import date

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from scipy import integrate, stats

from prodromal.simulate import SimulationConfig, oracle, simulate
from prodromal.simulate.config import PSYCHIATRIC
from prodromal.simulate.law import day_number, resolve

DAY = 365.25
LAG, HORIZON = 180, 187
SETTINGS = {"persons": 3000, "incidence_scale": 300.0}
INDEX_DATES = (date(2008, 5, 17), date(2017, 11, 30))


@pytest.fixture(scope="module", params=["strong", "under-65"])
def register(request, tmp_path_factory):
    trend = {"anxiolytics": {"yearly_trend": -0.05}, "hypnotics": {"yearly_trend": 0.04}}
    config = SimulationConfig.scenario(request.param, **SETTINGS, psychiatric=trend)
    folder = tmp_path_factory.mktemp("simulated") / "register"
    simulate(config, folder, seed=2)
    return folder, config


def lasts(use, days):
    """Probability that an episode of a class runs longer than some days; no episode lasts more than thirty years."""
    long = use.long_share * np.exp(-days / (use.long_years * DAY))
    short = (1 - use.long_share) * np.exp(-days / (use.short_years * DAY))
    return np.where(days < 30 * DAY, (1 - use.single_share) * (long + short), 0.0)


def daily_rates(law, person, until):
    """Visible initiations at frailty 1 on every day from thirty years before observation on, shape (3, n_days)."""
    days = np.arange(person.observed_from - int(30 * DAY) - 1, until)
    middle = days + 0.5
    year = law.use.year_of_day[(days - law.use.year_start[0]).clip(0).astype(int)]
    born = pd.Timestamp(person.birth_date).year - law.use.first_birth_year
    rates = []
    for c, name in enumerate(PSYCHIATRIC):
        seen = np.where(
            days >= person.observed_from, 1.0, lasts(law.config.psychiatric[name], person.observed_from - middle)
        )
        rates.append(law.use.rate[c, person.sex, born, year] * seen)
    return days, np.array(rates)


def slow_log_ratio(law, person, starts, index):
    k, g = law.config.frailty.shape, law.config.frailty.hazard_exponent
    days, rates = daily_rates(law, person, index)
    n = len(starts)
    prior = stats.gamma(k, scale=1 / k)
    normaliser = integrate.quad(lambda u: u**g * prior.pdf(u), 0, np.inf, epsabs=0, epsrel=1e-11)[0]

    def history(total, extra):
        integrand = lambda u: u ** (n + extra) * np.exp(-u * total) * prior.pdf(u)  # noqa: E731
        peak = max((k + n + extra - 1) / (k + total), 1e-6)
        parts = [(0, peak), (peak, 5 * peak + 1), (5 * peak + 1, np.inf)]
        return sum(integrate.quad(integrand, a, b, epsabs=0, epsrel=1e-10)[0] for a, b in parts)

    reference = history(rates.sum(), 0.0)
    ratio = 0.0
    spans = [(first, min(first + 7, HORIZON + 1)) for first in range(LAG + 1, HORIZON + 1, 7)]
    ages = [(index - person.birth + day) / DAY for span in spans for day in span]
    hazard = law.incidence.at(np.full(len(ages), person.sex), np.array(ages)).reshape(-1, 2)
    middles = [sum(span) // 2 for span in spans]
    death = law.mortality.at(
        np.full(len(spans), person.sex), np.array([(index - person.birth + m) / DAY for m in middles])
    )
    weight = np.diff(hazard)[:, 0] * np.exp(-death - law.config.emigration_per_year * np.array(middles) / DAY)
    for middle, share in zip(middles, weight / weight.sum(), strict=True):
        diagnosis = index + middle
        below = law.config.prodrome.below_age
        if below is not None and (diagnosis - person.birth) / DAY >= below:
            ratio += share
            continue
        for length, probability in zip(law.prodrome_days, law.prodrome_share, strict=True):
            factor = (
                1 + law.rho[:, None] * (days >= diagnosis - length) + law.sigma[:, None] * (days >= diagnosis - 365)
            )
            product = np.prod([factor[c, day - days[0]] for c, day in starts])
            ratio += share * probability * product * history((rates * factor).sum(), g) / normaliser / reference
    return np.log(ratio)


def differences(folder, config):
    """Fast minus slow log ratio, and whether there was any use, for a few people at several dates."""
    law = resolve(config)
    truth = pq.read_table(folder / "truth" / "persons.parquet")
    started = pq.read_table(folder / "truth" / "initiations.parquet").to_pandas(date_as_object=False)
    frame = truth.to_pandas(date_as_object=False)
    frame["birth"] = truth["birth_date"].cast("int32").to_numpy()
    frame["observed_from"] = truth["observed_from"].cast("int32").to_numpy()
    frame["sex"] = (frame["sex"] == "F").astype(int)
    counts = started.groupby("person_id").size()
    middling = counts[(counts >= 2) & (counts <= 12)].index[:3].tolist()
    asked = pd.DataFrame([(p, d) for p in [1, *middling] for d in INDEX_DATES], columns=["person_id", "index_date"])
    asked["index_date"] = pd.to_datetime(asked["index_date"])
    found = oracle(folder, asked, horizon_days=HORIZON, lag_days=LAG).dropna()
    result = []
    for row in found.itertuples():
        own = started[(started["person_id"] == row.person_id) & (started["initiated_on"] < row.index_date)]
        days = (own["initiated_on"] - pd.Timestamp("1970-01-01")).dt.days
        starts = [(PSYCHIATRIC.index(name), day) for name, day in zip(own["class"], days, strict=True)]
        person = next(frame[frame["person_id"] == row.person_id].itertuples())
        slow = slow_log_ratio(law, person, starts, day_number(row.index_date.date()))
        result.append((row.log_likelihood_ratio - slow, bool(starts)))
    return np.array(result)


def test_the_closed_form_agrees_with_quadrature(register):
    found = differences(*register)
    assert len(found) >= 5
    assert found[:, 1].sum() >= 4
    assert np.abs(found[:, 0]).max() < 2e-5
