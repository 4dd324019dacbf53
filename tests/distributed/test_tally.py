"""Counts that are added up over parts are those of everybody at once, and an evaluation takes them for people."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow.parquet as pq
import pytest

from prodromal.design import Outcome, draw_landmark_cohort
from prodromal.design.files import write_cohort
from prodromal.distributed import Tally, tally_on_spark
from prodromal.errors import DataError
from prodromal.evaluate import EvaluationData, evaluate
from prodromal.features import build
from prodromal.register.persons import SEXES
from prodromal.risk import load

HORIZON = 1096


@pytest.fixture(scope="module")
def cohort(register):
    question = Outcome("ALS", lag_days=365, horizon_days=HORIZON)
    return draw_landmark_cohort(register, question, on=date(2012, 1, 1))


def columns(frame):
    found = {name: frame[name].to_numpy() for name in ("age_years", "event", "time_days", "weight")}
    return {**found, "sex": np.array([SEXES.index(sex) for sex in frame["sex"]])}


@pytest.fixture(scope="module")
def people():
    """Simulated people with censoring, deaths, weights, and risks over four powers of ten."""
    rng = np.random.default_rng(5)
    n = 4000
    risk = 10 ** rng.uniform(-4, -0.5, n)
    return {
        "age_years": rng.integers(30, 95, n),
        "sex": rng.integers(0, 2, n),
        "event": np.where(rng.random(n) < risk, 1, rng.choice([0, 2], n, p=[0.8, 0.2])),
        "time_days": rng.integers(1, 2000, n).astype(float),
        "weight": rng.choice([0.0, 0.5, 1.0, 7.0], n),
    }, risk


def part(people, rows):
    return {name: values[rows] for name, values in people.items()}


def test_parts_add_up_to_everybody(people):
    columns, risk = people
    whole = Tally.of(columns, risk, horizon_days=HORIZON)
    pieces = [
        Tally.of(part(columns, rows), risk[rows], horizon_days=HORIZON)
        for rows in np.array_split(np.arange(len(risk)), 7)
    ]
    added = Tally.total(pieces)
    for name in ("sex", "age_band", "risk_bin", "event", "time_days", "n"):
        assert added.table.column(name).equals(whole.table.column(name)), name
    for name in ("weight", "expected"):
        found, at_once = (tally.table.column(name).to_numpy() for tally in (added, whole))
        np.testing.assert_allclose(found, at_once, rtol=1e-12, atol=0)
    assert sum(whole.table.column("n").to_pylist()) == (columns["weight"] > 0).sum()
    assert whole.table.num_rows < 0.9 * len(risk)


def evaluated(frame):
    data = EvaluationData.from_frame(frame, horizon_days=HORIZON, lag_days=365)
    return evaluate(data, replicates=0, seed=1)


def test_an_evaluation_of_the_counts_is_that_of_the_people(people):
    columns, risk = people
    found = Tally.of(columns, risk, horizon_days=HORIZON).rows().to_pandas()
    import pandas as pd

    one_by_one = pd.DataFrame({**columns, "risk": risk, "sex": np.array(SEXES)[columns["sex"]]})
    shown = {}
    for name, frame in (("counts", found), ("people", one_by_one)):
        shown[name] = evaluated(frame).tables
    left, right = (shown[name]["calibration_cells"] for name in ("counts", "people"))
    keys = ["sex", "age", "measure", "events"]
    assert left[keys].equals(right[keys])
    assert right["value"].notna().sum() > 12
    np.testing.assert_allclose(left["value"], right["value"], rtol=1e-9, atol=0)
    left, right = (shown[name]["calibration"].set_index("measure")["value"] for name in ("counts", "people"))
    for measure in ("observed_risk", "expected_risk", "observed_over_expected"):
        assert left[measure] == pytest.approx(right[measure], rel=1e-12)
    # Risks within a bin are taken for equal.
    assert left["slope"] == pytest.approx(right["slope"], rel=0.01)


def test_a_wrong_sum_is_seen(people, monkeypatch):
    monkeypatch.setattr(Tally, "total", classmethod(lambda cls, tallies: next(iter(tallies))))
    with pytest.raises(AssertionError):
        test_parts_add_up_to_everybody(people)


@pytest.mark.allow_hosts(["127.0.0.1"])
def test_a_cohort_counted_on_a_cluster(spark, register, bundle, cohort, tmp_path):
    path = tmp_path / "cohort.parquet"
    write_cohort(cohort, path, register=register.fingerprint)
    model = load(bundle)
    found = tally_on_spark(spark, bundle, register, path)
    risks = model.score(build(model.plan, register, cohort.index_dates), register.persons)["risk"].to_numpy()
    expected = Tally.of(columns(cohort.frame), risks, horizon_days=HORIZON)
    assert found.table.num_rows == expected.table.num_rows
    for name in ("sex", "age_band", "risk_bin", "event", "time_days", "n"):
        assert found.table.column(name).equals(expected.table.column(name)), name
    for name in ("weight", "expected"):
        np.testing.assert_allclose(*(t.table.column(name).to_numpy() for t in (found, expected)), rtol=1e-12, atol=0)

    pq.write_table(pq.read_table(path).slice(0, 3).take([2, 1, 0]), tmp_path / "mixed.parquet")
    with pytest.raises(DataError, match="not sorted"):
        tally_on_spark(spark, bundle, register, tmp_path / "mixed.parquet")
