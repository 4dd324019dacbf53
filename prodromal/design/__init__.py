"""A design decides who is looked at, when, and at risk of what. It never sees a feature."""

from prodromal.design.anchored_sets import Comparator, draw_anchored_sets
from prodromal.design.cohort import Cohort, Outcome
from prodromal.design.files import read_cohort, write_cohort
from prodromal.design.landmark_cohort import draw_landmark_cohort
from prodromal.design.landmark_sets import draw_landmark_sets
from prodromal.design.split import family_components, held_out

__all__ = [
    "Cohort",
    "Comparator",
    "Outcome",
    "draw_anchored_sets",
    "draw_landmark_cohort",
    "draw_landmark_sets",
    "family_components",
    "held_out",
    "read_cohort",
    "write_cohort",
]
