"""The tables of a register's quality, computed part by part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from prodromal.features import FeaturePlan
from prodromal.quality.people import by_age_and_sex, observed_in, person_years
from prodromal.quality.tally import OTHER, Tally, tally
from prodromal.register.gaps import expected_by_neighbours, is_gap

if TYPE_CHECKING:
    from collections.abc import Mapping

    from prodromal.register import Register

__all__ = ["Quality", "compute_quality"]

_TOP = 25
_QUANTILES = (0.01, 0.5, 0.99)


@dataclass(frozen=True)
class Quality:
    """A register in tables. Counts are exact: `release` suppresses the small ones.

    Parameters
    ----------
    tables : mapping of str to DataFrame
        ``account``: ``table, read, added, kept, duplicate, rejected, left_out``.
        ``reasons``: ``table, what`` (rejected, left out or repaired), ``reason, rows``.
        ``years``: ``year, people, person_years, dispensings, per_person_year``.
        ``classes``: ``year, class, dispensings, per_1000_person_years``.
        ``months``: ``month, people, dispensings, expected, gap``; the first and last month, seldom whole, left out.
        ``values``: ``column, rows, given, missing_share, zero, p1, p50, p99``; quantiles of positive values, to 1 %.
        ``ages``: ``age, sex, people`` on the reference day.
        ``coverage``: ``class, dispensings, share, codes``.
        ``uncovered``: ``atc, (name,) dispensings, share, people``: the commonest codes that no class of the plan has.
    facts : mapping
        ``people, people_with_dispensings, dispensings, first_month, last_month, reference_day, plan, simulated``.
    """

    tables: Mapping[str, pd.DataFrame]
    facts: Mapping[str, Any]


def compute_quality(
    register: Register, plan: FeaturePlan | None = None, *, names: Mapping[str, str] | None = None
) -> Quality:
    """Look at a register from all sides, one part in memory at a time.

    Parameters
    ----------
    register : Register
    plan : FeaturePlan, optional
        Whose classes are asked for; the psychiatric plan by default.
    names : mapping of str to str, optional
        Names of ATC codes, for the codes that no class of the plan has.

    Returns
    -------
    Quality
    """
    plan = plan or FeaturePlan.psychiatric()
    found = tally(register.parts, register.rows_per_person, plan.groups)
    span = _span(found)
    months = _months(register, found, span)
    day = _reference_day(span)
    tables = {
        **_accounts(register.manifest["account"]),
        **_years(register, found, span),
        "months": months,
        "values": _values(found),
        "ages": by_age_and_sex(register.persons, day),
        **_codes(found, plan, names or {}),
    }
    facts = {
        "people": len(register.persons),
        "people_with_dispensings": found.people,
        "dispensings": found.rows,
        "first_month": str(np.datetime64(int(span[0]), "M")) if len(span) else "",
        "last_month": str(np.datetime64(int(span[-1]), "M")) if len(span) else "",
        "reference_day": str(np.datetime64(day, "D")),
        "plan": plan.name,
        "simulated": register.simulated,
    }
    return Quality(tables, facts)


def _span(found: Tally) -> npt.NDArray[np.int64]:
    """All months from the first to the last dispensing."""
    if not found.by_month:
        return np.empty(0, dtype=np.int64)
    return np.arange(min(found.by_month), max(found.by_month) + 1, dtype=np.int64)


def _reference_day(span: npt.NDArray[np.int64]) -> int:
    """1 July of the last whole year of dispensings, or of the only one."""
    if not len(span):
        return 0
    last = int(span[-1]) // 12 - (int(span[-1]) % 12 != 11)
    year = max(last, int(span[0]) // 12)
    return int(np.datetime64(year * 12 + 6, "M").astype("datetime64[D]").astype(np.int64))


def _days(first: npt.NDArray[np.int64], unit: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    starts = first.astype(f"datetime64[{unit}]").astype("datetime64[D]").astype(np.int64)
    ends = (first + 1).astype(f"datetime64[{unit}]").astype("datetime64[D]").astype(np.int64) - 1
    return starts, ends


def _accounts(accounts: Mapping[str, Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
    rows, reasons = [], []
    for name, account in accounts.items():
        left_out = account.get("left_out", {})
        rows.append(
            {
                "table": name,
                "read": account["read"],
                "added": account.get("expanded", 0),
                "kept": account["kept"],
                "duplicate": account["duplicate"],
                "rejected": sum(account["rejected"].values()),
                "left_out": sum(left_out.values()),
            }
        )
        kinds = (("rejected", account["rejected"]), ("left out", left_out), ("repaired", account["repaired"]))
        reasons += [(name, what, reason, n) for what, counts in kinds for reason, n in sorted(counts.items())]
    columns = ["table", "read", "added", "kept", "duplicate", "rejected", "left_out"]
    by_reason = pd.DataFrame(reasons, columns=["table", "what", "reason", "rows"])
    return {"account": pd.DataFrame(rows, columns=columns), "reasons": by_reason}


def _years(register: Register, found: Tally, span: npt.NDArray[np.int64]) -> dict[str, pd.DataFrame]:
    years = np.unique(span // 12)
    starts, ends = _days(years, "Y")
    counts = np.zeros((len(years), len(found.families)), dtype=np.int64)
    for month, row in found.by_month.items():
        counts[month // 12 - years[0]] += row
    followed = person_years(register.persons, starts, ends)
    with np.errstate(divide="ignore", invalid="ignore"):
        rates = np.where(followed[:, None] > 0, counts / followed[:, None], np.nan)
    table = pd.DataFrame(
        {
            "year": years + 1970,
            "people": observed_in(register.persons, starts, ends),
            "person_years": followed,
            "dispensings": counts.sum(axis=1),
            "per_person_year": np.where(followed > 0, rates.sum(axis=1), np.nan),
        }
    )
    classes = pd.DataFrame(
        {
            "year": np.repeat(years + 1970, len(found.families)),
            "class": np.tile(found.families, len(years)),
            "dispensings": counts.ravel(),
            "per_1000_person_years": 1000 * rates.ravel(),
        }
    )
    return {"years": table, "classes": classes}


def _months(register: Register, found: Tally, span: npt.NDArray[np.int64]) -> pd.DataFrame:
    whole = span[1:-1]
    starts, ends = _days(whole, "M")
    people = observed_in(register.persons, starts, ends)
    none = np.zeros(len(found.families), np.int64)
    dispensings = np.array([found.by_month.get(int(month), none).sum() for month in whole], dtype=np.int64)
    expected = expected_by_neighbours(dispensings, people)
    return pd.DataFrame(
        {
            "month": whole.astype("datetime64[M]").astype(str),
            "people": people,
            "dispensings": dispensings,
            "expected": expected,
            "gap": is_gap(dispensings, expected),
        }
    )


def _values(found: Tally) -> pd.DataFrame:
    rows = []
    for column in ("ddd", "days_supply", "quantity"):
        given = found.given[column]
        quantiles = {f"p{share * 100:g}": found.quantile(column, share) for share in _QUANTILES}
        missing = 1 - given / found.rows if found.rows else float("nan")
        counts = {"column": column, "rows": found.rows, "given": given, "missing_share": missing}
        rows.append({**counts, "zero": found.zero[column], **quantiles})
    return pd.DataFrame(rows)


def _codes(found: Tally, plan: FeaturePlan, names: Mapping[str, str]) -> dict[str, pd.DataFrame]:
    family = {
        code: next((group.family for group in plan.groups if group.matches(code)), OTHER) for code in found.code_rows
    }
    total = max(found.rows, 1)
    covered = [
        {
            "class": name,
            "dispensings": sum(n for code, n in found.code_rows.items() if family[code] == name),
            "codes": sum(of == name for of in family.values()),
        }
        for name in found.families
    ]
    others = [code for code, _ in sorted(found.code_rows.items(), key=lambda item: (-item[1], item[0]))]
    top = [code for code in others if family[code] == OTHER][:_TOP]
    uncovered = pd.DataFrame(
        {
            "atc": top,
            **({"name": [names.get(code, "") for code in top]} if names else {}),
            "dispensings": [found.code_rows[code] for code in top],
            "share": [found.code_rows[code] / total for code in top],
            "people": [found.code_people[code] for code in top],
        }
    )
    coverage = pd.DataFrame(covered)
    return {"coverage": coverage.assign(share=coverage["dispensings"] / total), "uncovered": uncovered}
