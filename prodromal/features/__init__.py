"""A feature is a pure function of one person's dispensings and an index date."""

from prodromal.features.building import build, iterate
from prodromal.features.index_dates import IndexDates
from prodromal.features.index_file import IndexFile
from prodromal.features.matrix import FeatureMatrix
from prodromal.features.plan import Feature, FeaturePlan

__all__ = ["Feature", "FeatureMatrix", "FeaturePlan", "IndexDates", "IndexFile", "build", "iterate"]
