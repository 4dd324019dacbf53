"""The pipeline that a competent user would write, in an environment of its own: features, XGBoost, shap.

    _score_pipeline.py polars|timeseriesflattener REGISTER BUNDLE score|explain EXPLAINED SCORES.parquet [VALUES.npz]

Features of everyone by the library named, the score by XGBoost, written beside the ids; contributions of the first
people by shap.TreeExplainer, the three largest classes of each. Prints the seconds that the explanations took.
"""

import datetime as dt
import json
import sys
import time
from pathlib import Path

import numpy as np
import polars as pl
import xgboost
from _features_law import GROUPS, WINDOWS

EVER = 20_000
DAY = dt.date(2018, 1, 1)
register, bundle, explained = Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[5])
NAMES = [feature["name"] for feature in json.loads((bundle / "features.json").read_text())]
people = pl.read_parquet(register / "persons.parquet", columns=["person_id", "sex", "birth_date"])
rows = pl.scan_parquet(str(register / "dispensings" / "*.parquet"))
rows = rows.select("person_id", "dispensed_on", pl.col("atc").cast(pl.String), "ddd")
rows = rows.filter(pl.any_horizontal(pl.col("atc").str.starts_with(g) for g in GROUPS), pl.col("dispensed_on") < DAY)
LABELS = {w: f"0-{w or EVER}d" for w in WINDOWS}


def polars() -> pl.DataFrame:
    dated = rows.with_columns((DAY - pl.col("dispensed_on")).dt.total_days().cast(pl.Int32).alias("d")).collect()
    result = people.select("person_id")
    for g in GROUPS:
        cells = [pl.col("d").min().cast(pl.Float32).alias(f"{g}.days_since_last")]
        for w in WINDOWS:
            inside = pl.col("d") <= (w or EVER)
            amount = pl.when(inside).then(pl.col("ddd").cast(pl.Float64)).otherwise(0).sum()
            cells += [inside.sum().alias(f"{g}.count.{LABELS[w]}"), amount.alias(f"{g}.ddd.{LABELS[w]}")]
        of_group = dated.filter(pl.col("atc").str.starts_with(g)).group_by("person_id").agg(cells)
        result = result.join(of_group, on="person_id", how="left", maintain_order="left")
    return result.drop("person_id")


def timeseriesflattener() -> pl.DataFrame:
    from timeseriesflattener import (
        CountAggregator,
        Flattener,
        PredictionTimeFrame,
        PredictorSpec,
        SumAggregator,
        ValueFrame,
    )
    from timeseriesflattener.aggregators import Aggregator

    class DaysSinceLast(Aggregator):
        name = "dsl"
        output_type = int

        def __call__(self, column_name: str) -> pl.Expr:
            last = pl.col("time_from_prediction_to_value").max().dt.total_days()
            return (-last).alias(self.new_col_name(column_name))

    asked = people.select("person_id", index_date=pl.lit(DAY).cast(pl.Datetime("us")))
    bought = rows.with_columns(pl.col("dispensed_on").cast(pl.Datetime("us")), pl.col("ddd").cast(pl.Float64)).collect()
    specs = []
    for g in GROUPS:
        own = bought.filter(pl.col("atc").str.starts_with(g)).select("person_id", "dispensed_on", x="ddd")
        for letter, looks, aggregators in (
            ("G", [w or EVER for w in WINDOWS], [CountAggregator(), SumAggregator()]),
            ("L", [EVER], [DaysSinceLast()]),
        ):
            specs.append(
                PredictorSpec(
                    value_frame=ValueFrame(
                        init_df=own.rename({"x": f"{letter}{g}x"}),
                        entity_id_col_name="person_id",
                        value_timestamp_col_name="dispensed_on",
                    ),
                    lookbehind_distances=[(dt.timedelta(days=1), dt.timedelta(days=days)) for days in looks],
                    aggregators=aggregators,
                    fallback=0,
                )
            )
    times = PredictionTimeFrame(init_df=asked, entity_id_col_name="person_id", timestamp_col_name="index_date")
    flat = Flattener(predictiontime_frame=times).aggregate_timeseries(specs=specs).df
    flat = people.select("person_id").join(pl.DataFrame(flat), on="person_id", how="left", maintain_order="left")
    named = {}
    for g in GROUPS:
        named[f"{g}.days_since_last"] = pl.col(f"pred_L{g}x_within_1_to_{EVER}_days_dsl_fallback_0").replace(0, None)
        for w in WINDOWS:
            for measure, theirs in (("count", "count"), ("ddd", "sum")):
                column = f"pred_G{g}x_within_1_to_{w or EVER}_days_{theirs}_fallback_0"
                named[f"{g}.{measure}.{LABELS[w]}"] = pl.col(column)
    return flat.select(**named)


def matrix(features: pl.DataFrame) -> np.ndarray:
    birth = pl.col("birth_date")
    before = (birth.dt.month() > DAY.month) | ((birth.dt.month() == DAY.month) & (birth.dt.day() > DAY.day))
    person = people.select(
        age_years=DAY.year - birth.dt.year() - before.cast(pl.Int32),
        sex=(pl.col("sex").cast(pl.String) == "F").cast(pl.Int32),
    )
    since = [name for name in NAMES if name.endswith("days_since_last")]
    counted = [name for name in NAMES if name in features.columns and name not in since]
    whole = features.with_columns(pl.col(counted).fill_null(0)).hstack(person)
    return np.asfortranarray(whole.select(pl.col(NAMES).cast(pl.Float32)).to_numpy())


values = matrix({"polars": polars, "timeseriesflattener": timeseriesflattener}[sys.argv[1]]())
booster = xgboost.Booster(model_file=bundle / "model.ubj")
score = booster.inplace_predict(values, predict_type="margin")
people.select("person_id", index_date=pl.lit(DAY), score=score).write_parquet(sys.argv[6])
told = {"explain_seconds": 0.0}
contributions = np.zeros((0, len(NAMES)))
if sys.argv[4] == "explain":
    import shap

    start = time.perf_counter()
    chosen = values[:explained]
    contributions = shap.TreeExplainer(booster).shap_values(chosen)
    classes = {name: name.split(".")[0] for name in NAMES}
    labels = sorted(set(classes.values()))
    summed = np.stack([contributions[:, [classes[n] == c for n in NAMES]].sum(axis=1) for c in labels], axis=1)
    top = np.argsort(-np.abs(summed), axis=1)[:, :3]
    reasons = [[f"{labels[c]} x {np.exp(row[c]):.2f}" for c in best] for row, best in zip(summed, top, strict=True)]
    told["explain_seconds"] = time.perf_counter() - start
    told["explained"] = len(reasons)
if len(sys.argv) > 7:
    np.savez(sys.argv[7], score=score, contributions=contributions)
print(json.dumps(told))
