"""Explanations find the truth of simulated people: effects where there are some, in their order, and none elsewhere."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import factorial

import numpy as np
import pytest

from prodromal.design import draw_landmark_sets
from prodromal.explain import explain, importance
from prodromal.features import build
from prodromal.risk import train
from prodromal.simulate.config import PSYCHIATRIC
from tests.world import SMALL_SEARCH, World

# The simulator's names of classes and those of the plan; all others have no effect in the simulator.
LABELS = {"anxiolytics": "Anxiolytics", "hypnotics": "Hypnotics and sedatives", "antidepressants": "Antidepressants"}
NEGATIVE_CONTROLS = ("Statins", "Proton pump inhibitors")
WITHOUT_EFFECT = (
    *NEGATIVE_CONTROLS,
    "Antibiotics",
    "Antidiabetics",
    "Analgesics",
    "Muscle relaxants",
    "Antipsychotics",
)


def log_ratios(world, dates, kept):
    """The best score that can be had from the initiations of some psychiatric classes alone."""
    from importlib import import_module

    from prodromal.simulate.law import resolve
    from prodromal.simulate.likelihood import Starts, log_likelihood_ratios

    inside = import_module("prodromal.simulate.oracle")
    law, people, starts = (
        resolve(inside._config_of(world.delivery)),
        inside._people(world.delivery),
        inside._starts(world.delivery),
    )
    person = inside._read(world.delivery, "initiations")["person_id"].to_numpy()
    keep = np.isin(starts.of_class, kept)
    for name, side in (("first_start", "left"), ("end_start", "right")):
        people[name] = np.searchsorted(person[keep], people["person_id"], side=side)
    gone = [c for c in range(len(PSYCHIATRIC)) if c not in kept]
    rate, cumulative = law.use.rate.copy(), law.use.cumulative.copy()
    rate[gone] = cumulative[gone] = 0.0
    row, index = inside._located(people["person_id"], dates)
    asked = {name: values[row] for name, values in people.items()}
    outcome = world.question
    questions = inside._questions(law, asked, index, outcome.lag_days, outcome.horizon_days)
    use = law.use._replace(rate=rate, cumulative=cumulative)
    return log_likelihood_ratios(
        use, inside._signal_law(law), questions, Starts(starts.day[keep], starts.of_class[keep])
    )


def true_contributions(world, dates):
    """Shapley values of the three classes in the game of the best score, shape (n_rows, 3)."""
    players = range(len(PSYCHIATRIC))
    worth = {s: log_ratios(world, dates, list(s)) for k in range(4) for s in combinations(players, k)}
    found = np.zeros((len(dates), len(PSYCHIATRIC)))
    for c in players:
        rest = [p for p in players if p != c]
        for k in range(3):
            for s in combinations(rest, k):
                step = worth[tuple(sorted((*s, c)))] - worth[s]
                found[:, c] += factorial(k) * factorial(2 - k) / 6 * step
    np.testing.assert_allclose(found.sum(axis=1), worth[tuple(players)], atol=1e-9)
    return found


@pytest.fixture(scope="module")
def strong(world):
    """A model of all cases, some 1,100; with the 670 of other tests chance decides which class comes second."""
    sets = draw_landmark_sets(world.register, world.question, seed=1)
    search = replace(SMALL_SEARCH, max_rounds=200)
    return train(
        build(world.plan, world.register, sets.index_dates), sets, population=world.population, seed=1, search=search
    )


@pytest.fixture(scope="module")
def explained(world, strong):
    return explain(strong, build(world.plan, world.register, world.cohort.index_dates), world.register.persons)


@pytest.fixture(scope="module")
def truth(world):
    return true_contributions(world, world.cohort.index_dates)


def sizes(explanation, world):
    weights = world.cohort.frame["weight"].to_numpy()
    frame = importance(explanation, replicates=0, seed=1, weights=weights)
    return dict(zip(frame["label"], frame["mean_abs_contribution"], strict=True))


def test_classes_rank_as_their_true_contributions_do(world, explained, truth):
    true = dict(zip(PSYCHIATRIC, np.average(np.abs(truth), axis=0, weights=world.cohort.frame["weight"]), strict=True))
    ranked = [LABELS[name] for name in sorted(true, key=true.__getitem__, reverse=True)]
    assert ranked == ["Anxiolytics", "Antidepressants", "Hypnotics and sedatives"]
    found = sizes(explained, world)
    assert [label for label in found if label in ranked] == ranked
    for name, label in LABELS.items():
        assert 0.75 < found[label] / true[name] < 1.25


def test_classes_without_effect_come_last(world, explained):
    found = sizes(explained, world)
    weakest = min(found[label] for label in LABELS.values())
    assert set(WITHOUT_EFFECT) <= set(found)
    assert [label for label in found if label in WITHOUT_EFFECT] == list(found)[-len(WITHOUT_EFFECT) :]
    assert max(found[label] for label in WITHOUT_EFFECT) < weakest / 2
    assert max(found[label] for label in NEGATIVE_CONTROLS) < weakest / 5


def check_that_each_follows_its_own_truth(explained, truth):
    for name in PSYCHIATRIC:
        own = explained.values[:, explained.labels.index(LABELS[name])]
        correlation = {other: np.corrcoef(own, truth[:, o])[0, 1] for o, other in enumerate(PSYCHIATRIC)}
        assert correlation[name] > 0.7
        assert max(correlation, key=correlation.__getitem__) == name


def test_contributions_follow_the_truth_person_by_person(explained, truth):
    check_that_each_follows_its_own_truth(explained, truth)


@pytest.mark.parametrize("broken", ["classes swapped", "sign turned", "people shifted"])
def test_a_break_is_seen(explained, truth, broken):
    wrong = {
        "classes swapped": truth[:, [1, 0, 2]],
        "sign turned": -truth,
        "people shifted": np.roll(truth, 1, axis=0),
    }[broken]
    with pytest.raises(AssertionError):
        check_that_each_follows_its_own_truth(explained, wrong)


@pytest.fixture(scope="module")
def null(tmp_path_factory):
    return World.make(tmp_path_factory.mktemp("null"), persons=2_000_000, noncase_fraction=0.005, scenario="null")


def test_without_any_effect_contributions_are_near_0(null):
    """3 % up or down: the noise that 640 cases leave; age and sex are in every class's place too."""
    matrix = build(null.plan, null.register, null.cohort.index_dates)
    found = explain(null.model, matrix, null.register.persons)
    assert max(sizes(found, null).values()) < np.log(1.03)


def test_without_any_effect_the_truth_itself_is_0(null):
    dates = null.cohort.index_dates.head(300)
    assert np.abs(true_contributions(null, dates)).max() < 1e-9
