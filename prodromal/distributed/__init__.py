"""The same kernels on a Spark cluster: one task per part, and only dispensings are ever moved between machines."""

from prodromal.distributed.contributions import explain_on_spark
from prodromal.distributed.feature_folder import features_on_spark
from prodromal.distributed.ingesting import ingest_on_spark
from prodromal.distributed.read import read_index_dates, read_spark_table
from prodromal.distributed.risks import score_on_spark
from prodromal.distributed.session import open_spark
from prodromal.distributed.tables import score_tables
from prodromal.distributed.tally import Tally, tally_on_spark
from prodromal.distributed.training import build_on_spark, train_on_spark

__all__ = [
    "Tally",
    "build_on_spark",
    "explain_on_spark",
    "features_on_spark",
    "ingest_on_spark",
    "open_spark",
    "read_index_dates",
    "read_spark_table",
    "score_on_spark",
    "score_tables",
    "tally_on_spark",
    "train_on_spark",
]
