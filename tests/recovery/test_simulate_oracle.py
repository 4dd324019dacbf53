"""The oracle is the best score there is: laws of likelihood ratios that hold for no other score."""

import shutil

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError, DefinitionError
from prodromal.simulate import SimulationConfig, oracle, simulate
from tests.recovery.test_simulate_study import study

LAG, HORIZON = 365, 1826


def landmark_sets(folder, scenario, *, seed=4, persons=600_000, scale=5.0, fraction=0.02, most=1500):
    """Matched sets and index dates drawn as for training: the case is diagnosed within (lag, horizon] of the date."""
    config = SimulationConfig.scenario(
        scenario, persons=persons, incidence_scale=scale, noncase_fraction=fraction, ends_on="2020-12-31"
    )
    simulate(config, folder, seed=seed, threads=2)
    register = study.read_register(folder)
    sets = study.matched_sets(register, 15500, 18600, seed, cases=most)
    index = register.diagnosis[sets[:, 0]] - np.random.default_rng(seed).integers(LAG + 1, HORIZON + 1, len(sets))
    seen = (register.observed_from[sets] < index[:, None] - 365).all(axis=1)
    return register, sets[seen], index[seen]


def asked_of(register, sets, index):
    days = np.repeat(index, sets.shape[1]).astype("datetime64[D]").astype("datetime64[s]")
    return pd.DataFrame({"person_id": register.person_id[sets].ravel(), "index_date": days})


def scores(register, sets, index):
    found = oracle(register.folder, asked_of(register, sets, index), horizon_days=HORIZON, lag_days=LAG)
    return found["log_likelihood_ratio"].to_numpy().reshape(sets.shape)


def concordance(score):
    return ((score[:, :1] > score[:, 1:]) + 0.5 * (score[:, :1] == score[:, 1:])).mean(axis=1)


def laws(score):
    """Deviations, in standard errors, from what holds for the true likelihood ratio alone.

    Its mean among non-cases is 1; the mean of its inverse among cases is 1; its slope within matched sets is 1.
    """

    def z(values):
        return (values.mean() - 1) / (values.std() / np.sqrt(len(values)))

    slope, se = study.conditional_logistic(score[:, :, None])
    return {
        "non-cases": z(np.exp(score[:, 1:]).ravel()),
        "cases": z(np.exp(-score[:, 0])),
        "slope": (slope[0] - 1) / se[0],
    }


@pytest.fixture(scope="module")
def strong(tmp_path_factory):
    register, sets, index = landmark_sets(tmp_path_factory.mktemp("simulated") / "strong", "strong")
    return register, sets, index, scores(register, sets, index)


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    register, sets, index = landmark_sets(tmp_path_factory.mktemp("simulated") / "published", "published", most=2000)
    return register, sets, index, scores(register, sets, index)


def test_the_oracle_obeys_the_laws_of_likelihood_ratios(strong, published):
    for _, sets, _, score in (strong, published):
        assert len(sets) > 1000
        assert np.isfinite(score).all()
        assert max(abs(value) for value in laws(score).values()) < 4, laws(score)


def test_without_effects_every_history_is_worth_nothing(tmp_path):
    register, sets, index = landmark_sets(tmp_path / "null", "null", persons=60_000, scale=40.0, most=200)
    assert len(sets) > 100
    np.testing.assert_allclose(scores(register, sets, index), 0.0, atol=1e-12)


def test_psychiatric_medication_says_as_little_as_it_does(published):
    """Within-set C at one year's lag about 0.54; far more would be a leak."""
    c = concordance(published[3])
    assert abs(c.mean() - 0.54) < 0.015 + 2.5 * c.std() / np.sqrt(len(c))


def test_no_logistic_model_of_use_beats_the_oracle(strong):
    """Even fitted to the very sets that it is judged on."""
    register, sets, index, score = strong
    shifted = np.repeat(index[:, None], sets.shape[1], axis=1)
    terms = []
    for keys in register.keys.values():
        for days in (10**4, 1826, 730, 365):
            recent = study.counts_before(keys, sets, shifted) - study.counts_before(keys, sets, shifted - days)
            terms += [recent >= 1, recent >= 2, np.log1p(recent)]
    x = np.stack(terms, axis=2).astype(float) + 1e-9 * np.random.default_rng(0).normal(size=(*sets.shape, len(terms)))
    beta, _ = study.conditional_logistic(x)
    rival = concordance(x @ beta)
    ours = concordance(score)
    assert rival.mean() > 0.6
    assert ours.mean() > rival.mean() - 2 * (ours - rival).std() / np.sqrt(len(ours))


def test_rows_keep_their_order_and_repeat(strong):
    register, sets, index, score = strong
    asked = asked_of(register, sets[:20], index[:20])
    asked["note"] = "kept out"
    shuffled = pd.concat([asked, asked]).sample(frac=1, random_state=1)
    found = oracle(register.folder, shuffled, horizon_days=HORIZON, lag_days=LAG)
    assert found.columns.tolist() == ["person_id", "index_date", "log_likelihood_ratio"]
    assert found.index.equals(shuffled.index)
    assert found["person_id"].equals(shuffled["person_id"])
    expected = pd.Series(score[:20].ravel(), index=asked.index)
    assert found["log_likelihood_ratio"].equals(expected[shuffled.index].rename("log_likelihood_ratio"))


def test_there_is_no_answer_outside_observation_or_after_the_diagnosis(strong):
    register, sets, _, _ = strong
    case = sets[0, 0]
    days = [
        register.observed_from[case],
        register.observed_from[case] + 1,
        register.diagnosis[case],
        register.diagnosis[case] + 1,
    ]
    days.append(register.observed_to[case] + 2)
    dates = np.array(days).astype("datetime64[D]").astype("datetime64[s]")
    asked = pd.DataFrame({"person_id": register.person_id[case], "index_date": dates})
    found = oracle(register.folder, asked, horizon_days=10, lag_days=0)["log_likelihood_ratio"].isna()
    assert found.tolist() == [True, False, False, True, True]


def test_what_happens_from_the_index_date_on_does_not_matter(strong, tmp_path):
    """Initiations from the index date on are taken out of the truth; nothing changes."""
    register, sets, index, score = strong
    folder = shutil.copytree(register.folder, tmp_path / "copy")
    path = folder / "truth" / "initiations.parquet"
    table = pq.read_table(path)
    row = register.person_id[sets[0]]
    future = np.isin(table["person_id"].to_numpy(), row) & (table["initiated_on"].cast("int32").to_numpy() >= index[0])
    pq.write_table(table.filter(pa.array(~future)), path)
    asked = asked_of(register, sets[:1], index[:1])
    found = oracle(folder, asked, horizon_days=HORIZON, lag_days=LAG)["log_likelihood_ratio"]
    assert np.array_equal(found, score[0])


def test_bad_questions_are_refused(strong, tmp_path):
    register, sets, index, _ = strong
    asked = asked_of(register, sets[:2], index[:2])
    with pytest.raises(DefinitionError, match="lag_days"):
        oracle(register.folder, asked, horizon_days=365, lag_days=365)
    with pytest.raises(DataError, match="column index_date is missing"):
        oracle(register.folder, asked[["person_id"]], horizon_days=365, lag_days=0)
    unknown = asked.assign(person_id=[-5, *asked["person_id"][1:]])
    with pytest.raises(DataError, match="1 of 12 rows name a person_id") as refusal:
        oracle(register.folder, unknown, horizon_days=365, lag_days=0)
    assert "-5" not in str(refusal.value)
    with pytest.raises(DataError, match="no simulated register"):
        oracle(tmp_path, asked, horizon_days=365, lag_days=0)
