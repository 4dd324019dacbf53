"""Numbers computed in R (pROC, rms, survival) on the same data: agreement in digits.

The inputs and R's answers stand beside this file; `data/evaluate` is read, never written. Each check is a function, so
that `tests/sabotage` can show that it fails when the code is broken.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prodromal.evaluate import (
    EvaluationData,
    Link,
    Smoother,
    auroc,
    average_precision,
    calibration_fit,
    classic_deviation,
    compute_calibration,
    compute_cells,
    compute_deciles,
    compute_discrimination,
    delong,
    net_benefit,
)
from prodromal.evaluate.resample import Population, estimate
from prodromal.evaluate.splines import restricted_cubic_spline
from prodromal.evaluate.tables import flags_at

DATA = Path(__file__).parent / "data" / "evaluate"
GOLD = json.loads((DATA / "prediction.json").read_text())
PEOPLE = pd.read_csv(DATA / "pred_5000.csv")
MODELS = {"a": "p_a", "b": "p_b", "tied": "p_tied"}


def same(found, wanted, digits=9):
    """Agree to so many digits, relative to 1 or to the wanted number where that is larger."""
    found, wanted = np.asarray(found, dtype=float), np.asarray(wanted, dtype=float)
    off = np.abs(found - wanted) / np.maximum(np.abs(wanted), 1e-3)
    assert np.isfinite(found).all()
    assert off.max() < 10.0**-digits, f"agreement to {-np.log10(off.max()):.1f} digits, {digits} asked"


def frame_of(column, **more):
    data = {"risk": PEOPLE[column], "event": PEOPLE["y"], "time_days": np.where(PEOPLE["y"] == 1, 50, 100)}
    return pd.DataFrame(data | more)


def data_of(column, **more):
    return EvaluationData.from_frame(frame_of(column, **more), horizon_days=100, lag_days=0)


def value(frame, **keys):
    rows = frame
    for name, wanted in keys.items():
        rows = rows[rows[name] == wanted]
    assert len(rows) == 1
    return float(rows["value"].iloc[0])


def check_ranking(model):
    y, p, gold = PEOPLE["y"], PEOPLE[MODELS[model]], GOLD[model]
    areas, covariance = delong(y, p)
    half = 1.959963984540054 * np.sqrt(covariance[0, 0])
    same(auroc(y, p), gold["auc"], 12)
    same([areas[0], covariance[0, 0]], [gold["auc"], gold["auc_var_delong"]], 12)
    same([areas[0] - half, areas[0] + half], [gold["auc_lo"], gold["auc_hi"]], 12)
    same(average_precision(y, p), GOLD["average_precision"][model], 12)
    table = compute_discrimination(data_of(MODELS[model]), replicates=0, seed=1)
    for measure, name in (("auroc", "auc"), ("brier", "brier"), ("scaled_brier", "scaled_brier")):
        same(value(table, measure=measure), gold[name], 12)


def check_calibration(model):
    y, p, gold = PEOPLE["y"], PEOPLE[MODELS[model]], GOLD[model]
    fitted = calibration_fit(y, p, link=Link.LOGIT)
    same(
        [fitted.in_the_large, fitted.intercept, fitted.slope],
        [gold[k] for k in ("citl", "cal_intercept_joint", "cal_slope")],
        10,
    )
    errors = [gold[k] for k in ("citl_se", "cal_intercept_joint_se", "cal_slope_se")]
    # R reports the standard errors of the step before its last one: equal to 7 digits, not more.
    same([fitted.in_the_large_se, fitted.intercept_se, fitted.slope_se], errors, 6)
    table = compute_calibration(data_of(MODELS[model]), replicates=0, seed=1, link=Link.LOGIT)
    same(value(table, measure="observed_over_expected"), gold["oe_ratio"], 12)
    same(value(table, measure="slope"), gold["cal_slope"], 10)
    same(value(table, measure="in_the_large"), gold["citl"], 10)


def check_decision_curve(model):
    gold = pd.read_csv(DATA / "decision_curve.csv").query("model == @MODELS[@model]")
    same(net_benefit(PEOPLE["y"], PEOPLE[MODELS[model]], gold["threshold"]), gold["net_benefit"], 12)


def check_flags(model):
    gold = pd.read_csv(DATA / "confusion_ci.csv").query("model == @MODELS[@model]")
    thresholds = sorted(gold["threshold"].unique())
    population = Population.of(data_of(MODELS[model]))
    table = estimate(population, flags_at(population, thresholds), replicates=0, seed=1)
    for name, measure in (("sens", "sensitivity"), ("spec", "specificity"), ("ppv", "ppv")):
        wanted = gold[gold["measure"] == name].sort_values("threshold")["est"]
        same(table[table["measure"] == measure].sort_values("threshold")["value"], wanted, 12)


def check_deciles(model):
    table = compute_deciles(data_of(MODELS[model]), replicates=0, seed=1)
    gold = pd.DataFrame(GOLD[model]["deciles"])
    same(table[table["measure"] == "observed_risk"]["value"], gold["observed"], 12)
    same(table[table["measure"] == "expected_risk"]["value"], gold["predicted"], 12)
    assert table[table["measure"] == "observed_risk"]["n"].tolist() == gold["n"].tolist()


def monoclonal(horizon):
    """mgus2: progression is the outcome, death competes; months are taken as days."""
    people = pd.read_csv(DATA / "mgus2.csv")
    first = np.where(people["pstat"] == 0, people["futime"], people["ptime"])
    event = np.where(people["pstat"] == 1, 1, 2 * people["death"])
    frame = pd.DataFrame({"risk": 0.1, "event": event, "time_days": first, "sex": people["sex"], "age_years": 60})
    return EvaluationData.from_frame(frame, horizon_days=horizon, lag_days=0)


def check_aalen_johansen():
    gold = pd.read_csv(DATA / "aalen_johansen_mgus2.csv")
    for horizon in (60, 120, 240):
        table = compute_cells(monoclonal(horizon), replicates=0, seed=1, age_edges=(0,))
        found = table[table["measure"] == "observed_risk"].set_index("sex")["value"]
        wanted = gold[gold["time"] == horizon].set_index("strata")["cif_pcm"]
        same([found["F"], found["M"]], [wanted["sex=F"], wanted["sex=M"]], 10)


@pytest.mark.parametrize("model", MODELS)
def test_auc_delong_average_precision_and_brier(model):
    check_ranking(model)


@pytest.mark.parametrize("model", MODELS)
def test_intercept_slope_and_observed_over_expected(model):
    check_calibration(model)


@pytest.mark.parametrize("model", MODELS)
def test_net_benefit(model):
    check_decision_curve(model)


@pytest.mark.parametrize("model", MODELS)
def test_sensitivity_specificity_and_predictive_value(model):
    check_flags(model)


@pytest.mark.parametrize("model", ["a", "b"])
def test_deciles(model):
    check_deciles(model)


def test_aalen_johansen_with_competing_death():
    check_aalen_johansen()


def test_paired_delong():
    gold = GOLD["paired_delong_a_vs_b"]
    areas, covariance = delong(PEOPLE["y"], PEOPLE["p_a"], PEOPLE["p_b"])
    se = np.sqrt(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    same([covariance[0, 1], (areas[0] - areas[1]) / se], [gold["cov"], gold["z"]], 10)
    half = 1.959963984540054 * se
    same([areas[0] - areas[1] - half, areas[0] - areas[1] + half], [gold["diff_lo"], gold["diff_hi"]], 10)


@pytest.mark.parametrize("model", MODELS)
def test_lowess_deviations_of_val_prob(model):
    gold = GOLD[model]
    found = classic_deviation(PEOPLE["y"], PEOPLE[MODELS[model]])
    same(found[:3], [gold[f"lowess_{k}"] for k in ("ici", "e50", "e90")], 6)
    same(found[3], gold["lowess_emax"], 8)
    same(found[0], gold["valprob"]["Eavg"], 6)


def test_loess_deviations_computed_directly():
    found = classic_deviation(PEOPLE["y"], PEOPLE["p_tied"], Smoother.LOESS)
    same(found, [GOLD["tied"][f"loess_direct_{k}"] for k in ("ici", "e50", "e90", "emax")], 6)


def test_restricted_cubic_spline_basis():
    gold = pd.read_csv(DATA / "rcs_basis_5knots.csv")
    same(restricted_cubic_spline(gold["x"], [45, 58, 66, 72, 84]), gold.drop(columns="x"), 10)


@pytest.mark.shared
def test_rare_outcome(shared):
    people = pd.read_csv(shared / "oracles" / "data" / "pred_rare_40000.csv")
    gold = GOLD["rare"]
    fitted = calibration_fit(people["y"], people["p"], link=Link.LOGIT)
    same([fitted.in_the_large, fitted.slope], [gold["citl"], gold["cal_slope"]], 9)
    same(
        [auroc(people["y"], people["p"]), average_precision(people["y"], people["p"])],
        [gold["auc"], GOLD["average_precision"]["rare"]],
        10,
    )
    frame = pd.DataFrame({"risk": people["p"], "event": people["y"], "time_days": np.where(people["y"] == 1, 50, 100)})
    data = EvaluationData.from_frame(frame, horizon_days=100, lag_days=0)
    table = compute_calibration(data, replicates=0, seed=1, link=Link.LOGIT)
    # 40,000 rows are gathered in 4,096 cells: second-order error, far below 1e-6.
    same(value(table, measure="slope"), gold["cal_slope"], 6)
    same(value(table, measure="observed_over_expected"), gold["oe_ratio"], 10)
