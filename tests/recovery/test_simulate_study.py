"""The published findings come back from studies of the simulated register; scripts/bench/simulate draws more."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from prodromal.simulate import SimulationConfig, simulate

FIRST, LAST = 16436, 19538  # 1 January 2015 to 30 June 2023


def load_study():
    path = Path(__file__).resolve().parents[2] / "scripts" / "bench" / "_study.py"
    if not path.is_file():
        pytest.skip("scripts/bench is not beside the tests")
    spec = importlib.util.spec_from_file_location("_study_of_tests", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


study = load_study()


def drawn(folder, scenario, *, seed=11, persons=600_000, scale=30.0, fraction=0.06, **settings):
    config = SimulationConfig.scenario(
        scenario, persons=persons, incidence_scale=scale, noncase_fraction=fraction, **settings
    )
    simulate(config, folder, seed=seed, threads=2)
    register = study.read_register(folder)
    return register, study.matched_sets(register, FIRST, LAST, seed)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("simulated") / "published", "published")


@pytest.fixture(scope="module")
def null(tmp_path_factory):
    return drawn(tmp_path_factory.mktemp("simulated") / "null", "null", persons=250_000)


def test_odds_ratios_beyond_one_year_are_the_published_ones(published):
    register, sets = published
    found = study.odds_ratios(register, sets)
    assert len(sets) > 5000
    for name, target in (("anxiolytics", 1.34), ("hypnotics", 1.21), ("antidepressants", 1.26)):
        error = found[name][">1"] - np.log(target)
        assert abs(error) < np.log(1.05) + 2.5 * found[name][">1 se"], (name, error)
        assert found[name][">1"] > 2.5 * found[name][">1 se"]


def test_windows_by_first_use_are_as_published(published):
    register, sets = published
    found = study.odds_ratios(register, sets)
    error = found["hypnotics"]["0-1"] - np.log(6.1)
    assert abs(error) < np.log(1.15) + 2 * found["hypnotics"]["0-1 se"]
    assert np.log(1.15) < found["anxiolytics"]["1-5"] < np.log(2.23)
    assert np.log(1.02) < found["antidepressants"][">5"] < np.log(1.44)


def test_controls_are_as_exposed_as_calculated_from_the_published_intervals(published):
    register, sets = published
    found = study.odds_ratios(register, sets)
    for name, target in (("anxiolytics", 0.134), ("hypnotics", 0.166), ("antidepressants", 0.158)):
        assert found[name][">1 controls"] == pytest.approx(target, abs=0.03)
    assert found["hypnotics"]["0-1 controls"] == pytest.approx(0.006, abs=0.002)


def test_hazard_ratios_are_the_published_ones(published):
    register, sets = published
    found = study.hazard_ratios(register, sets[:, 0])
    for name, target in (("anxiolytics", 1.52), ("hypnotics", 1.23), ("antidepressants", 1.72)):
        beta, se = found[name]
        assert abs(beta - np.log(target)) < np.log(1.1) + 2 * se


def kin_log_odds_ratio(register, kin, name):
    """Adjusted for sex and age: relatives are not matched on them."""
    day = np.repeat(register.diagnosis[kin[:, :1]], 2, axis=1)
    age, sex = (day - register.birth[kin]) / 3652.5, register.sex[kin]
    used = study.exposures(register, name, kin, day)[">1"]
    beta, se = study.conditional_logistic(np.stack([used, sex, age, age**2, sex * age], axis=2).astype(float))
    return beta[0], se[0]


def test_siblings_and_spouses_as_controls_tell_the_same_story(published):
    register, sets = published
    population = study.odds_ratios(register, sets)
    found = {}
    for relation in ("sibling", "spouse"):
        kin = study.kin_sets(register, sets[:, 0], relation)
        assert len(kin) > 1500
        found |= {(relation, name): kin_log_odds_ratio(register, kin, name) for name in study.CLASSES}
    for (relation, name), (beta, se) in found.items():
        apart = beta - population[name][">1"]
        assert abs(apart) < 3.5 * np.hypot(se, population[name][">1 se"]), (relation, name)
    assert sum(beta for beta, _ in found.values()) > 3 * np.sqrt(sum(se**2 for _, se in found.values()))


def test_without_effects_there_are_no_associations(null):
    register, sets = null
    for name, row in study.odds_ratios(register, sets).items():
        assert abs(row[">1"]) < 3.5 * row[">1 se"], name
        assert abs(row["0-1"]) < 3.5 * row["0-1 se"], name
    for name, (beta, se) in study.hazard_ratios(register, sets[:, 0]).items():
        assert abs(beta) < 3.5 * se, name


def test_negative_controls_have_no_association(tmp_path):
    config = SimulationConfig.scenario("strong", persons=200_000, incidence_scale=30.0, noncase_fraction=0.1)
    simulate(config, tmp_path / "r", seed=1, threads=2)
    register = study.read_register(tmp_path / "r", {"statins": "C10AA", "inhibitors": "A02BC", "hypnotics": "N05C"})
    found = study.odds_ratios(register, study.matched_sets(register, FIRST, LAST, 1))
    for name in ("statins", "inhibitors"):
        assert abs(found[name][">1"]) < 3.5 * found[name][">1 se"]
        assert abs(found[name]["0-1"]) < 3.5 * found[name]["0-1 se"]
    assert found["hypnotics"][">1"] > 10 * found["hypnotics"][">1 se"]


def test_effects_below_65_end_there(tmp_path):
    register, sets = drawn(tmp_path / "r", "under-65", persons=300_000, psychiatric={"hypnotics": {"last_year": 12.0}})
    age = (register.diagnosis[sets[:, 0]] - register.birth[sets[:, 0]]) / 365.25
    young = study.odds_ratios(register, sets[age < 65])["hypnotics"]
    old = study.odds_ratios(register, sets[age >= 65])["hypnotics"]
    assert young["0-1"] > 10 * young["0-1 se"]
    assert abs(old["0-1"]) < 3.5 * old["0-1 se"]


def test_prescribing_drifts_over_calendar_time_where_it_should(tmp_path):
    change = {}
    for scenario in ("published", "drift"):
        config = SimulationConfig.scenario(scenario, persons=15_000)
        simulate(config, tmp_path / scenario, seed=1, threads=2)
        keys = study.read_register(tmp_path / scenario).keys
        share = [np.mean([((k % 100_000) > 17500).mean() for k in (keys[name],)]) for name in study.CLASSES]
        change[scenario] = np.array(share)
    difference = change["drift"] - change["published"]
    assert difference[0] < -0.02
    assert (difference[1:] > 0.02).all()


def test_function_falls_faster_after_antidepressants(published):
    register, sets = published
    import pyarrow.parquet as pq

    truth = pq.read_table(register.folder / "truth" / "persons.parquet")
    slope = truth["slope_per_month"].to_numpy(zero_copy_only=False)[sets[:, 0]]
    used = study.counts_before(register.keys["antidepressants"], sets[:, 0], register.diagnosis[sets[:, 0]]) >= 2
    assert slope[used].mean() / slope[~used].mean() == pytest.approx(1.25, abs=0.06)
    assert slope[~used].mean() == pytest.approx(0.89, abs=0.03)


def test_course_is_as_in_population_cohorts(published):
    """Half of patients wait a year for the diagnosis; three quarters live a year after it, about a fifth live five."""
    register, sets = published
    import pyarrow.parquet as pq

    truth = pq.read_table(register.folder / "truth" / "persons.parquet")
    onset = truth["onset_on"].cast("int32").fill_null(0).to_numpy()[sets[:, 0]]
    start = register.diagnosis[sets[:, 0]]
    assert np.median(start - onset) == pytest.approx(365, abs=30)
    early = start < FIRST + 365  # seen for at least seven years
    lived = np.minimum(register.death[sets[early, 0]], 10**6) - start[early]
    assert np.median(lived) == pytest.approx(650, abs=80)
    assert (lived > 365).mean() == pytest.approx(0.74, abs=0.05)
    assert (lived > 5 * 365).mean() == pytest.approx(0.17, abs=0.06)


def test_siblings_of_cases_fall_ill_more_often_and_spouses_do_not(tmp_path):
    """Published: rate ratio 17 (8.1 to 30.4) in siblings, no excess in spouses."""
    config = SimulationConfig.scenario("published", persons=1_000_000, incidence_scale=4.0, noncase_fraction=0.001)
    simulate(config, tmp_path / "r", seed=2, threads=2)
    seen, expected = study.sibling_ratio(tmp_path / "r", config, "sibling")
    assert 8.1 < seen / expected < 30.4
    seen, expected = study.sibling_ratio(tmp_path / "r", config, "spouse")
    assert abs(seen - expected) < 4 * np.sqrt(expected)
