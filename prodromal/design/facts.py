"""What designs ask about people: when first diagnosed, and whether at risk on a day."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from prodromal.design.split import family_components
from prodromal.register.persons import NEVER, SEXES, UNKNOWN_DAY, Persons

if TYPE_CHECKING:
    import pandas as pd

    from prodromal.design.cohort import Outcome
    from prodromal.register import Register

__all__ = ["Facts"]

_Rows = npt.NDArray[np.int64]
_Days = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Facts:
    """Persons with their first diagnosis (``NEVER`` if undiagnosed) and family."""

    persons: Persons
    diagnosed: _Days
    family: _Rows
    outcome: Outcome

    @classmethod
    def of(cls, register: Register, outcome: Outcome) -> Facts:
        """Look the outcome up in a register."""
        diagnosed = np.full(len(register.persons), NEVER, dtype=np.int32)
        rows, days = register.diagnoses(outcome.name)
        diagnosed[rows[rows >= 0]] = days[rows >= 0]
        return cls(register.persons, diagnosed, family_components(register), outcome)

    @property
    def usable(self) -> npt.NDArray[np.bool_]:
        """Birth date and sex are known, and the person stands for somebody in the population."""
        people = self.persons
        return np.asarray((people.birth != UNKNOWN_DAY) & (people.sex != 2) & (people.weight > 0))

    def followed(self, rows: _Rows, index: Any, until: Any) -> npt.NDArray[np.bool_]:
        """Observed long enough before the index day, and alive, resident and undiagnosed up to and on day `until`."""
        people = self.persons
        return np.asarray(
            (people.observed_from[rows] <= index - self.outcome.min_history_days)
            & (people.observed_to[rows] >= until)
            & (people.death[rows] > until)
            & (self.diagnosed[rows] > until)
        )

    def frame(self, rows: _Rows, index: _Days) -> pd.DataFrame:
        """Keys, matching variables and outcome of people at index days, as ``Cohort.frame`` has them."""
        import pandas as pd

        people, asked = self.persons, self.outcome
        end = index.astype(np.int64) + asked.horizon_days
        diagnosed, death, last = (x[rows].astype(np.int64) for x in (self.diagnosed, people.death, people.observed_to))
        event_day = np.minimum(np.minimum(diagnosed, death), np.minimum(last, end))
        event = np.where(diagnosed <= event_day, 1, np.where(death <= event_day, 2, 0))
        return pd.DataFrame(
            {
                "person_id": people.ids[rows],
                "person_row": rows,
                "index_date": index.astype("datetime64[D]").astype("datetime64[s]"),
                "sex": np.asarray(SEXES)[people.sex[rows]],
                "age_years": people.age_years(rows, index),
                "birth_year": people.birth_year[rows],
                "region": people.region[rows],
                "event": event.astype(np.int8),
                "time_days": (event_day - index).astype(np.int32),
                "weight": people.weight[rows],
                "family": self.family[rows],
            }
        )
