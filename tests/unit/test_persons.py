"""Age in whole years equals the calendar's."""

from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from prodromal.features.reference import Person, age_years
from prodromal.register.persons import Persons

dates = st.dates(date(1900, 1, 1), date(2030, 12, 31))


@given(birth=dates, on=dates)
def test_age_is_the_calendars(birth, on):
    table = pa.table(
        {
            "person_id": pa.array([1]),
            "sex": pa.array(["F"]),
            **{name: pa.array([birth], pa.date32()) for name in ("birth_date", "observed_from", "observed_to")},
            "death_date": pa.array([None], pa.date32()),
            "region": pa.array([None], pa.string()),
            "sampling_weight": pa.array([None], pa.float32()),
        }
    )
    days = np.asarray([(on - date(1970, 1, 1)).days], dtype=np.int32)
    expected = age_years(Person("F", birth, birth, birth), on)
    assert Persons.from_arrow(table).age_years(np.asarray([0]), days)[0] == expected
