"""The plan in a bundle, and its features in words."""

from __future__ import annotations

import tomllib
from typing import Any

from prodromal.errors import BundleError
from prodromal.features import FeaturePlan
from prodromal.risk.strict_json import check_texts

__all__ = ["check_features", "describe_features", "read_plan"]

_MOST_FEATURES = 10_000
_FURTHEST_DAYS = 366 * 120


def read_plan(data: bytes, where: str) -> FeaturePlan:
    """Read a plan, refusing beforehand one that would unfold into too much.

    Raises
    ------
    BundleError
        If it is no plan, has control characters in its texts, makes more than 10,000 features, or counts in
        more than 120 years.
    """
    document = _toml(data, where)
    check_texts(document, where)
    if _unfolded(document) > _MOST_FEATURES:
        raise BundleError(f"{where} makes more than {_MOST_FEATURES:,} features")
    try:
        plan = FeaturePlan.parse(data.decode("utf-8"), where)
    except ValueError as error:
        raise BundleError(f"{where} is no plan that this version can read") from error
    days = (plan.default_days_supply, plan.washout_days, *(window.to_days for window in plan.windows))
    if max(days) > _FURTHEST_DAYS:
        raise BundleError(f"{where} counts in more than 120 years")
    return plan


def describe_features(plan: FeaturePlan) -> list[dict[str, str]]:
    """What stands in ``features.json``, for readers in other languages than Python."""
    return [{"name": f.name, "unit": f.unit, "class": f.family, "sentence": f.sentence} for f in plan.features]


def check_features(found: Any, plan: FeaturePlan, where: str) -> None:
    """Raise BundleError unless ``features.json`` names the features of the plan, in order; its words may be older."""
    keys = {"name", "unit", "class", "sentence"}
    if not isinstance(found, list) or not all(
        isinstance(row, dict) and set(row) == keys and all(isinstance(text, str) for text in row.values())
        for row in found
    ):
        raise BundleError(f"{where}: features.json is no list of features")
    if tuple(row["name"] for row in found) != plan.names:
        raise BundleError(f"{where}: features.json and the plan do not belong together")


def _toml(data: bytes, where: str) -> dict[str, Any]:
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise BundleError(f"{where} is no TOML that can be read") from None


def _unfolded(document: dict[str, Any]) -> int:
    sizes = {
        name: len(part) if isinstance(part := document.get(name), list) else 0
        for name in ("groups", "windows", "measures", "since")
    }
    return sizes["groups"] * (sizes["windows"] * sizes["measures"] + sizes["since"])
