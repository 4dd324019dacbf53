"""One timed process of another library, in its own environment; the same job on the same files.

    _features_peers.py polars|timeseriesflattener|medstab_prepare REGISTER [CELLS.parquet]

``CELLS.parquet`` gets counts, sums and days since last of every group and window, for the check of the answers.
"""

import datetime as dt
import shutil
import sys
from pathlib import Path

import polars as pl
from _features_law import GROUPS, WINDOWS

EVER = 20_000
folder = Path(sys.argv[2])
parts = str(folder / "dispensings" / "*.parquet")
index = pl.read_parquet(folder / "index_dates.parquet")
# The register's codes are a dictionary; text is what these libraries are used with.
rows = pl.scan_parquet(parts).select("person_id", "dispensed_on", pl.col("atc").cast(pl.String), "ddd")
rows = rows.filter(pl.any_horizontal(pl.col("atc").str.starts_with(g) for g in GROUPS))
COLUMNS = [f"{kind}_{g}_{w}" for g in GROUPS for kind in "nsd" for w in WINDOWS]


def polars() -> pl.DataFrame:
    """Per group a masked aggregation: the fastest hand-written form that was found."""
    joined = (
        rows.join(index.lazy(), on="person_id")
        .filter(pl.col("dispensed_on") < pl.col("index_date"))
        .with_columns((pl.col("index_date") - pl.col("dispensed_on")).dt.total_days().cast(pl.Int32).alias("d"))
        .collect()
    )
    result = index
    for g in GROUPS:
        cells = []
        for w in WINDOWS:
            inside = pl.col("d") <= (w or EVER)
            cells += [
                inside.sum().cast(pl.Int32).alias(f"n_{g}_{w}"),
                pl.when(inside).then(pl.col("ddd").cast(pl.Float64)).otherwise(0).sum().alias(f"s_{g}_{w}"),
                pl.when(inside).then(pl.col("d")).min().alias(f"d_{g}_{w}"),
            ]
        of_group = joined.filter(pl.col("atc").str.starts_with(g)).group_by("person_id").agg(cells)
        result = result.join(of_group, on="person_id", how="left", maintain_order="left")
    return result


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

    asked = index.with_columns(pl.col("index_date").cast(pl.Datetime("us")))
    bought = rows.with_columns(pl.col("dispensed_on").cast(pl.Datetime("us")), pl.col("ddd").cast(pl.Float64)).collect()
    looks = [(dt.timedelta(days=1), dt.timedelta(days=w or EVER)) for w in WINDOWS]
    specs = [
        PredictorSpec(
            value_frame=ValueFrame(
                init_df=bought.filter(pl.col("atc").str.starts_with(g)).select(
                    "person_id", "dispensed_on", pl.col("ddd").alias(f"G{g}x")
                ),
                entity_id_col_name="person_id",
                value_timestamp_col_name="dispensed_on",
            ),
            lookbehind_distances=looks,
            aggregators=[CountAggregator(), SumAggregator(), DaysSinceLast()],
            fallback=0,
        )
        for g in GROUPS
    ]
    times = PredictionTimeFrame(init_df=asked, entity_id_col_name="person_id", timestamp_col_name="index_date")
    flat = Flattener(predictiontime_frame=times).aggregate_timeseries(specs=specs).df
    names = {
        f"pred_G{g}x_within_1_to_{w or EVER}_days_{long}_fallback_0": f"{short}_{g}_{w}"
        for g in GROUPS
        for w in WINDOWS
        for long, short in (("count", "n"), ("sum", "s"), ("dsl", "d"))
    }
    return flat.rename(names).sort("person_id")


def medstab_prepare() -> None:
    """Shards and labels for meds-tab: a sentinel event on the day before the index date ends its windows there."""
    root = folder / "meds"
    shutil.rmtree(root, ignore_errors=True)
    for name in ("data", "labels"):
        (root / name / "train").mkdir(parents=True)
    asked = index.select(
        pl.col("person_id").alias("subject_id"),
        (pl.col("index_date").cast(pl.Datetime("us")) - pl.duration(days=1)).alias("prediction_time"),
        pl.lit(value=True).alias("boolean_value"),
    )
    events = [
        rows.filter(pl.col("atc").str.starts_with(g))
        .select(
            pl.col("person_id").alias("subject_id"),
            pl.col("dispensed_on").cast(pl.Datetime("us")).alias("time"),
            pl.lit(g).alias("code"),
            pl.col("ddd").alias("numeric_value"),
        )
        .collect()
        for g in GROUPS
    ]
    sentinel = asked.select(
        "subject_id",
        pl.col("prediction_time").alias("time"),
        pl.lit("INDEX").alias("code"),
        pl.lit(None, dtype=pl.Float32).alias("numeric_value"),
    )
    pl.concat([*events, sentinel]).sort("subject_id", "time").write_parquet(root / "data" / "train" / "0.parquet")
    asked.write_parquet(root / "labels" / "train" / "0.parquet")


def main() -> None:
    if sys.argv[1] == "medstab_prepare":
        medstab_prepare()
        return
    result = {"polars": polars, "timeseriesflattener": timeseriesflattener}[sys.argv[1]]()
    if len(sys.argv) > 3:
        result.select(pl.col(COLUMNS).cast(pl.Float32)).write_parquet(sys.argv[3])


main()
