"""A study of 1,057 cases from the published scenario gives the published figures within sampling error."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from prodromal.association import StudyDesign, run_study
from prodromal.association.published import HAZARD_RATIOS, ODDS_RATIOS
from tests.world import World

CASES = 1057
# How near the simulator is tuned to the published figures; beyond it, what chance does in a study of this size.
TUNED, CHANCE = np.log(1.1), 2.5
FIRST, LAST = ((date(*day) - date(1970, 1, 1)).days for day in ((2015, 1, 1), (2023, 6, 30)))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The cases of eight and a half years in a small population with many cases."""
    folder = tmp_path_factory.mktemp("published")
    world = World.make(folder, persons=250_000, noncase_fraction=0.06, scenario="published", incidence_scale=13.7)
    return run_study(world.register, StudyDesign(seed=1, first_day=FIRST, last_day=LAST))


def standard_error(row):
    return np.log(row["ci_high"] / row["ci_low"]) / 3.92


def headline(study, comparator="population"):
    frame = study.tables["odds_ratios"]
    frame = frame[(frame["comparator"] == comparator) & (frame["definition"] == "recurrent")]
    return frame.set_index(["class", "window"])


def test_the_study_has_the_published_size(study):
    assert headline(study)["cases"].max() == pytest.approx(CASES, rel=0.05)
    assert headline(study)["others"].max() == pytest.approx(5 * CASES, rel=0.05)


@pytest.mark.parametrize("cell", ODDS_RATIOS, ids="{0[0]} {0[1]}".format)
def test_odds_ratios_are_the_published_ones(study, cell):
    row = headline(study).loc[cell]
    # The last year is tuned to 15 %; the other windows follow from the law and were not tuned.
    tuned = TUNED if cell[1] == ">1" else np.log(1.3)
    assert abs(np.log(row["estimate"] / ODDS_RATIOS[cell].estimate)) < tuned + CHANCE * standard_error(row)


@pytest.mark.parametrize("name", HAZARD_RATIOS)
def test_hazard_ratios_are_the_published_ones(study, name):
    frame = study.tables["hazard_ratios"]
    row = frame[(frame["class"] == name) & (frame["model"] == "each class alone")].iloc[0]
    assert abs(np.log(row["estimate"] / HAZARD_RATIOS[name].estimate)) < TUNED + CHANCE * standard_error(row)


def test_the_three_classes_together_are_associated_and_negative_controls_are_not(study):
    frame = headline(study)
    rows = [frame.loc[(name, ">1")] for name in ("anxiolytics", "hypnotics", "antidepressants")]
    z = [np.log(row["estimate"]) / standard_error(row) for row in rows]
    assert sum(z) / np.sqrt(3) > 3
    for name in ("statins", "proton pump inhibitors"):
        for window in (">1", "0-1", ">1-5", ">5"):
            row = frame.loc[(name, window)]
            assert abs(np.log(row["estimate"])) < 3.5 * standard_error(row)


def test_relatives_tell_the_same_story(study):
    population = headline(study)
    for comparator in ("sibling", "spouse"):
        for name in ("anxiolytics", "hypnotics", "antidepressants"):
            row, base = headline(study, comparator).loc[(name, ">1")], population.loc[(name, ">1")]
            spread = np.hypot(standard_error(row), standard_error(base))
            assert abs(np.log(row["estimate"] / base["estimate"])) < 3.5 * spread


def test_the_odds_ratio_of_the_last_year_towers_and_the_ladder_falls(study):
    ladder = study.tables["lag_ladder"].set_index(["class", "lag_years"])["estimate"]
    for name in ("anxiolytics", "hypnotics", "antidepressants"):
        assert headline(study).loc[(name, "0-1"), "estimate"] > 2.5
        assert ladder[name, 0.0] > ladder[name, 1.0] > ladder[name, 5.0] - 0.25


def test_function_falls_faster_after_antidepressants_and_dropout_hides_a_part_of_it(study):
    """The simulator's mean loss is 0.89 points a month, a quarter more with antidepressants."""
    alone = study.tables["decline"].set_index(["class", "quantity"])
    joint = study.tables["joint"].set_index(["class", "quantity"])
    assert joint.loc[("antidepressants", "difference"), "ci_high"] < 0
    slope = ("antidepressants", "slope of others")
    assert joint.loc[slope, "estimate"] < alone.loc[slope, "estimate"]
    assert abs(joint.loc[slope, "estimate"] + 0.89) < abs(alone.loc[slope, "estimate"] + 0.89)
    assert joint.loc[("antidepressants", "decline faster by 0.5 points a month"), "ci_low"] > 1
    ratio = joint.loc[("antidepressants", "users against others")]
    assert abs(np.log(ratio["estimate"] / 1.72)) < TUNED + CHANCE * standard_error(ratio)
