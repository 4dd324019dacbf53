"""TRIPOD+AI: which of its 27 items this report answers, and which are the authors' to write."""

from __future__ import annotations

import pandas as pd

__all__ = ["tripod_map"]

_AUTHORS = "to be written by the authors"

_ITEMS = (
    ("1", "Title", _AUTHORS),
    ("2", "Abstract", "Plain summary on the first screen; the abstract is the authors'"),
    ("3", "Background: context, users, health inequalities", _AUTHORS),
    ("4", "Objectives", "Title and first screen"),
    ("5", "Data: sources and dates", "How this page was made; details are the authors'"),
    ("6", "Participants: setting, eligibility, treatments", "Who was evaluated"),
    ("7", "Data preparation", "plan.toml of the bundle; the register's account of rows"),
    ("8", "Outcome", "Who was evaluated: window, competing death"),
    ("9", "Predictors", "plan.toml and features.json of the bundle"),
    ("10", "Sample size", "Who was evaluated: people and outcomes; instability is said where outcomes are few"),
    ("11", "Missing data", "Who was evaluated: censoring; what was not observed is missing to the trees, not zero"),
    ("12", "Analytical methods", "How the numbers were computed"),
    ("13", "Class imbalance", "How the numbers were computed: sampling weights, no resampling"),
    ("14", "Fairness", "Subgroups"),
    ("15", "Model output and thresholds", "Use"),
    ("16", "Training against evaluation differences", _AUTHORS),
    ("17", "Ethics", _AUTHORS),
    ("18", "Open science", _AUTHORS),
    ("19", "Patient and public involvement", _AUTHORS),
    ("20", "Participants: flow and characteristics", "Who was evaluated"),
    ("21", "Model development counts", "training in model.json of the bundle"),
    ("22", "Model specification", "The bundle: trees, plan, normalisation, rates"),
    ("23", "Model performance with intervals, subgroups, heterogeneity", "Ranking, Calibration, Use, Subgroups"),
    ("24", "Model updating", "Comparison before and after recalibration, where one was made"),
    ("25", "Interpretation", "First screen and captions; discussion is the authors'"),
    ("26", "Limitations", "Caution; discussion is the authors'"),
    ("27", "Usability", _AUTHORS),
)


def tripod_map() -> pd.DataFrame:
    """List the items and where each is answered.

    Returns
    -------
    DataFrame
        ``item, heading, answered``.

    Notes
    -----
    Headings after TRIPOD+AI (BMJ 2024;385:e078378). A map, not a claim of compliance.
    """
    return pd.DataFrame(_ITEMS, columns=["item", "heading", "answered"])
