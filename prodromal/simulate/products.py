"""What is dispensed: substances, packs and doses of each class, numbered in the order of their ATC codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from prodromal.simulate.rates import read_shipped

if TYPE_CHECKING:
    import numpy.typing as npt

__all__ = ["DOSES", "MAX_DAYS_SUPPLY", "PRODUCTS_PER_SUBSTANCE", "Products", "read_products"]

MAX_DAYS_SUPPLY = 90
DOSES = (0.5, 1.0, 1.5)
PRODUCTS_PER_SUBSTANCE = 2 * len(DOSES)


@dataclass(frozen=True)
class Products:
    """One row per substance x (first pack, refill) x dose; ``product // 6`` is the substance.

    Parameters
    ----------
    atc
        ATC codes in ascending order, shape (n_substances,).
    ddd, days, packages
        Defined daily doses (float32), days of supply (int16) and packages (int16) of a dispensing, shape (n_products,).
    of_class
        Substances of each class and their cumulative shares.
    """

    atc: tuple[str, ...]
    ddd: npt.NDArray[np.float32]
    days: npt.NDArray[np.int16]
    packages: npt.NDArray[np.int16]
    of_class: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]


def read_products() -> Products:
    """Read the shipped list of substances."""
    rows = sorted(read_shipped("prodromal.simulate", "substances.csv"), key=lambda row: row["atc"])
    packs = [_packs(row) for row in rows]
    ddd = [
        units * float(row["ddd_per_unit"]) * dose
        for row, pair in zip(rows, packs, strict=True)
        for units, _ in pair
        for dose in DOSES
    ]
    days = [
        min(MAX_DAYS_SUPPLY, round(units / float(row["units_per_day"])))
        for row, pair in zip(rows, packs, strict=True)
        for units, _ in pair
        for _ in DOSES
    ]
    packages = [count for pair in packs for _, count in pair for _ in DOSES]
    return Products(
        tuple(row["atc"] for row in rows),
        np.array(ddd, dtype=np.float32),
        np.array(days, dtype=np.int16),
        np.array(packages, dtype=np.int16),
        {name: _shares(rows, name) for name in dict.fromkeys(row["class"] for row in rows)},
    )


def _packs(row: dict[str, str]) -> tuple[tuple[float, int], tuple[float, int]]:
    packages = int(row["refill_packages"])
    return (float(row["start_units"]), 1), (float(row["refill_units"]) * packages, packages)


def _shares(rows: list[dict[str, str]], name: str) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    members = [index for index, row in enumerate(rows) if row["class"] == name]
    weights = np.array([float(rows[index]["weight"]) for index in members])
    return np.array(members), np.cumsum(weights) / weights.sum()
