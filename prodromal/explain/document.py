"""Explanations as JSON: who made them, and for each person the risk, the factors, the reasons and what was not seen."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.explain.observed import flag_words, unobserved_windows
from prodromal.explain.person import CAUTION
from prodromal.files import write_text
from prodromal.page import one_in

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prodromal.explain.explanation import Explanation
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["document", "write_document"]

_REASONS = 3
_SEXES = ("M", "F", "U")


def document(
    register: Register, model: RiskModel, explanation: Explanation, *, provenance: Mapping[str, str]
) -> dict[str, Any]:
    """Say everything that is known about each explained score, in plain values.

    Parameters
    ----------
    register : Register
        For age and sex.
    model : RiskModel
        Whose scores.
    explanation : Explanation
        Of its rows, by whatever.
    provenance : mapping of str to str
        Who made it; its ``model`` is the bundle's fingerprint, its ``warning`` stands first in the document.

    Returns
    -------
    dict
        ``warning`` (only where the model has one), ``caution``, ``provenance``, ``model`` (``fingerprint, plan,
        plan_fingerprint, outcome, lag_days, horizon_days``), ``by``, ``base`` (``contribution, factor``) and
        ``people``. Each person, in the order asked: ``person_id, index_date, age_years, sex, score, relative_risk,
        risk, risk_per_100k, one_in, expected_per_100k, percentile, contributions`` (log rate ratios by group),
        ``factors`` (their exponentials; times the base's they give ``relative_risk``), ``reasons`` (the largest factors
        in words), ``not_observed`` (windows that were missing, not zero) and ``flags``.
    """
    warning = {"warning": model.warning} if model.warning else {}
    asked = model.outcome
    return {
        **warning,
        "caution": CAUTION,
        "provenance": dict(provenance),
        "model": {
            "fingerprint": provenance.get("model"),
            "plan": model.plan.name,
            "plan_fingerprint": model.plan.fingerprint,
            "outcome": asked.name,
            "lag_days": asked.lag_days,
            "horizon_days": asked.horizon_days,
        },
        "by": explanation.by.value,
        "base": {"contribution": explanation.base, "factor": math.exp(explanation.base)},
        "people": _people(register, model, explanation),
    }


def write_document(path: Path, content: Mapping[str, Any]) -> None:
    """Write a document, whole or not at all.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    write_text(path, json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n")


def _people(register: Register, model: RiskModel, explanation: Explanation) -> list[dict[str, Any]]:
    matrix = explanation.matrix
    age = register.persons.age_years(matrix.person_row, matrix.days)
    sex = register.persons.sex[matrix.person_row]
    reasons = explanation.reasons(_REASONS).to_numpy()
    records = model.score(matrix, register.persons).to_dict("records")
    return [
        {
            **_risk(record),
            "age_years": int(age[i]),
            "sex": _SEXES[sex[i]],
            **_groups(explanation, i),
            "reasons": [reason for reason in reasons[i] if reason],
            "not_observed": unobserved_windows(matrix, i),
            "flags": flag_words(str(record["flags"])),
        }
        for i, record in enumerate(records)
    ]


def _risk(record: Mapping[Any, Any]) -> dict[str, Any]:
    numbers = ("score", "relative_risk", "risk", "risk_per_100k", "expected_per_100k", "percentile")
    identity = record["person_id"]
    return {
        "person_id": identity if isinstance(identity, str) else int(identity),
        "index_date": str(record["index_date"])[:10],
        **{name: float(record[name]) for name in numbers},
        "one_in": one_in(float(record["risk"])),
    }


def _groups(explanation: Explanation, position: int) -> dict[str, dict[str, float]]:
    values = explanation.values[position]
    return {
        "contributions": dict(zip(explanation.labels, values.tolist(), strict=True)),
        "factors": dict(zip(explanation.labels, np.exp(values).tolist(), strict=True)),
    }
