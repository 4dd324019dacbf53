"""The people of a comparison: matched sets with index days, look-back and exposure."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.association.exposure import Definition, Histories
    from prodromal.design import Cohort
    from prodromal.register import Register

__all__ = ["Comparison"]

_Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Comparison:
    """Cases and those whom they are compared with.

    Parameters
    ----------
    name : str
        ``population``, ``sibling`` or ``spouse``.
    frame : DataFrame
        ``set_id, case, person_row, index_day, sex, age_years, family, observed_days``.
    histories : Histories
        Of everybody in it.
    """

    name: str
    frame: pd.DataFrame
    histories: Histories

    @classmethod
    def of(cls, name: str, cohort: Cohort, register: Register, histories: Histories) -> Comparison:
        """Take what the study needs from a cohort."""
        frame = cohort.frame[["set_id", "case", "person_row", "sex", "age_years", "family"]].copy()
        days = cohort.frame["index_date"].to_numpy().astype("datetime64[D]").astype(np.int64)
        frame["index_day"] = days
        frame["observed_days"] = days - register.persons.observed_from[frame["person_row"].to_numpy()]
        return cls(name, frame.reset_index(drop=True), histories)

    @cached_property
    def case(self) -> npt.NDArray[np.bool_]:
        """Whether each row is a case."""
        return self.frame["case"].to_numpy(dtype=bool)

    @property
    def rows(self) -> _Ints:
        """Row of each in the persons table."""
        return self.frame["person_row"].to_numpy(dtype=np.int64)

    @property
    def day(self) -> _Ints:
        """Index day of each."""
        return self.frame["index_day"].to_numpy(dtype=np.int64)

    @property
    def sets(self) -> int:
        """Matched sets."""
        return int(self.frame["set_id"].nunique())

    @property
    def matched_on_age_and_sex(self) -> bool:
        """Whether the design matched on them."""
        return self.name == "population"

    def seen(self, days: int) -> Comparison:
        """Those observed so long before the index day, in sets that keep their case and somebody else."""
        return self.where(self.frame["observed_days"].to_numpy() >= days)

    def where(self, keep: npt.NDArray[np.bool_]) -> Comparison:
        """Some rows; sets that lose their case or all others go whole."""
        frame = self.frame[keep]
        if len(frame):
            sets = frame.groupby("set_id")["case"]
            frame = frame[(sets.transform("sum") == 1) & (sets.transform("size") > 1)]
        return Comparison(self.name, frame.reset_index(drop=True), self.histories)

    def used(self, name: str, definition: Definition, lag_days: int = 0) -> npt.NDArray[np.bool_]:
        """Who had used a class more than `lag_days` before the index day."""
        return self.histories.used_before(name, self.rows, self.day, definition, lag_days)

    def windows(self, name: str, definition: Definition) -> dict[str, npt.NDArray[np.bool_]]:
        """Who had used a class, by the window of first use."""
        return self.histories.by_window(name, self.rows, self.day, definition)

    def adjustment(self) -> pd.DataFrame:
        """What the design did not match on: sex, age in decades, its square, and sex by age; empty if matched."""
        import pandas as pd

        if self.matched_on_age_and_sex:
            return pd.DataFrame(index=self.frame.index)
        woman = (self.frame["sex"] == "F").to_numpy(dtype=float)
        age = (self.frame["age_years"].to_numpy(dtype=float) - 65) / 10
        return pd.DataFrame({"woman": woman, "age": age, "age squared": age**2, "woman by age": woman * age})
