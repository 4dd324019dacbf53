"""Conditional logistic regression, Cox, curves and mixed models agree with R's survival and lme4."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prodromal.association import (
    aalen_johansen,
    compute_proportionality,
    fit_conditional_logistic,
    fit_cox,
    fit_mixed,
    kaplan_meier,
)
from prodromal.association.curves import at_times

DATA = Path(__file__).parent / "data" / "association"
OLDER = Path(__file__).parent / "data"
# Agreement: of coefficients in standard errors, of everything else relative.
TIGHT = 1e-8
MIXED, COMPONENTS = 1e-6, 1e-4


def table(name: str) -> pd.DataFrame:
    for folder in (DATA, OLDER / "clogit", OLDER / "evaluate"):
        if (folder / f"{name}.csv").is_file():
            return pd.read_csv(folder / f"{name}.csv")
    assert name == "matched_ragged"
    dropped = np.array((DATA / "matched_ragged_dropped.txt").read_text().split(), dtype=int)
    return table("matched_1to5").drop(index=dropped).reset_index(drop=True)


def golden(kind: str, dataset: str, model: str, ties: str) -> tuple[pd.DataFrame, pd.Series]:
    rows = [f"{kind}_{part}" for part in ("coef", "fit")]
    found = [f[(f["dataset"] == dataset) & (f["model"] == model) & (f["ties"] == ties)] for f in map(table, rows)]
    return found[0], found[1].iloc[0]


def assert_agrees(fit, coef: pd.DataFrame, whole: pd.Series) -> None:
    """Coefficients, errors, ratios with limits, p values, both likelihoods and the three tests."""
    se = coef["se"].to_numpy()
    assert (np.abs(fit.coefficients - coef["coef"]) / se).max() < TIGHT
    np.testing.assert_allclose(fit.standard_errors, se, rtol=TIGHT)
    rows = fit.table()
    for ours, theirs in (("estimate", "ratio"), ("ci_low", "ratio_lo"), ("ci_high", "ratio_hi")):
        np.testing.assert_allclose(rows[ours], coef[theirs], rtol=1e-7)
    np.testing.assert_allclose(rows["p"], coef["p"], rtol=1e-6)
    np.testing.assert_allclose(fit.log_likelihood, whole["loglik"], rtol=TIGHT)
    np.testing.assert_allclose(fit.log_likelihood_null, whole["loglik_null"], rtol=TIGHT)
    np.testing.assert_allclose(fit.likelihood_ratio.statistic, whole["lr"], rtol=TIGHT)
    assert fit.wald.statistic == pytest.approx(whole["wald"], abs=0.005)  # R prints it with two decimals
    np.testing.assert_allclose(fit.wald.p, whole["wald_p"], rtol=1e-6)
    if not np.isnan(whole["score"]):
        np.testing.assert_allclose(fit.score.statistic, whole["score"], rtol=1e-7)
        np.testing.assert_allclose(fit.score.p, whole["score_p"], rtol=1e-6)


def contrasts(frame: pd.DataFrame, terms: list[str]) -> pd.DataFrame:
    """R's treatment contrasts: ``factor(x)2`` and ``educmid`` are indicators."""
    columns = {}
    for term in terms:
        if term.startswith("factor("):
            name, value = term[7:].split(")")
            columns[term] = (frame[name] == float(value)).astype(float)
        else:
            columns[term] = (frame["educ"] == term[4:]).astype(float) if term.startswith("educ") else frame[term]
    return pd.DataFrame(columns)


CLOGIT = table("clogit_coef").query("ties == 'exact'")[["dataset", "model"]].drop_duplicates().to_numpy().tolist()


@pytest.mark.parametrize(("dataset", "model"), CLOGIT)
def test_conditional_logistic_regression(dataset, model):
    """One case a set, ragged sets, several cases a set (exact)."""
    frame = table(dataset)
    coef, whole = golden("clogit", dataset, model, "exact")
    X = contrasts(frame, coef["term"].tolist())
    assert_agrees(
        fit_conditional_logistic(frame["case"], X, frame["stratum" if dataset == "infert" else "set"]), coef, whole
    )


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_cox_with_strata_is_the_approximate_conditional_likelihood(ties):
    frame = table("matched_m_to_n")
    coef, whole = golden("clogit", "matched_m_to_n", "case~x1+x2", ties)
    fit = fit_cox(np.ones(len(frame)), frame["case"] == 1, frame[["x1", "x2"]], strata=frame["set"], ties=ties).fit
    assert_agrees(fit, coef, whole)


def veteran() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = table("veteran")
    cells = {c: (frame["celltype"] == c).astype(float) for c in ("smallcell", "adeno", "large")}
    rest = ["karno", "diagtime", "age", "prior"]
    return frame, pd.concat([frame["trt"], pd.DataFrame(cells), frame[rest]], axis=1)


def liver() -> tuple[pd.DataFrame, pd.DataFrame]:
    frame = table("pbc").dropna(subset=["protime"])
    logs = {name: np.log(frame[name]) for name in ("bili", "protime", "albumin")}
    return frame, pd.concat([frame[["age", "edema"]], pd.DataFrame(logs)], axis=1)


@pytest.mark.parametrize("ties", ["efron", "breslow"])
@pytest.mark.parametrize("dataset", ["lung", "veteran", "pbc", "heart"])
def test_cox(dataset, ties):
    """Heart has late entries, the others heavy and light ties."""
    model = {
        "lung": "age+sex+ph.ecog",
        "veteran": "trt+C(celltype)+karno+diagtime+age+prior",
        "pbc": "age+edema+log(bili)+log(protime)+log(albumin)",
        "heart": "age+year+surgery+transplant (start,stop]",
    }[dataset]
    if dataset == "lung":
        frame = table("lung").dropna(subset=["ph.ecog"])
        fit = fit_cox(frame["time"], frame["status"] == 2, frame[["age", "sex", "ph.ecog"]], ties=ties)
    elif dataset == "heart":
        frame = table("heart")
        X = frame[["age", "year", "surgery", "transplant"]].astype(float)
        fit = fit_cox(frame["stop"], frame["event"] == 1, X, entry=frame["start"], ties=ties)
    else:
        frame, X = veteran() if dataset == "veteran" else liver()
        fit = fit_cox(frame["time"], frame["status"] == (1 if dataset == "veteran" else 2), X, ties=ties)
    assert_agrees(fit.fit, *golden("cox", dataset, model, ties))


def test_cox_with_strata_and_with_robust_variance():
    frame = table("lung")
    died, X = frame["status"] == 2, frame[["age", "sex"]]
    strata = frame["inst"].fillna(-1) if frame["inst"].isna().sum() == 0 else frame["inst"]
    kept = strata.notna()
    by_strata = fit_cox(frame["time"][kept], died[kept], X[kept], strata=strata[kept])
    assert_agrees(by_strata.fit, *golden("cox", "lung", "age+sex+strata(inst)", "efron"))
    robust = fit_cox(frame["time"][kept], died[kept], X[kept], cluster=strata[kept]).fit
    coef, _ = golden("cox", "lung", "age+sex+cluster(inst) robust", "efron")
    np.testing.assert_allclose(robust.standard_errors, coef["se"], rtol=TIGHT)
    vets = table("veteran")
    each = fit_cox(vets["time"], vets["status"] == 1, vets[["trt", "karno"]], cluster=np.arange(len(vets))).fit
    coef, _ = golden("cox", "veteran", "trt+karno robust per row", "efron")
    np.testing.assert_allclose(each.standard_errors, coef["se"], rtol=TIGHT)


@pytest.mark.parametrize("transform", ["km", "rank", "identity"])
def test_proportionality(transform):
    frame, X = veteran()
    found = compute_proportionality(fit_cox(frame["time"], frame["status"] == 1, X), transform)
    expected = table("cox_zph").query("transform == @transform")
    np.testing.assert_allclose(found["chi_squared"], expected["chisq"], rtol=TIGHT)
    np.testing.assert_allclose(found["p"], expected["p"], rtol=1e-6)
    assert found["df"].tolist() == expected["df"].tolist()


@pytest.mark.parametrize("sex", [1, 2])
@pytest.mark.parametrize(("limits", "suffix"), [("log", "log"), ("log-log", "loglog")])
def test_kaplan_meier(sex, limits, suffix):
    frame = table("lung").query("sex == @sex")
    expected = table("km_lung_by_sex").query("strata == @label", local_dict={"label": f"sex={sex}"})
    found = at_times(kaplan_meier(frame["time"], frame["status"] == 2, limits=limits), expected["time"])
    for ours, theirs in (("survival", "surv"), ("se", "se"), ("ci_low", f"lo_{suffix}"), ("ci_high", f"hi_{suffix}")):
        np.testing.assert_allclose(found[ours], expected[theirs], rtol=TIGHT)


@pytest.mark.parametrize("sex", ["F", "M"])
def test_aalen_johansen(sex):
    frame = table("mgus2").query("sex == @sex")
    ill = frame["pstat"] == 1
    curve = aalen_johansen(np.where(ill, frame["ptime"], frame["futime"]), np.where(ill, 1, 2 * frame["death"]))
    expected = table("aalen_johansen_mgus2").query("strata == @label", local_dict={"label": f"sex={sex}"})
    for cause, name in ((1, "pcm"), (2, "death")):
        found = at_times(curve[curve["cause"] == cause], expected["time"])
        np.testing.assert_allclose(found["probability"], expected[f"cif_{name}"], rtol=TIGHT)
        np.testing.assert_allclose(found["se"], expected[f"se_{name}"], rtol=TIGHT)


LMM = table("lmm_fit")[["dataset", "model", "reml"]].to_numpy().tolist()


@pytest.mark.parametrize(("dataset", "model", "reml"), LMM)
def test_mixed_model(dataset, model, reml):
    frame = table(dataset)
    chosen = {"dataset": dataset, "model": model, "reml": reml}
    picked = "dataset == @d['dataset'] and model == @d['model'] and reml == @d['reml']"
    fixed, components, whole = (
        table(f"lmm_{part}").query(picked, local_dict={"d": chosen}) for part in ("fixef", "varcomp", "fit")
    )
    time = frame["Days" if dataset == "sleepstudy" else "months"]
    columns = {"(Intercept)": 1.0 + 0 * time, "months:exposed": time * frame.get("exposed", 0)}
    X = pd.DataFrame({term: columns.get(term, frame.get(term)) for term in fixed["term"]})
    fit = fit_mixed(
        frame["Reaction" if dataset == "sleepstudy" else "alsfrs_r"],
        X,
        frame["Subject" if dataset == "sleepstudy" else "id"],
        None if "(1|" in model else np.column_stack([np.ones(len(time)), time]),
        reml=bool(reml),
        correlated="||" not in model,
    )
    assert (np.abs(fit.coefficients - fixed["est"]) / fixed["se"]).max() < MIXED
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), fixed["se"], rtol=1e-5)
    np.testing.assert_allclose(fit.log_likelihood, whole["loglik"].iloc[0], rtol=TIGHT)
    q = len(fit.random)
    ours = [*np.diag(fit.random), *([fit.random[0, 1]] if q == 2 and "||" not in model else []), fit.residual]
    np.testing.assert_allclose(ours, components["vcov"], rtol=COMPONENTS)
    assert not fit.note
