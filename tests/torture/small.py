"""A register of a few parts and a model, without an ingest and without training: made in a second."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import xgboost

from prodromal.design import Outcome
from prodromal.features import FeaturePlan, build
from prodromal.files import sha256
from prodromal.register import Register
from prodromal.risk import Population, RiskModel, save
from prodromal.risk.normaliser import Normaliser
from prodromal.sources import Source, TableSource, ingest
from prodromal.trees import StoredTrees

__all__ = ["DAY", "deliver", "hashes", "make_bundle", "make_register"]

DAY = int(np.datetime64("2018-01-01").astype(int))
_FIRST = np.datetime64("2010-01-01")
_CODES = np.array(["N05BA01", "N05CF01", "N06AB04", "N06AX11", "N05AH04", "A02BC01", "C10AA01", "N02BE01"])


def deliver(folder: Path, *, persons: int = 400, rows_per_person: int = 25, seed: int = 1, order: int = 0) -> None:
    """Persons and dispensings as CSV; `order` permutes the rows and nothing else."""
    rng = np.random.default_rng(seed)
    last, death = np.datetime64("2020-12-31"), np.datetime64("2016-06-01")
    dead = rng.random(persons) < 0.1
    ids = 1_000 + 7 * np.arange(persons)
    who = rng.integers(0, persons, persons * rows_per_person)
    people = pd.DataFrame(
        {
            "person_id": ids,
            "sex": rng.choice(["M", "F"], persons),
            "birth_date": np.datetime64("1930-01-01") + rng.integers(0, 50 * 365, persons).astype("timedelta64[D]"),
            "observed_from": _FIRST,
            "observed_to": last,
            "death_date": np.where(dead, death, np.datetime64("NaT", "D")),
        }
    )
    days = (np.where(dead, death, last)[who] - _FIRST).astype(int)
    dispensings = pd.DataFrame(
        {
            "person_id": ids[who],
            "dispensed_on": _FIRST + (rng.random(len(who)) * days).astype("timedelta64[D]"),
            "atc": rng.choice(_CODES, len(who)),
            "ddd": np.round(rng.gamma(2, 20, len(who)), 1),
        }
    )
    shuffled = np.random.default_rng(order).permutation if order else np.arange
    folder.mkdir(parents=True, exist_ok=True)
    for name, frame in (("persons", people), ("dispensings", dispensings)):
        frame.iloc[shuffled(len(frame))].to_csv(folder / f"{name}.csv", index=False, date_format="%Y-%m-%d")


def make_register(delivery: Path, folder: Path, *, rows_per_part: int = 2_500) -> Register:
    """Ingest a delivery."""
    tables = tuple(TableSource(name, (delivery / f"{name}.csv",)) for name in ("persons", "dispensings"))
    ingest(Source(tables, extracted_on=date(2021, 1, 1)), folder, rows_per_part=rows_per_part)
    return Register.open(folder)


def make_bundle(register: Register, folder: Path) -> Path:
    """A model of made-up outcomes."""
    plan = FeaturePlan.psychiatric()
    asked = register.frame("persons")[["person_id"]].assign(index_date=np.datetime64("2015-01-01"))
    matrix = build(plan, register, asked)
    outcome = np.random.default_rng(1).random(len(matrix)) < 0.5
    parameters = {"max_depth": 3, "eta": 0.3, "objective": "reg:squarederror", "nthread": 1}
    booster = xgboost.train(parameters, xgboost.DMatrix(matrix.values, outcome.astype(float)), 20)
    model = RiskModel(
        plan,
        StoredTrees.of(booster),
        0.8,
        Normaliser(np.zeros((2, 120))),
        Population.sweden_like(),
        Outcome("ALS"),
        np.linspace(-1, 1, 1001),
        {"age_range": [30, 90]},
    )
    save(model, folder)
    return folder


def hashes(folder: Path) -> dict[str, str]:
    """SHA-256 of every file of a folder, by its place."""
    return {str(file.relative_to(folder)): sha256(file) for file in folder.rglob("*") if file.is_file()}
