"""Figures of an evaluation. They draw tables and compute nothing."""

from prodromal.evaluate.plots.before_after import plot_before_after
from prodromal.evaluate.plots.calibration import plot_calibration
from prodromal.evaluate.plots.forest import plot_forest
from prodromal.evaluate.plots.lines import plot_decision_curve, plot_lead_time
from prodromal.evaluate.plots.panels import plot_discrimination, plot_review
from prodromal.evaluate.plots.theme import png, svg

__all__ = [
    "plot_before_after",
    "plot_calibration",
    "plot_decision_curve",
    "plot_discrimination",
    "plot_forest",
    "plot_lead_time",
    "plot_review",
    "png",
    "svg",
]
