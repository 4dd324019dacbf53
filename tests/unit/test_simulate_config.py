"""A configuration is refused by the name of the setting that is wrong."""

import json
from datetime import date

import pytest

from prodromal.errors import DefinitionError
from prodromal.simulate import SCENARIOS, SimulationConfig


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"persons": 0}, "persons"),
        ({"personen": 10}, "personen"),
        ({"noncase_fraction": 1.5}, "noncase_fraction"),
        ({"noncase_fraction": 0.0}, "noncase_fraction"),
        ({"incidence_scale": -1.0}, "incidence_scale"),
        ({"incidence_scale": float("nan")}, "incidence_scale"),
        ({"emigration_per_year": 1.01}, "emigration_per_year"),
        ({"frailty": {"shape": -1.0}}, "frailty.shape"),
        ({"frailty": {"shapes": 1.0}}, "frailty.shapes"),
        ({"family": {"carrier_share": 2.0}}, "family.carrier_share"),
        ({"family": {"sibship_shares": [0.0, 0.0]}}, "family"),
        ({"prodrome": {"shares": [0.5, 0.5]}}, "prodrome"),
        ({"course": {"riluzole_share": -0.1}}, "course.riluzole_share"),
        ({"psychiatric": {"hypnotics": {"single_share": 1.2}}}, "psychiatric.hypnotics.single_share"),
        ({"psychiatric": {"hypnotics": {"prodrome": -0.2}}}, "psychiatric.hypnotics.prodrome"),
        ({"psychiatric": {"stimulants": {"single_share": 0.5}}}, "psychiatric.stimulants"),
        ({"context": {"statins": {"prodrome": 0.2}}}, "context.statins.prodrome"),
        ({"starts_on": date(2020, 1, 1), "ends_on": date(2019, 1, 1)}, "starts_on"),
    ],
)
def test_a_bad_setting_is_refused_by_name(settings, key):
    with pytest.raises(DefinitionError, match=key.replace(".", r"\.")):
        SimulationConfig.scenario("published", **settings)


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_scenario_is_whole_and_survives_json(name):
    config = SimulationConfig.scenario(name)
    assert config.scenario_name == name
    assert (
        SimulationConfig.model_validate(json.loads(json.dumps(config.model_dump(mode="json", by_alias=True)))) == config
    )


def test_an_unknown_scenario_is_refused():
    with pytest.raises(DefinitionError, match="scenario"):
        SimulationConfig.scenario("optimistic")


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path):
    path = tmp_path / "sim.toml"
    path.write_text('scenario = "null"\npersons = 7\nends_on = 2010-12-31\n[psychiatric.hypnotics]\nlast_year = 2.0\n')
    config = SimulationConfig.read(path)
    assert (config.persons, config.ends_on, config.psychiatric["hypnotics"].last_year) == (7, date(2010, 12, 31), 2.0)
    base = SimulationConfig.scenario("null")
    assert config.psychiatric["anxiolytics"] == base.psychiatric["anxiolytics"]
    assert config.psychiatric["hypnotics"].long_years == base.psychiatric["hypnotics"].long_years
    assert config.frailty.hazard_exponent == 0.0


@pytest.mark.parametrize("content", [b"persons = ", b"\xff\xfe\x00", b"a = " + b"9" * 5_000, b"a = " + b"[" * 9_000])
def test_a_file_that_is_no_toml_is_refused_without_its_content(tmp_path, content):
    path = tmp_path / "sim.toml"
    path.write_bytes(content)
    with pytest.raises(DefinitionError, match=r"sim\.toml is not valid TOML"):
        SimulationConfig.read(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(DefinitionError, match=r"sim\.toml cannot be read"):
        SimulationConfig.read(tmp_path / "sim.toml")
