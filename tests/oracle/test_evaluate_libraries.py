"""scikit-learn and statsmodels agree wherever their definitions coincide with ours, weights included."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from prodromal.evaluate import EvaluationData, Link, auroc, average_precision, compute_discrimination
from prodromal.evaluate.glm import fit
from tests.oracle.test_evaluate_goldens import same, value


@pytest.fixture(params=[3, 40])
def weighted(request):
    """Scores with few or many distinct values, weights of any size."""
    rng = np.random.default_rng(request.param)
    y = rng.random(800) < 0.2
    score = np.round(np.clip(rng.normal(y, 1.5), -3, 4) * request.param) / request.param
    return y, score, rng.gamma(1.0, 30.0, 800)


def test_ranking_with_weights(weighted):
    y, score, w = weighted
    same(auroc(y, score, w), roc_auc_score(y, score, sample_weight=w), 12)
    same(average_precision(y, score, w), average_precision_score(y, score, sample_weight=w), 12)


def test_brier_with_weights(weighted):
    y, score, w = weighted
    risk = 1 / (1 + np.exp(-score))
    frame = pd.DataFrame({"risk": risk, "event": y.astype(int), "time_days": np.where(y, 3, 10), "weight": w})
    data = EvaluationData.from_frame(frame, horizon_days=10, lag_days=0)
    table = compute_discrimination(data, replicates=0, seed=1)
    same(value(table, measure="brier"), brier_score_loss(y, risk, sample_weight=w), 12)


@pytest.mark.parametrize("link", Link)
def test_weighted_binomial_regression(weighted, link):
    import statsmodels.api as sm

    y, score, w = weighted
    links = {Link.CLOGLOG: sm.families.links.CLogLog(), Link.LOGIT: sm.families.links.Logit()}
    design = np.column_stack([np.ones(len(y)), score, score**2])
    ours = fit(design, y * w, w, link=link, offset=0.1 * score)
    family = sm.families.Binomial(links[link])
    theirs = sm.GLM(y.astype(float), design, family, freq_weights=w, offset=0.1 * score).fit(tol=1e-14, maxiter=200)
    errors = np.sqrt(np.diag(theirs.cov_params()))
    assert np.abs((ours.coefficients - theirs.params) / errors).max() < 1e-6, "in units of the standard error"
    same(np.sqrt(np.diag(ours.covariance)), errors, 5)
