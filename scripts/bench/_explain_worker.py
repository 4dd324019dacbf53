"""One timed method in a process of its own; prints its CPU seconds. Arguments: METHOD FOLDER DEPTH ROWS."""

# ruff: noqa: E402, PD011  (threads are set before numpy loads; values are not those of pandas)
from __future__ import annotations

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ[name] = "1"

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

N_FEATURES = 300

Explain = Callable[[], Any]


def main() -> None:
    method, folder, (depth, rows, *more) = sys.argv[1], Path(sys.argv[2]), map(int, sys.argv[3:])
    if method == "make":
        make(folder, depth, rows, *more)
        print(0.0)
        return
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    matrix = np.load(folder / "matrix.npy")[:rows]
    booster = xgboost.Booster(model_file=folder / f"depth{depth}.json")
    booster.set_param({"nthread": 1})
    booster.inplace_predict(matrix[:10])
    explain = METHODS[method](booster, matrix)
    start = time.process_time()
    values = explain()
    print(time.process_time() - start)
    np.save(folder / f"{method}.npy", np.asarray(values)[:20_000])


def prodromal(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
    import joblib  # noqa: F401
    import numba  # noqa: F401

    def explain() -> np.ndarray:
        from prodromal.explain.treeshap import contributions

        return contributions(booster, matrix).values

    return explain


def prodromal_equal_rows_once(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
    import joblib  # noqa: F401
    import numba  # noqa: F401

    def explain() -> np.ndarray:
        from prodromal.explain.treeshap import TreeShap

        return TreeShap.of(booster).contributions(matrix, equal_rows_once=True).values

    return explain


def prodromal_second_part(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
    """Time the second of two parts of a register: kernels loaded, model tabulated, margins known from scoring."""
    from prodromal.explain.treeshap import TreeShap

    prepared = TreeShap.of(booster)
    margins = booster.inplace_predict(matrix, predict_type="margin")
    prepared.contributions(matrix, margins=margins)
    return lambda: prepared.contributions(matrix, margins=margins).values


def pred_contribs(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
    return lambda: booster.predict(xgboost.DMatrix(matrix, nthread=1), pred_contribs=True)[:, :-1]


def shap(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
    from shap import TreeExplainer

    return lambda: TreeExplainer(booster, feature_perturbation="tree_path_dependent").shap_values(matrix)


def shap_own_loops(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
    from shap import TreeExplainer

    def explain() -> np.ndarray:
        explainer = TreeExplainer(booster, feature_perturbation="tree_path_dependent")
        explainer.model.model_type = "internal"  # shap hands this model back to its library otherwise
        return explainer.shap_values(matrix, check_additivity=False)

    return explain


def woodelf(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
    import pandas as pd
    from woodelf import WoodelfExplainer

    frame = pd.DataFrame(matrix, columns=[f"f{i}" for i in range(matrix.shape[1])])
    return lambda: WoodelfExplainer(booster).shap_values(frame)


def fasttreeshap(algorithm: str) -> Callable[[xgboost.Booster, np.ndarray], Explain]:
    def method(booster: xgboost.Booster, matrix: np.ndarray) -> Explain:
        from fasttreeshap_fixed import TreeExplainer

        options = {"algorithm": algorithm, "n_jobs": 1, "feature_perturbation": "tree_path_dependent"}
        return lambda: TreeExplainer(booster, **options).shap_values(matrix, check_additivity=False)

    return method


def make(folder: Path, depth: int, training_rows: int, rows: int, trees: int) -> None:
    """Zero-inflated counts, sums and days, as windowed medication features are, and a model of one depth."""
    rng = np.random.default_rng(7)
    matrix = np.zeros((rows, N_FEATURES), np.float32)
    kinds = (
        lambda n: rng.poisson(3, n) + 1,
        lambda n: rng.gamma(1.2, 30.0, n),
        lambda n: rng.integers(1, 1825, n),
    )
    for feature in range(N_FEATURES):
        used = np.flatnonzero(rng.random(rows) < rng.uniform(0.02, 0.5))
        matrix[used, feature] = kinds[feature % 3](len(used))
    weight = rng.normal(0, 0.5, N_FEATURES) * (rng.random(N_FEATURES) < 0.15)
    signal = np.log1p(matrix) @ weight
    signal = (signal - signal.mean()) / signal.std() + 0.5 * ((matrix[:, 0] > 0) & (matrix[:, 5] > 100))
    label = rng.random(rows) < 1 / (1 + np.exp(2.5 - signal))
    parameters = {"objective": "binary:logistic", "eta": 0.05, "subsample": 0.8, "colsample_bytree": 0.5, "seed": 1}
    data = xgboost.DMatrix(matrix[:training_rows], label[:training_rows])
    booster = xgboost.train({**parameters, "max_depth": depth}, data, trees)
    booster.save_model(folder / f"depth{depth}.json")
    np.save(folder / "matrix.npy", matrix)


METHODS = {
    "prodromal": prodromal,
    "prodromal_equal_rows_once": prodromal_equal_rows_once,
    "prodromal_second_part": prodromal_second_part,
    "pred_contribs": pred_contribs,
    "shap": shap,
    "shap_own_loops": shap_own_loops,
    "woodelf": woodelf,
    "fasttreeshap_v1": fasttreeshap("v1"),
    "fasttreeshap_v2": fasttreeshap("v2"),
}

if __name__ == "__main__":
    main()
