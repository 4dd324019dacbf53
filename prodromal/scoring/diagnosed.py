"""Who has the outcome already: people for whom the question cannot be asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from prodromal.register.persons import NEVER

if TYPE_CHECKING:
    import numpy.typing as npt
    import pyarrow as pa

    from prodromal.register import Persons, Register

__all__ = ["Diagnosed"]


class Diagnosed(NamedTuple):
    """Diagnoses of one outcome in a register; few, so that every part may have all of them."""

    person_id: pa.ChunkedArray
    diagnosed_on: pa.ChunkedArray

    @classmethod
    def of(cls, register: Register, outcome: str) -> Diagnosed | None:
        """Those of an outcome; None if the register names none.

        Raises
        ------
        DataError
            If the table is damaged.
        """
        if not register.has("outcomes"):
            return None
        chosen = register.of_outcome(outcome)
        return cls(chosen.column("person_id"), chosen.column("diagnosed_on")) if chosen.num_rows else None

    def first_days(self, people: Persons) -> npt.NDArray[np.int32]:
        """Day of each person's first diagnosis since 1970-01-01; far in the future where there is none."""
        found = np.full(len(people), NEVER, dtype=np.int32)
        rows, days = people.first_days(self.person_id, self.diagnosed_on)
        found[rows[rows >= 0]] = days[rows >= 0]
        return found
