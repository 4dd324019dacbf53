"""What a file of risks says of itself, and whether it fits what else is given."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from prodromal.cli.common import provenance
from prodromal.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from prodromal.design import Outcome
    from prodromal.design.cohort import Origin
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["facts_of", "refuse_other_origin", "refuse_other_question", "risk_provenance", "trained_on"]

_QUESTION = ("outcome", "lag_days", "horizon_days")


def risk_provenance(model: RiskModel, bundle: Path, register: Register | None = None) -> dict[str, str]:
    """What stands in the metadata of a file of risks: of whom, by which model, and what they are risks of."""
    facts = provenance(register, bundle, warning=model.warning, plan=model.plan.fingerprint)
    return {**facts, **_question(model.outcome), **_training(model)}


def trained_on(said: Mapping[str, str]) -> Origin:
    """Whom the model that made a file of risks was trained on, as far as the file knows."""
    from prodromal.design.cohort import Origin

    try:
        splits = json.loads(said.get("trained_splits", "{}"))
    except ValueError:
        splits = {}
    return Origin.of({"register": said.get("trained_register"), "splits": splits})


def _question(outcome: Outcome) -> dict[str, str]:
    """Outcome, lag and horizon, as they stand in the metadata of a file of risks."""
    return {
        "outcome": outcome.name,
        "lag_days": str(outcome.lag_days),
        "horizon_days": str(outcome.horizon_days),
    }


def _training(model: RiskModel) -> dict[str, str]:
    made = model.training.get("provenance", {})
    known = {"trained_register": made.get("register"), "trained_splits": made.get("splits")}
    return {name: str(value) for name, value in known.items() if value}


def facts_of(risks: Path) -> dict[str, str]:
    """The metadata of a file that 'prodromal score' wrote; empty for a CSV or a file of other make."""
    import pyarrow.parquet as pq

    if risks.suffix != ".parquet":
        return {}
    said: dict[bytes, bytes] = pq.read_schema(risks).metadata or {}
    mark = b"prodromal."
    known = {key[len(mark) :]: value for key, value in said.items() if key.startswith(mark)}
    return {key.decode("utf-8", "replace"): value.decode("utf-8", "replace") for key, value in known.items()}


def refuse_other_question(risks: Path, said: Mapping[str, str], cohort: Path, asked: Outcome) -> None:
    """Raise DataError if the risks are known to be of another outcome, lag or horizon than the cohort's."""
    wanted = _question(asked)
    if any(name in said and said[name] != wanted[name] for name in _QUESTION):
        raise DataError(
            f"{risks} and {cohort} ask different questions: {_told(said)}; {_told(wanted)}. Draw the cohort with "
            "--outcome, --lag-days and --horizon-years as for the training; an outcome of another name is renamed at "
            "ingest"
        )


def refuse_other_origin(risks: Path, said: Mapping[str, str], given: Mapping[str, str]) -> None:
    """Raise DataError if the risks are known to be of another model or register than given."""
    for name in ("model", "register"):
        if name in said and said[name] != given[name]:
            raise DataError(
                f"{risks} was made with {name} {said[name]}, --{name} is {given[name]}: give that one, or score anew"
            )


def _told(said: Mapping[str, str]) -> str:
    name, lag, horizon = (said.get(part, "unknown") for part in _QUESTION)
    return f"{name}, more than {lag} and up to {horizon} days after the date"
