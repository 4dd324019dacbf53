"""OMOP deliveries made by strangers are ingested with an account that adds up; a stranger's question is answered."""

from __future__ import annotations

import csv
from datetime import date

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from prodromal.design import Outcome, draw_landmark_sets
from prodromal.features import FeaturePlan, build
from prodromal.register import Register
from prodromal.risk import Population, SearchSpace, train
from prodromal.sources.omop.doses import read_doses
from tests.writers.omop_small import ingested

pytestmark = pytest.mark.shared

# Gastrointestinal haemorrhage; in these data it follows a coxib or diclofenac within weeks.
BLEED = "bleed=192671"
PLAN = """
name = "gut"
windows = ["0-90d", "90-365d", "1-5y"]
measures = ["count"]
since = []
person = ["age_years", "sex"]
[[groups]]
name = "coxibs"
label = "coxibs"
atc = ["M01AH"]
[[groups]]
name = "nsaids"
label = "acetic acid derivatives"
atc = ["M01AB"]
[[groups]]
name = "antibiotics"
label = "antibacterials"
atc = ["J01"]
"""


@pytest.fixture(scope="module")
def gibleed(tmp_path_factory):
    from tests.conftest import SHARED

    if not SHARED.is_dir():
        pytest.skip("no folder 'shared' beside the repository")
    output = tmp_path_factory.mktemp("gibleed") / "register"
    return ingested(SHARED / "data" / "gibleed_omop", output, BLEED, mapping=mappings(SHARED), max_rejected=0.01)


def mappings(shared):
    return [shared / "data" / "rxcui_to_atc" / f"{name}.csv" for name in ("rxcui_to_atc", "ingredient_to_atc")]


def adds_up(account):
    lost = account.duplicate + sum(account.rejected.values()) + sum(account.left_out.values())
    return account.read + account.expanded == account.kept + lost


def test_every_row_of_gibleed_is_accounted_for(shared, gibleed):
    done, told = gibleed
    folder = shared / "data" / "gibleed_omop"
    for table, file in (("persons", "person"), ("dispensings", "drug_exposure")):
        assert done.accounts[table].read == pq.read_metadata(folder / f"{file}.parquet").num_rows
        assert adds_up(done.accounts[table])
    periods = told["observation"]["observation_periods"]
    assert (periods["read"], periods["in_the_observation"], periods["of_unknown_people"]) == (5343, 2694, 2649)
    assert done.accounts["outcomes"].kept == told["outcomes"][0]["people"] == 479


def test_the_codes_of_gibleed_are_those_of_an_independent_count(shared, gibleed):
    """Joined the plain way: a row is coded if its concept's RxNorm code is in one of the mapping files."""
    folder, (done, told) = shared / "data" / "gibleed_omop", gibleed
    products, ingredients = mappings(shared)
    ((coded,),) = duckdb.sql(
        f"""SELECT count(*) FROM '{folder}/drug_exposure.parquet' e
        JOIN '{folder}/concept.parquet' c ON c.concept_id = e.drug_concept_id AND c.vocabulary_id = 'RxNorm'
        WHERE c.concept_code IN (SELECT CAST(rxcui AS VARCHAR) FROM '{products}')
           OR c.concept_code IN (SELECT CAST(in_rxcui AS VARCHAR) FROM '{ingredients}')"""
    ).fetchall()
    account = done.accounts["dispensings"]
    assert account.read - account.left_out["unmapped_code"] == coded == told["codes"]["ways"][0]["exposures"]
    assert told["codes"]["unmapped"]["top"][0]["name"] == "poliovirus vaccine, inactivated"
    assert any("Clavulanate" in drug["name"] for drug in told["codes"]["combinations"]["top"])


def test_a_strangers_question_is_answered(gibleed):
    """Who bleeds within two months? Nothing in the tool is bound to ALS."""
    register = Register.open(gibleed[0].folder)
    sets = draw_landmark_sets(register, Outcome("bleed", lag_days=0, horizon_days=60, min_history_days=365), seed=1)
    matrix = build(FeaturePlan.parse(PLAN), register, sets.index_dates)
    people = register.persons
    rate = 479 / float((people.observed_to - people.observed_from).sum() / 365.25)
    population = Population("all of them", np.full((2, 120), rate), np.full((2, 120), 1e-4))
    model = train(
        matrix,
        sets,
        population=population,
        seed=1,
        search=SearchSpace(
            max_depth=(2,), min_cases_per_leaf=(10.0,), features_per_tree=(1.0,), trials=1, max_rounds=80
        ),
    )
    assert model.training["sets"] > 450
    concordance = {row["model"]: row["c_within_sets"] for row in model.training["out_of_fold"]}
    assert concordance["boosted trees"] > 0.8
    risks = model.score(matrix, people)
    cases = sets.frame["case"].to_numpy()
    assert np.isfinite(risks["risk"]).all()
    assert risks["risk"][cases].mean() > 3 * risks["risk"][~cases].mean()


def test_synthea_in_csv(shared, tmp_path):
    folder = shared / "data" / "synthea27nj_omop"
    done, told = ingested(folder, tmp_path / "r", "hypertension=320128", mapping=mappings(shared))
    for table, file in (("persons", "person"), ("dispensings", "drug_exposure")):
        with (folder / f"{file}.csv").open(encoding="utf-8") as stream:
            assert done.accounts[table].read == sum(1 for _ in csv.reader(stream)) - 1
        assert adds_up(done.accounts[table])
    with (folder / "condition_occurrence.csv").open(encoding="utf-8") as stream:
        wanted = [row for row in csv.DictReader(stream) if row["condition_concept_id"] == "320128"]
    assert done.accounts["outcomes"].read == len(wanted) > 0
    assert told["observation"]["deaths"]["of_people"] == 3
    assert told["codes"]["vocabulary_tables_missing"] == ["concept_ancestor"]
    assert date(1900, 1, 1) < Register.open(tmp_path / "r").frame("persons")["birth_date"].min().date()


def test_whos_table_of_doses(shared):
    doses = read_doses(shared / "data" / "atc_ddd_index" / "WHO_ATC-DDD_2026-04-25.csv")
    assert (doses["N05BA01"], doses["N06AB08"], doses["N06AB06"]) == (10.0, 100.0, 50.0)
    assert len(doses) > 1500
    assert "A10AB01" not in doses  # insulin is counted in units
