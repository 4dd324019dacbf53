"""Counts of dispensings, added up part by part in bounded memory."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prodromal.atc import AtcGroup
    from prodromal.register import Part

__all__ = ["OTHER", "Tally", "tally"]

OTHER = "Other medicines"
_COLUMNS = ("dispensed_on", "atc", "ddd", "days_supply", "quantity")
_VALUES = ("ddd", "days_supply", "quantity")
# Bins of 1 % from 0.001 to about 450,000.
_BIN, _LEAST, _BINS = np.log(1.01), 0.001, 2_000


@dataclass
class Tally:
    """Sums over the parts read so far.

    Attributes
    ----------
    families : tuple of str
        Classes of the plan, and the other medicines last.
    by_month : dict of int to int array of shape (n_families,)
        Dispensings by month (months since 1970-01) and class.
    code_rows, code_people : Counter of str
        Dispensings and people by code.
    given, zero : Counter of str
        Rows with a value, and with a zero, by column.
    bins : dict of str to int array
        Rows by logarithmic bin, by column.
    people : int
        People with a dispensing.
    """

    families: tuple[str, ...]
    by_month: dict[int, npt.NDArray[np.int64]] = field(default_factory=dict)
    code_rows: Counter[str] = field(default_factory=Counter)
    code_people: Counter[str] = field(default_factory=Counter)
    given: Counter[str] = field(default_factory=Counter)
    zero: Counter[str] = field(default_factory=Counter)
    bins: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)
    rows: int = 0
    people: int = 0

    def quantile(self, column: str, share: float) -> float:
        """A quantile of the positive values, to 1 %; NaN if there are none."""
        counts = self.bins.get(column)
        if counts is None or not counts.sum():
            return float("nan")
        place = int(np.searchsorted(np.cumsum(counts), share * counts.sum()))
        return float(_LEAST * np.exp(_BIN * (place + 0.5)))


def tally(parts: Sequence[Part], rows_per_person: npt.NDArray[np.int32], groups: Sequence[AtcGroup]) -> Tally:
    """Count the dispensings of all parts.

    Parameters
    ----------
    parts : sequence of Part
        Of a register.
    rows_per_person : int array of shape (n_persons,)
        Of the register.
    groups : sequence of AtcGroup
        A code belongs to the family of the first group that it matches.
    """
    found = Tally((*dict.fromkeys(group.family for group in groups), OTHER))
    known: dict[str, int] = {}
    for part in parts:
        per_person = rows_per_person[part.first_person : part.first_person + part.persons]
        found.people += int(np.count_nonzero(per_person))
        found.rows += part.rows
        table = part.read(_COLUMNS)
        codes, places = _dictionary(table.column("atc"))
        for code in codes:
            if code not in known:
                known[code] = _family(code, groups, found.families)
        _add_months(found, table, np.array([known[code] for code in codes], dtype=np.int64)[places])
        _add_codes(found, codes, places, per_person)
        for name in _VALUES:
            _add_values(found, name, table.column(name))
    return found


def _family(code: str, groups: Sequence[AtcGroup], families: Sequence[str]) -> int:
    match = next((group.family for group in groups if group.matches(code)), OTHER)
    return families.index(match)


def _dictionary(column: pa.ChunkedArray) -> tuple[list[str], npt.NDArray[np.int64]]:
    one = column.unify_dictionaries().combine_chunks()
    array = one.chunk(0) if isinstance(one, pa.ChunkedArray) and one.num_chunks else one
    if not len(array):
        return [], np.empty(0, dtype=np.int64)
    return array.dictionary.to_pylist(), np.asarray(array.indices, dtype=np.int64)


def _add_months(found: Tally, table: pa.Table, family: npt.NDArray[np.int64]) -> None:
    days = np.asarray(table.column("dispensed_on").cast(pa.int32()), dtype=np.int64)
    months = days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)
    width = len(found.families)
    if not len(months):
        return
    first, last = int(np.min(months)), int(np.max(months))
    counts = np.bincount((months - first) * width + family, minlength=(last - first + 1) * width)
    for offset, row in enumerate(counts.reshape(-1, width)):
        if row.any():
            found.by_month[first + offset] = found.by_month.get(first + offset, np.zeros(width, np.int64)) + row


def _add_codes(
    found: Tally, codes: Sequence[str], places: npt.NDArray[np.int64], per_person: npt.NDArray[np.int32]
) -> None:
    person = np.repeat(np.arange(len(per_person), dtype=np.int64), per_person)
    pairs = np.unique(person * max(len(codes), 1) + places)
    rows = np.bincount(places, minlength=len(codes))
    people = np.bincount(pairs % max(len(codes), 1), minlength=len(codes))
    found.code_rows.update(dict(zip(codes, rows.tolist(), strict=True)))
    found.code_people.update(dict(zip(codes, people.tolist(), strict=True)))


def _add_values(found: Tally, name: str, column: pa.ChunkedArray) -> None:
    values: npt.NDArray[Any] = np.asarray(pc.drop_null(column), dtype=np.float64)
    found.given[name] += len(values)
    found.zero[name] += int((values == 0).sum())
    positive = values[values > 0]
    bins = np.clip(np.log(positive / _LEAST) / _BIN, 0, _BINS - 1).astype(np.int64)
    found.bins[name] = found.bins.get(name, np.zeros(_BINS, np.int64)) + np.bincount(bins, minlength=_BINS)
