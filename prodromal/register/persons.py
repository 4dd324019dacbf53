"""Persons as columns of plain arrays, the form in which designs and features read them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["NEVER", "SEXES", "UNKNOWN_DAY", "Persons", "to_days"]

SEXES = ("M", "F", "U")
# Days since 1970-01-01 that stand for "no such day": later, or earlier, than any date.
NEVER = np.int32(2**31 - 1)
UNKNOWN_DAY = np.int32(-(2**31))


# What is known of all is looked up, unless fewer than this part of them are asked for.
_SOME = 16


def to_days(column: pa.ChunkedArray | pa.Array, missing: np.int32) -> npt.NDArray[np.int32]:
    """Dates as days since 1970-01-01, `missing` where there is none."""
    return np.asarray(pc.fill_null(column.cast(pa.int32()), int(missing)), dtype=np.int32)


@dataclass(frozen=True)
class Persons:
    """Columns of the persons table, each of shape (n_persons,); days count from 1970-01-01.

    Parameters
    ----------
    ids : ndarray of int64 or object (str)
        Ascending.
    sex : ndarray of int8
        Position in ``SEXES``.
    birth : ndarray of int32
        ``UNKNOWN_DAY`` if unknown.
    observed_from, observed_to : ndarray of int32
        First and last day of observation.
    death : ndarray of int32
        ``NEVER`` if alive.
    weight : ndarray of float64
        People in the population whom each stands for.
    region : ndarray of object (str)
        Empty if unknown.
    """

    ids: npt.NDArray[Any]
    sex: npt.NDArray[np.int8]
    birth: npt.NDArray[np.int32]
    observed_from: npt.NDArray[np.int32]
    observed_to: npt.NDArray[np.int32]
    death: npt.NDArray[np.int32]
    weight: npt.NDArray[np.float64]
    region: npt.NDArray[Any]

    @classmethod
    def from_arrow(cls, table: pa.Table) -> Persons:
        """Take the columns out of a persons table."""
        sex = pc.index_in(table.column("sex").cast(pa.string()), pa.array(SEXES))
        return cls(
            ids=table.column("person_id").to_numpy(),
            sex=np.asarray(pc.fill_null(sex, 2), dtype=np.int8),
            birth=to_days(table.column("birth_date"), UNKNOWN_DAY),
            observed_from=to_days(table.column("observed_from"), UNKNOWN_DAY),
            observed_to=to_days(table.column("observed_to"), NEVER),
            death=to_days(table.column("death_date"), NEVER),
            weight=np.asarray(pc.fill_null(table.column("sampling_weight"), 1.0), dtype=np.float64),
            region=pc.fill_null(table.column("region").cast(pa.string()), "").to_numpy(zero_copy_only=False),
        )

    def __len__(self) -> int:
        return len(self.ids)

    @cached_property
    def birth_year(self) -> npt.NDArray[np.int32]:
        """Year of birth; 0 if unknown."""
        years = self.birth.astype("datetime64[D]").astype("datetime64[Y]").astype(np.int64) + 1970
        return np.where(self.birth == UNKNOWN_DAY, 0, years).astype(np.int32)

    def rows(self, ids: npt.ArrayLike) -> npt.NDArray[np.int64]:
        """Rows of persons by id; -1 for an unknown id."""
        wanted = np.asarray(ids)
        if len(self) == 0 or (self.ids.dtype.kind in "iu") != (wanted.dtype.kind in "iu"):
            return np.full(len(wanted), -1, dtype=np.int64)
        wanted = wanted.astype(self.ids.dtype)
        places = np.minimum(np.searchsorted(self.ids, wanted), len(self) - 1)
        return np.where(self.ids[places] == wanted, places, -1).astype(np.int64)

    def first_days(
        self, ids: pa.ChunkedArray, dates: pa.ChunkedArray
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int32]]:
        """Rows that occur in `ids`, ascending, each with its earliest date in days."""
        rows = self.rows(ids.to_numpy())
        days = to_days(dates, NEVER)
        order = np.lexsort((days, rows))
        distinct, first = np.unique(rows[order], return_index=True)
        return distinct, days[order][first]

    def age_years(self, rows: npt.NDArray[np.int64], days: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
        """Whole years of age on given days; -1 if the birth date is unknown.

        Someone born on 29 February turns a year older on 1 March of a common year.
        """
        few = _SOME * len(rows) < len(self)
        year, month_day = _calendar(self.birth[rows]) if few else (part[rows] for part in self._born)
        on_year, on_month_day = _calendar(days[:1] if len(days) and (days == days[0]).all() else days)
        ages = on_year - year - (on_month_day < month_day)
        return np.where(self.birth[rows] == UNKNOWN_DAY, np.int32(-1), ages)

    @cached_property
    def _born(self) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        return _calendar(self.birth)


def _calendar(days: npt.NDArray[np.int32]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Years, and a number that orders the days within a year."""
    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    day = (dates - months.astype("datetime64[D]")).astype(np.int32)
    years, month = np.divmod(months.astype(np.int32), 12)
    return years + np.int32(1970), month * np.int32(32) + day
