"""Conditional logistic regression agrees with R's ``survival::clogit`` on R's own numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from prodromal.errors import NotEstimable
from prodromal.risk.conditional import fit_conditional
from prodromal.risk.sets import MatchedSets

DATA = Path(__file__).parent / "data" / "clogit"
GOLDEN = pd.read_csv(DATA / "clogit_coef.csv")
FITS = pd.read_csv(DATA / "clogit_fit.csv")
# Digits of agreement, in units of the standard error.
PLACES = 8


def sets_of(frame: pd.DataFrame, strata: str) -> MatchedSets:
    keyed = frame.assign(set_id=frame[strata], person_id=np.arange(len(frame)), index_date=0, case=frame["case"] == 1)
    return MatchedSets.of(keyed)


def design(frame: pd.DataFrame, terms: list[str]) -> np.ndarray:
    """R's treatment contrasts: ``factor(x)2`` and ``educmid`` are indicators."""
    columns = []
    for term in terms:
        if term.startswith("factor("):
            name, value = term[7:].split(")")
            columns.append(frame[name] == float(value))
        elif term.startswith("educ"):
            columns.append(frame["educ"] == term[4:])
        else:
            columns.append(frame[term])
    return np.column_stack(columns).astype(float)


@pytest.mark.parametrize(("dataset", "model"), sorted({(r.dataset, r.model) for r in GOLDEN.itertuples()}))
def test_coefficients_errors_and_likelihood_are_those_of_r(dataset, model):
    frame = pd.read_csv(DATA / f"{dataset}.csv")
    golden = GOLDEN[(GOLDEN["dataset"] == dataset) & (GOLDEN["model"] == model)]
    sets = sets_of(frame, "stratum" if dataset == "infert" else "set")
    fit = fit_conditional(design(frame, list(golden["term"]))[sets.order], sets)
    se = golden["se"].to_numpy()
    assert np.abs((fit.coefficients - golden["coef"]) / se).max() < 10**-PLACES
    np.testing.assert_allclose(fit.standard_errors, se, rtol=10**-PLACES)
    row = FITS[(FITS["dataset"] == dataset) & (FITS["model"] == model)].iloc[0]
    np.testing.assert_allclose(fit.log_likelihood, row["loglik"], rtol=10**-PLACES)
    np.testing.assert_allclose(sets.log_likelihood(np.zeros(len(frame))), row["loglik_null"], rtol=10**-PLACES)


def test_separation_is_said_not_estimated():
    frame = pd.read_csv(DATA / "matched_separated.csv")
    sets = sets_of(frame, "set")
    with pytest.raises(NotEstimable, match="separates"):
        fit_conditional(frame[["x"]].to_numpy(float)[sets.order], sets)


def test_a_column_that_does_not_vary_within_sets_is_said():
    frame = pd.read_csv(DATA / "infert.csv")
    sets = sets_of(frame, "stratum")
    with pytest.raises(NotEstimable, match="does not vary"):
        fit_conditional(np.ones((len(frame), 1)), sets)
