"""The tests of the simulator can fail: each fault below is noticed by the check that should notice it."""

import sys
import threading

import numpy as np
import pytest

from prodromal.simulate import SimulationConfig, simulate
from prodromal.simulate import law as law_room
from prodromal.simulate import liability as liability_room
from prodromal.simulate import oracle as oracle_function
from prodromal.simulate.blocks import BlockMaker
from tests.oracle.test_simulate_likelihood import differences
from tests.properties.test_simulate_identical import digests
from tests.recovery.test_simulate_oracle import landmark_sets, laws, scores
from tests.recovery.test_simulate_tables import taken, z_scores

oracle_room = sys.modules[oracle_function.__module__]


@pytest.fixture(scope="module")
def strong(tmp_path_factory):
    drawn = landmark_sets(tmp_path_factory.mktemp("simulated") / "strong", "strong", persons=600_000, most=1000)
    assert max(abs(z) for z in laws(scores(*drawn)).values()) < 4
    return drawn


FAULTS = {
    "the prodrome is forgotten": lambda s: s._replace(rho=0 * s.rho),
    "the prodrome is too strong": lambda s: s._replace(rho=1.7 * s.rho),
    "lengths are in months": lambda s: s._replace(prodrome_days=s.prodrome_days // 12),
    "cases are not frailer": lambda s: s._replace(exponent=0.0),
    "frailty varies too little": lambda s: s._replace(shape=5 * s.shape),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_oracle_breaks_the_laws_of_likelihood_ratios(strong, monkeypatch, fault):
    right = oracle_room._signal_law
    monkeypatch.setattr(oracle_room, "_signal_law", lambda law: FAULTS[fault](right(law)))
    assert max(abs(z) for z in laws(scores(*strong)).values()) > 4


def test_a_forgotten_last_year_is_noticed_by_quadrature(monkeypatch, tmp_path):
    config = SimulationConfig.scenario("strong", persons=2000)
    simulate(config, tmp_path / "register", seed=2)
    right = oracle_room._signal_law
    monkeypatch.setattr(oracle_room, "_signal_law", lambda law: right(law)._replace(sigma=0 * law.sigma))
    assert np.abs(differences(tmp_path / "register", config)[:, 0]).max() > 1e-2


def test_initiations_before_observation_must_be_counted(strong, monkeypatch):
    right = oracle_room._people

    def nothing_ran_before(folder):
        people = right(folder)
        return {**people, "first_start": people["end_start"]}

    monkeypatch.setattr(oracle_room, "_people", nothing_ran_before)
    assert max(abs(z) for z in laws(scores(*strong)).values()) > 4


@pytest.mark.parametrize("event", ["diagnoses", "deaths"])
def test_a_rate_ten_percent_off_is_noticed(monkeypatch, event):
    right, table = law_room.read_rates, {"diagnoses": "als_inc", "deaths": "mortality"}[event]
    monkeypatch.setattr(
        law_room, "read_rates", lambda path, shipped: right(path, shipped) * (1.1 if shipped.startswith(table) else 1.0)
    )
    _, observed, wanted = z_scores(taken(), event)
    assert abs(observed.sum() / wanted.sum() - 1) > 0.05


def test_depletion_of_carriers_is_noticed(monkeypatch):
    monkeypatch.setattr(liability_room._Depletion, "table", lambda self, own: own)
    _, observed, wanted = z_scores(taken(40, family={"carrier_share": 0.02}), "diagnoses")
    assert abs(observed.sum() / wanted.sum() - 1) > 0.06


def test_randomness_that_belongs_to_a_thread_is_noticed(monkeypatch, tmp_path):
    right, main = BlockMaker.make, threading.get_ident()

    def by_thread(self, index):
        self._seed += threading.get_ident() != main
        return right(self, index)

    monkeypatch.setattr(BlockMaker, "make", by_thread)
    config = SimulationConfig.scenario("published", persons=20_000, noncase_fraction=0.05)
    for threads in (1, 2):
        simulate(config, tmp_path / str(threads), seed=1, threads=threads)
    one, two = (digests(tmp_path / str(threads)) for threads in (1, 2))
    assert one != two
