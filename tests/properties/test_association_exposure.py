"""Exposure equals its definition, read off one person's dispensings at a time."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import product

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from prodromal.association.exposure import ALL_CLASSES, WINDOWS, Definition, Histories
from prodromal.features.reference import Dispensing, Person
from tests.generators import Cohort, cohorts, write_register

LAGS = (0, 30, 365)
EDGES = (-1, 0, 1, 30, 31, 364, 365, 366, 1825, 1826, 1827, 3000)
INDEX = date(2020, 6, 1)


def slowly(bought, day, prefix, definition, lag):
    """Days since the first dispensing of a user, else None; nothing on the index day or in the lag counts."""
    days = sorted(d.dispensed_on for d in bought if d.atc.startswith(prefix) and d.dispensed_on < day - timedelta(lag))
    enough = {Definition.RECURRENT: 2, Definition.FIRST_USE: 1}[definition]
    return (day - days[0]).days if len(days) >= enough else None


def agree(cohort, asked, rows_per_part):
    register = write_register(cohort, rows_per_part=rows_per_part)
    rows = register.persons.rows([i for i, _ in asked])
    index = np.array([(day - date(1970, 1, 1)).days for _, day in asked], dtype=np.int64)
    histories = Histories.read(register, rows, ALL_CLASSES)
    for group, definition in product(ALL_CLASSES, Definition):
        windows = histories.by_window(group.name, rows, index, definition)
        assert list(windows) == list(WINDOWS)
        used = {lag: histories.used_before(group.name, rows, index, definition, lag) for lag in LAGS}
        for k, (i, day) in enumerate(asked):
            since = [slowly(cohort.dispensings[i], day, group.atc, definition, lag) for lag in LAGS]
            assert [bool(used[lag][k]) for lag in LAGS] == [s is not None for s in since]
            days = since[0]
            expected = [] if days is None else ["0-1" if days <= 365 else ">1-5" if days <= 1826 else ">5"]
            assert [name for name in WINDOWS if windows[name][k]] == expected


def test_use_and_its_window_at_every_edge():
    """Two dispensings at every pair of days on, beside and around the edges of the windows."""
    pairs = list(product(EDGES, EDGES))
    persons = {n: Person("F", None, date(2000, 1, 1), date(2025, 1, 1)) for n in range(len(pairs))}
    # Every third person has two classes.
    codes = {n: ("N06AB04", "N05CF01" if n % 3 == 0 else "N06AB04") for n in persons}
    bought = {
        n: [Dispensing(INDEX - timedelta(d), c, None, None) for d, c in zip(pairs[n], codes[n], strict=True)]
        for n in persons
    }
    agree(Cohort(persons, bought, []), [(n, INDEX) for n in persons], 50)


@settings(max_examples=25)
@given(cohorts(), st.integers(1, 3), st.sampled_from((0, 1, 300, 366, 1700, 1830)))
def test_use_and_its_window(cohort, rows_per_part, later):
    """Any histories, ids and parts; index days up to five years after the dispensings."""
    agree(cohort, [(i, day + timedelta(later)) for i, day in cohort.asked], rows_per_part)
