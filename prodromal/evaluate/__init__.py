"""Evaluation: predictions and outcomes in, tables with intervals out. It knows nothing of models."""

from prodromal.evaluate.before_after import before_after_page
from prodromal.evaluate.calibration import CalibrationFit, calibration_fit, deviation
from prodromal.evaluate.compare import compare, with_risk
from prodromal.evaluate.data import EvaluationData, MatchedSets, join_outcomes
from prodromal.evaluate.disclosure import PROFILES, Profile
from prodromal.evaluate.evaluation import Evaluation, evaluate
from prodromal.evaluate.export import meds_predictions
from prodromal.evaluate.glm import Link
from prodromal.evaluate.lead_time import compute_lead_time
from prodromal.evaluate.matched import compute_matched_concordance
from prodromal.evaluate.ohdsi import ohdsi_tables
from prodromal.evaluate.ranking import auroc, average_precision, delong
from prodromal.evaluate.smoothers import Smoother, classic_deviation
from prodromal.evaluate.tables import (
    compute_calibration,
    compute_capacity,
    compute_cells,
    compute_deciles,
    compute_decision_curve,
    compute_discrimination,
    compute_subgroups,
    compute_time_dependent_auc,
)
from prodromal.evaluate.utility import net_benefit

__all__ = [
    "PROFILES",
    "CalibrationFit",
    "Evaluation",
    "EvaluationData",
    "Link",
    "MatchedSets",
    "Profile",
    "Smoother",
    "auroc",
    "average_precision",
    "before_after_page",
    "calibration_fit",
    "classic_deviation",
    "compare",
    "compute_calibration",
    "compute_capacity",
    "compute_cells",
    "compute_deciles",
    "compute_decision_curve",
    "compute_discrimination",
    "compute_lead_time",
    "compute_matched_concordance",
    "compute_subgroups",
    "compute_time_dependent_auc",
    "delong",
    "deviation",
    "evaluate",
    "join_outcomes",
    "meds_predictions",
    "net_benefit",
    "ohdsi_tables",
    "with_risk",
]
