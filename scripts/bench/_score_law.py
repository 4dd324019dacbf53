"""The model of the score benchmark: the common features, age and sex; 400 trees of depth 5, as the peers explain."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import xgboost
from _features_law import GROUPS, WINDOWS

from prodromal.atc import AtcGroup
from prodromal.design import Outcome
from prodromal.features import FeaturePlan, build
from prodromal.register import Register
from prodromal.risk import Population, RiskModel, save
from prodromal.risk.normaliser import Normaliser
from prodromal.trees import StoredTrees
from prodromal.windows import Window

EVER = 20_000
DAY = date(2018, 1, 1)


def plan() -> FeaturePlan:
    """One observed day is enough: the peers count what is there."""
    groups = tuple(AtcGroup(name, name, (name,), name, allow_leaky=True) for name in GROUPS)
    windows = tuple(Window(1, (days or EVER) + 1) for days in WINDOWS)
    return FeaturePlan(
        "job", groups, windows, ("count", "ddd"), ("days_since_last",), ("age_years", "sex"), min_coverage=1e-9
    )


def make_model(folder: Path, register_folder: Path, people: int) -> None:
    """Train on made-up outcomes that depend on age and on use of a few groups; write a bundle, unless it is there."""
    if (folder / "bundle.json").exists():
        return
    register = Register.open(register_folder)
    asked = register.frame("persons")[["person_id"]].head(people).assign(index_date=np.datetime64(DAY))
    matrix = build(plan(), register, asked)
    used = np.nan_to_num(matrix.values[:, [matrix.plan.names.index(f"{g}.count.0-1825d") for g in GROUPS]])
    log_odds = -3 + 0.02 * (matrix.values[:, 0] - 60) + 0.1 * np.minimum(used, 5) @ np.linspace(1, -0.5, len(GROUPS))
    rng = np.random.default_rng(1)
    outcome = rng.random(len(matrix)) < 1 / (1 + np.exp(-log_odds))
    parameters = {"max_depth": 5, "eta": 0.05, "min_child_weight": 5, "objective": "binary:logistic", "nthread": 1}
    booster = xgboost.train(parameters, xgboost.DMatrix(matrix.values, outcome), 400)
    model = RiskModel(
        matrix.plan,
        StoredTrees.of(booster),
        1.0,
        Normaliser(np.zeros((2, 120))),
        Population.sweden_like(),
        Outcome("ALS"),
        np.linspace(-3, 3, 1001),
        {"warning": "Trained on made-up outcomes, for timing.", "age_range": [0, 119]},
    )
    save(model, folder)
