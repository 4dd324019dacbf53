"""The Medical Event Data Standard (MEDS) 0.4, read and written: datasets, labels, splits of subjects."""

from prodromal.sources.meds.prediction import index_dates, labels, prediction_times, read_labels, read_splits
from prodromal.sources.meds.source import Meds
from prodromal.sources.meds.vocabulary import Vocabulary
from prodromal.sources.meds.write import Written, write_meds

__all__ = [
    "Meds",
    "Vocabulary",
    "Written",
    "index_dates",
    "labels",
    "prediction_times",
    "read_labels",
    "read_splits",
    "write_meds",
]
