"""A booster as arrays: its forest, its own cut points, rows coded by them, and what the trees give to a coded row."""

from prodromal.trees.arrays import Bytes, CodeBook, Floats, Ints, SplitCodes
from prodromal.trees.coded import CodedRows, code_rows
from prodromal.trees.codes import CUTS_PER_COLUMN, code_splits
from prodromal.trees.forest import Forest, read_forest
from prodromal.trees.predictor import Predictor
from prodromal.trees.stored import StoredTrees

__all__ = [
    "CUTS_PER_COLUMN",
    "Bytes",
    "CodeBook",
    "CodedRows",
    "Floats",
    "Forest",
    "Ints",
    "Predictor",
    "SplitCodes",
    "StoredTrees",
    "code_rows",
    "code_splits",
    "read_forest",
]
