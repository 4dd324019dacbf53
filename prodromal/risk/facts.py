"""The numbers beside the trees, ``model.json``: their form, their ranges, and what no score may exceed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from prodromal.errors import BundleError
from prodromal.risk.population import AGES
from prodromal.risk.use import AGE_ENDS, CELLS

if TYPE_CHECKING:
    from prodromal.risk.tree_structure import Trees

__all__ = ["Facts", "check_scores", "read_facts"]

QUANTILES = 1001
_LARGEST_SCORE = 100.0
_LONGEST_DAYS = 366 * AGES
_Text = Annotated[str, Field(max_length=1000)]
_Share = Annotated[float, Field(ge=0, le=1)]
_Count = Annotated[int, Field(ge=0, le=10**12)]
_Days = Annotated[int, Field(ge=0, le=_LONGEST_DAYS)]
_LogRate = Annotated[float, Field(ge=-_LARGEST_SCORE, le=_LARGEST_SCORE)]
_Age = Annotated[int, Field(ge=0, le=200)]


def _by_age(number: Any) -> Any:
    row = Annotated[list[number], Field(min_length=AGES, max_length=AGES)]
    return Annotated[list[row], Field(min_length=2, max_length=2)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class _Outcome(_Strict):
    name: _Text
    lag_days: _Days
    horizon_days: _Days
    min_history_days: _Days


class _Population(_Strict):
    name: _Text
    incidence: _by_age(_Share)  # type: ignore[valid-type]
    # Per person-year: above 1 where most die within it.
    mortality: _by_age(Annotated[float, Field(ge=0, le=10)])  # type: ignore[valid-type]


class _Compared(_Strict):
    model: _Text
    c_within_sets: _Share | None
    log_likelihood_per_set: float | None
    note: _Text


class _Settings(_Strict):
    max_depth: Annotated[int, Field(ge=1, le=32)]
    min_cases_per_leaf: Annotated[float, Field(ge=0)]
    l2: Annotated[float, Field(ge=0)]
    features_per_tree: _Share
    learning_rate: _Share


class _Use(BaseModel):
    """Shares of users of each group by sex and age; earlier versions told more."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    age_ends: Annotated[list[_Age], Field(min_length=len(AGE_ENDS), max_length=len(AGE_ENDS))]
    share: Annotated[
        dict[_Text, Annotated[list[_Share], Field(min_length=CELLS, max_length=CELLS)]], Field(max_length=1000)
    ]


class _Training(BaseModel):
    """What the product reads of the training's account; more may stand there."""

    model_config = ConfigDict(extra="allow", frozen=True, strict=True, allow_inf_nan=False)

    warning: _Text = ""
    objective: _Text = ""
    rows: Annotated[int, Field(ge=1, le=10**12)] = 1
    provenance: Annotated[dict[_Text, _Text], Field(max_length=100)] = {}
    sets: _Count | None = None
    cases: _Count | None = None
    rounds: _Count | None = None
    age_range: Annotated[list[_Age], Field(min_length=2, max_length=2)] | None = None
    settings: _Settings | None = None
    use: _Use | None = None
    codes: Annotated[list[Annotated[str, Field(max_length=7)]], Field(max_length=100_000)] | None = None
    out_of_fold: Annotated[list[_Compared], Field(max_length=100)] | None = None


class Facts(_Strict):
    """Everything in ``model.json``, as it may be."""

    slope: Annotated[float, Field(ge=0, le=1000)]
    log_mean: _by_age(_LogRate)  # type: ignore[valid-type]
    reference: Annotated[list[_LogRate], Field(min_length=QUANTILES, max_length=QUANTILES)]
    outcome: _Outcome
    population: _Population
    training: dict[str, Any]
    plan_fingerprint: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


def read_facts(content: Any, where: str) -> Facts:
    """Check the numbers of a model; `where` names them in messages.

    Raises
    ------
    BundleError
        Naming the part that is missing, unknown, of another length or out of its range; never its value.
    """
    try:
        facts = Facts.model_validate(content)
        training = _Training.model_validate(facts.training)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        part = ".".join(str(step) for step in first["loc"] if isinstance(step, int) or step.isidentifier())[:80]
        raise BundleError(f"{where}: {part or 'the whole'}: {first['msg']}") from None
    if (np.diff(facts.reference) < 0).any():
        raise BundleError(f"{where}: reference: quantiles must not fall")
    if training.age_range is not None and training.age_range[0] > training.age_range[1]:
        raise BundleError(f"{where}: training.age_range: the lower age is above the upper")
    return facts


def check_scores(facts: Facts, trees: Trees, where: str) -> None:
    """Raise BundleError if any row, whatever is in it, could be given a score that cannot be exponentiated."""
    shift = max(abs(value) for row in facts.log_mean for value in row)
    largest = facts.slope * max(abs(trees.lowest), abs(trees.highest)) + shift
    if not largest <= _LARGEST_SCORE:
        raise BundleError(f"{where}: the leaves allow a log rate ratio beyond {_LARGEST_SCORE:g}")
