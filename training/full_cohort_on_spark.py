"""Trees on everybody: a landmark cohort whose features stay on the cluster, fitted there by xgboost.spark.

    .venv/bin/python training/full_cohort_on_spark.py --output model [--persons 1000000] [--master 'local[2]']

When it is wanted: matched sets hold nearly all that can be learned about a rare outcome, in a thousandth of the rows,
and `prodromal spark train` fits them on the driver with folds, slope and baselines. Everybody is wanted where the
outcome is common, or where somebody must see that nothing was lost by sampling.

What its scores need: the log of the table's hazard goes in as base margin, so that trees learn rate ratios against
people of the same age and sex; sampling weights go in as weights. There are no folds, so the slope is not shrunk, and
the scores say nothing about level: the model is recalibrated on people whom it has not seen, as `prodromal recalibrate`
does at a site, and only that model is written.

The people are simulated; for a register of your own replace `registered`.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from prodromal import (
    FeatureMatrix,
    FeaturePlan,
    Outcome,
    Population,
    Register,
    RiskModel,
    SimulationConfig,
    build,
    draw_landmark_cohort,
)
from prodromal.design import Cohort, held_out
from prodromal.distributed import features_on_spark, open_spark
from prodromal.features import IndexFile
from prodromal.register.parquet import write_table
from prodromal.risk import recalibrate, save
from prodromal.risk.boosting import Settings
from prodromal.risk.normaliser import Normaliser, estimate_normaliser
from prodromal.risk.training import WARNING
from prodromal.risk.weighted import WeightedRows
from prodromal.simulate import simulate
from prodromal.sources import Source, TableSource, ingest
from prodromal.trees import StoredTrees

if TYPE_CHECKING:
    import xgboost
    from pyspark.sql import DataFrame, SparkSession

QUESTION = Outcome("ALS", lag_days=365, horizon_days=1826, min_history_days=730)
LANDMARK = date(2014, 1, 1)
PLAN = FeaturePlan.psychiatric()
COLUMNS = [f"feature_{number}" for number in range(len(PLAN.names))]
POPULATION = Population.sweden_like()
SEED = 1
SETTINGS = Settings(max_depth=2, min_cases_per_leaf=10.0, learning_rate=0.1)


def registered(folder: Path, persons: int) -> Register:
    """Simulate a delivery and ingest it."""
    config = SimulationConfig.scenario("strong", persons=persons, noncase_fraction=0.005)
    simulate(config, folder / "delivery", seed=SEED, file_format="parquet")
    tables = tuple(
        TableSource(
            name, tuple(sorted((folder / "delivery" / name).glob("*"))) or (folder / "delivery" / f"{name}.parquet",)
        )
        for name in ("persons", "dispensings", "outcomes", "relatives")
    )
    ingest(Source(tables, extracted_on=date(2026, 1, 1)), folder / "register", rows_per_part=200_000)
    return Register.open(folder / "register")


def features(spark: SparkSession, register: Register, cohort: Cohort, folder: Path) -> DataFrame:
    """Features of the cohort as a table on the cluster; each task writes its own part."""
    ids = np.sort(cohort.frame["person_id"].to_numpy())
    days = np.full(len(ids), np.datetime64(LANDMARK, "D"))
    write_table(pa.table({"person_id": ids, "index_date": days}), folder / "index_dates.parquet")
    features_on_spark(spark, PLAN, register, IndexFile(folder / "index_dates.parquet"), folder / "features")
    # Spark takes a dot in a name for a field of a structure.
    return spark.read.parquet(str(folder / "features")).toDF("person_id", "index_date", *COLUMNS)


def labels(cohort: Cohort) -> pa.Table:
    """Who was diagnosed, how many people each stands for, and the log hazard of their age and sex."""
    rows, order = WeightedRows.of(cohort, POPULATION)
    return pa.table(
        {
            "person_id": cohort.frame["person_id"].to_numpy()[order],
            "label": rows.is_case.astype(np.float64),
            "weight": rows.weight,
            "margin": np.log(rows.hazard) + rows.level(np.zeros(len(rows))),
        }
    )


def fit(spark: SparkSession, table: DataFrame, told: pa.Table, *, rounds: int, workers: int) -> xgboost.Booster:
    """Grow trees on all rows; the labels go to the features, which are not shuffled by the join."""
    from pyspark.sql.functions import broadcast
    from xgboost.spark import SparkXGBClassifier

    chosen = SETTINGS.to_xgboost(seed=SEED, device="cpu")
    grower = SparkXGBClassifier(
        features_col=COLUMNS,
        label_col="label",
        weight_col="weight",
        base_margin_col="margin",
        base_score=0.5,
        n_estimators=rounds,
        num_workers=workers,
        random_state=SEED,
        max_depth=chosen["max_depth"],
        learning_rate=chosen["eta"],
        reg_lambda=chosen["lambda"],
        colsample_bytree=chosen["colsample_bytree"],
        min_child_weight=chosen["min_child_weight"],
        tree_method="hist",
    )
    booster = grower.fit(table.join(broadcast(spark.createDataFrame(told)), "person_id")).get_booster()
    booster.feature_names = booster.feature_types = None
    booster.set_attr(**dict.fromkeys(booster.attributes()))
    return booster


def model_of(booster: xgboost.Booster, matrix: FeatureMatrix, cohort: Cohort, rounds: int) -> RiskModel:
    """Trees made a model: normalised over people at risk, so that an average person's score is 0."""
    frame = cohort.frame
    age, sex = frame["age_years"].to_numpy(dtype=np.int64), (frame["sex"] == "F").to_numpy().astype(np.int64)
    training = {
        "seed": SEED,
        "objective": "everybody",
        "rows": len(frame),
        "settings": asdict(SETTINGS),
        "rounds": rounds,
        "age_range": [int(age.min()), int(age.max())],
        "population_of_training": "simulated people",
        "warning": WARNING,
    }
    blank = Normaliser(np.zeros_like(POPULATION.incidence))
    model = RiskModel(PLAN, StoredTrees.of(booster), 1.0, blank, POPULATION, QUESTION, np.zeros(1001), training)
    raw, weight = model.margin(matrix), frame["weight"].to_numpy(dtype=np.float64)
    normaliser = estimate_normaliser(raw, age_years=age, sex=sex, weight=weight)
    score = raw - normaliser.at(age, sex)
    reference = np.quantile(score, np.linspace(0, 1, 1001), weights=weight, method="inverted_cdf")
    return replace(model, normaliser=normaliser, reference=reference)


def main() -> None:
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--persons", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--workers", type=int, default=2, help="Tasks that grow trees together.")
    parser.add_argument("--master", default="local[2]")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, open_spark(asked.master) as spark:
        folder = Path(name)
        register = registered(folder, asked.persons)
        held = held_out(register, share=0.4, seed=SEED)
        cohort = draw_landmark_cohort(register, QUESTION, on=LANDMARK, among=~held)
        table = features(spark, register, cohort, folder)
        booster = fit(spark, table, labels(cohort), rounds=asked.rounds, workers=asked.workers)
        model = model_of(booster, build(PLAN, register, cohort.index_dates), cohort, asked.rounds)
        unseen = draw_landmark_cohort(register, QUESTION, on=LANDMARK, among=held)
        found = recalibrate(model, build(PLAN, register, unseen.index_dates), unseen, register.persons)
    save(found.model, asked.output)
    print(
        f"{len(cohort.frame):,} people, {asked.rounds} trees; on {len(unseen.frame):,} others with {found.events} "
        f"diagnoses the slope is {found.slope:.2f} (SE {found.slope_se:.2f})"
    )


if __name__ == "__main__":
    main()
