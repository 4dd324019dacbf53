"""The result tables of OHDSI PatientLevelPrediction, under its own table and column names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ohdsi_tables"]

EVALUATION = "Test"
_METRICS = {
    "auroc": "AUROC",
    "average_precision": "AUPRC",
    "brier": "brier score",
    "observed_over_expected": "calibrationInLarge observed/expected",
    "in_the_large": "calibrationInLarge intercept",
    "intercept": "weak calibration intercept",
    "slope": "weak calibration gradient",
    "ici_per_100k": "Eavg per 100,000",
    "e90_per_100k": "E90 per 100,000",
    "emax_per_100k": "Emax per 100,000",
    "c_within_sets": "C within matched sets",
}


def ohdsi_tables(
    tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any], covariates: pd.DataFrame | None = None
) -> dict[str, pd.DataFrame]:
    """Rearrange released tables as PatientLevelPrediction names them.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        Released tables of an `Evaluation`.
    facts : mapping of str to object
        Facts of the same evaluation.
    covariates : DataFrame, optional
        ``covariateId, covariateName, covariateValue, CovariateCount, CovariateMean, CovariateStDev`` of the model's
        features; the table is empty without it, since an evaluation knows no features.

    Returns
    -------
    dict of str to DataFrame
        ``evaluationStatistics, thresholdSummary, calibrationSummary, demographicSummary, predictionDistribution,
        covariateSummary``. A statistic that could not be computed is empty, never 0. Minima and maxima are left empty:
        they belong to single people. Counts are of rows, probabilities of the weighted population.
    """
    return {
        "evaluationStatistics": _statistics(tables),
        "thresholdSummary": _thresholds(tables, facts),
        "calibrationSummary": _calibration(tables["calibration_deciles"]),
        "demographicSummary": _demographics(tables.get("calibration_cells")),
        "predictionDistribution": _distribution(tables["prediction_distribution"]),
        "covariateSummary": pd.DataFrame(columns=_COVARIATES) if covariates is None else covariates[_COVARIATES],
    }


_COVARIATES = ["covariateId", "covariateName", "covariateValue", "CovariateCount", "CovariateMean", "CovariateStDev"]


def _statistics(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    rows: list[dict[str, object]] = []
    overview = tables["overview"].set_index("item")["n"]
    rows += [{"metric": "populationSize", "value": overview["people"]}]
    rows += [{"metric": "outcomeCount", "value": overview["outcome in the window"]}]
    for frame in (tables["discrimination"], tables["calibration"]):
        model = frame[frame["model"] == "model"]
        for found in model[model["measure"].isin(list(_METRICS))].to_dict("records"):
            name = _METRICS[found["measure"]]
            rows.append({"metric": name, "value": found["value"]})
            if found["measure"] == "auroc":
                rows.append({"metric": "95% lower AUROC", "value": found["ci_low"]})
                rows.append({"metric": "95% upper AUROC", "value": found["ci_high"]})
    return pd.DataFrame(rows).assign(evaluation=EVALUATION)[["evaluation", "metric", "value"]]


def _wide(frame: pd.DataFrame, keys: list[str]) -> pd.DataFrame:
    model = frame[frame["model"] == "model"]
    wide = model.pivot_table(index=keys, columns="measure", values="value", dropna=False, observed=True, sort=False)
    counts = model.drop_duplicates(keys).set_index(keys)[["n", "events"]]
    return counts.join(wide.reindex(counts.index)).reset_index()


def _thresholds(tables: Mapping[str, pd.DataFrame], facts: Mapping[str, Any]) -> pd.DataFrame:
    overview = tables["overview"].set_index("item")["n"]
    total, cases = float(overview["people"]), float(overview["outcome in the window"])
    sources = [
        _wide(tables[name], ["threshold"]) for name in ("capacity", "thresholds") if _by_risk(tables, name, facts)
    ]
    if not sources:
        return pd.DataFrame(columns=_THRESHOLD_COLUMNS)
    wide = pd.concat(sources).drop_duplicates("threshold").sort_values("threshold", ascending=False)
    true, flagged = wide["events"], wide["n"]
    risk = wide["threshold"].clip(upper=1 - 1e-9)
    prior = cases / total if total > 0 else np.nan
    odds = risk / (1 - risk) / (prior / (1 - prior)) if 0 < prior < 1 else np.nan
    return pd.DataFrame(
        {
            "evaluation": EVALUATION,
            "predictionThreshold": wide["threshold"],
            "preferenceThreshold": odds / (1 + odds),
            "positiveCount": flagged,
            "negativeCount": total - flagged,
            "trueCount": cases,
            "falseCount": total - cases,
            "truePositiveCount": true,
            "trueNegativeCount": total - cases - (flagged - true),
            "falsePositiveCount": flagged - true,
            "falseNegativeCount": cases - true,
            "sensitivity": wide["sensitivity"],
            "falseNegativeRate": 1 - wide["sensitivity"],
            "falsePositiveRate": 1 - wide["specificity"],
            "specificity": wide["specificity"],
            "positivePredictiveValue": wide["ppv"],
            "falseDiscoveryRate": 1 - wide["ppv"],
        }
    )[_THRESHOLD_COLUMNS]


_THRESHOLD_COLUMNS = [
    "evaluation",
    "predictionThreshold",
    "preferenceThreshold",
    "positiveCount",
    "negativeCount",
    "trueCount",
    "falseCount",
    "truePositiveCount",
    "trueNegativeCount",
    "falsePositiveCount",
    "falseNegativeCount",
    "sensitivity",
    "falseNegativeRate",
    "falsePositiveRate",
    "specificity",
    "positivePredictiveValue",
    "falseDiscoveryRate",
]


def _by_risk(tables: Mapping[str, pd.DataFrame], name: str, facts: Mapping[str, Any]) -> bool:
    return name in tables and (name == "thresholds" or bool(facts["ranked_by_risk"]))


def _calibration(deciles: pd.DataFrame) -> pd.DataFrame:
    wide = _wide(deciles, ["group"])
    return pd.DataFrame(
        {
            "evaluation": EVALUATION,
            "predictionThreshold": wide["group"],
            "PersonCountAtRisk": wide["n"],
            "PersonCountWithOutcome": wide["events"],
            "averagePredictedProbability": wide["expected_risk"],
            "observedIncidence": wide["observed_risk"],
        }
    )


def _demographics(cells: pd.DataFrame | None) -> pd.DataFrame:
    if cells is None:
        return pd.DataFrame(
            columns=["evaluation", "ageGroup", "genGroup", "PersonCountAtRisk", "PersonCountWithOutcome"]
        )
    wide = _wide(cells, ["sex", "age"])
    return pd.DataFrame(
        {
            "evaluation": EVALUATION,
            "ageGroup": "Age group: " + wide["age"].astype(str),
            "genGroup": wide["sex"].map({"M": "Male", "F": "Female"}).fillna("Unknown"),
            "PersonCountAtRisk": wide["n"],
            "PersonCountWithOutcome": wide["events"],
            "averagePredictedProbability": wide["expected_risk"],
            "observedRisk": wide["observed_risk"],
        }
    )


def _distribution(frame: pd.DataFrame) -> pd.DataFrame:
    names = {
        "mean": "averagePredictedProbability",
        "standard_deviation": "StDevPredictedProbability",
        "p05": "P05PredictedProbability",
        "p25": "P25PredictedProbability",
        "p50": "MedianPredictedProbability",
        "p75": "P75PredictedProbability",
        "p95": "P95PredictedProbability",
    }
    rows = []
    for label, code in (("no outcome", 0), ("outcome", 1)):
        part = frame[frame["class"] == label].set_index("measure")
        values = {new: part["value"].get(old, np.nan) for old, new in names.items()}
        rows.append({"evaluation": EVALUATION, "class": code, "PersonCount": part["n"].iloc[0], **values})
    whole = pd.DataFrame(rows)
    return whole.assign(MinPredictedProbability=np.nan, MaxPredictedProbability=np.nan)
