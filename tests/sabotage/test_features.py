"""Broken on purpose, the engines fail the spec tables."""

from __future__ import annotations

from types import MappingProxyType

import numpy as np
import pytest

from prodromal.features import reference
from tests.spec.tables import FOLDER, read_cases
from tests.spec.test_features import test_the_fast_engine_keeps_the_table as fast_engine_keeps
from tests.spec.test_features import test_the_reference_keeps_the_table as reference_keeps


def fails(test, measure):
    def is_caught(case):
        try:
            test(case)
        except AssertionError:
            return True
        return False

    return any(is_caught(case) for case in read_cases(FOLDER / f"{measure}.txt"))


def no_window_needs_observation(shape):
    return shape._replace(needed_days=np.full_like(shape.needed_days, -(10**6)))


SHAPES = {
    "far edge closed": ("count", lambda s: s._replace(marks=s.marks + (s.marks > 1).astype(np.int32))),
    "near edge open": ("count", lambda s: s._replace(marks=s.marks + (s.marks == 1).astype(np.int32))),
    "missing as zero": ("count", no_window_needs_observation),
    "min_coverage ignored": (
        "count",
        lambda s: s._replace(needed_days=(s.marks[s.far] - s.marks[s.near]).astype(np.int32)),
    ),
    "washout ignored": ("initiated", lambda s: s._replace(washout_days=0)),
    "washout a day too long": ("initiated", lambda s: s._replace(washout_days=s.washout_days + 1)),
    "default supply ignored": ("days_covered", lambda s: s._replace(default_days_supply=30)),
    "ddd in the place of recurrent": ("recurrent", lambda s: s._replace(slot=s.slot[[1, 0, 2, 3, 4, 5, 6, 7, 8, 9]])),
    "last is first": ("days_since_last", lambda s: s._replace(slot=s.slot[[0, 1, 2, 3, 4, 5, 6, 8, 7, 9]])),
    "first is last": ("days_since_first", lambda s: s._replace(slot=s.slot[[0, 1, 2, 3, 4, 5, 6, 8, 7, 9]])),
    "ever is last": ("ever_recurrent", lambda s: s._replace(slot=s.slot[[0, 1, 2, 3, 4, 5, 6, 9, 8, 7]])),
    "substances are switches": ("substances", lambda s: s._replace(slot=s.slot[[0, 1, 2, 3, 4, 6, 5, 7, 8, 9]])),
    "switches are substances": ("switches", lambda s: s._replace(slot=s.slot[[0, 1, 2, 3, 4, 6, 5, 7, 8, 9]])),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_broken_shape_of_the_fast_engine_is_caught(name, monkeypatch):
    import importlib

    module = importlib.import_module("prodromal.features.building")
    measure, breaks = SHAPES[name]
    assert not fails(fast_engine_keeps, measure)
    sound = module._shape
    monkeypatch.setattr(module, "_shape", lambda plan: breaks(sound(plan)))
    assert fails(fast_engine_keeps, measure)


def test_an_index_day_that_is_inside_is_caught(monkeypatch):
    from prodromal.features.index_dates import IndexDates

    sound = IndexDates.of.__func__

    def a_day_late(cls, register, frame):
        dates = sound(cls, register, frame)
        return IndexDates(dates.person_row, dates.day + np.int32(1))

    monkeypatch.setattr(IndexDates, "of", classmethod(a_day_late))
    for measure in ("count", "ddd", "days_since_last", "days_covered", "days_since_first"):
        assert fails(fast_engine_keeps, measure), measure


def test_a_code_of_no_group_that_is_kept_is_caught(monkeypatch):
    from prodromal.features.collect import Reader

    monkeypatch.setattr(Reader, "_groups", lambda self, code: tuple(range(len(self._plan.groups))))
    assert fails(fast_engine_keeps, "count")


def summed(view):
    """Supplies added up, as if no two ever overlapped."""
    return float(sum(reference.days_of_supply(d, view.plan) for d in view.inside))


def cut_at_the_window(view):
    """Only supplies dispensed inside the window."""
    days = {d.dispensed_on.toordinal() + k for d in view.inside for k in range(reference.days_of_supply(d, view.plan))}
    return float(len(days & {day.toordinal() for day in view.days}))


MEANINGS = {
    "union as sum": ("days_covered", summed),
    "supply from before forgotten": ("days_covered", cut_at_the_window),
    "washout ignored": (
        "initiated",
        lambda v: float(bool(v.before) and min(d.dispensed_on for d in v.before) in v.days),
    ),
    "any dispensing initiates": ("initiated", lambda v: float(bool(v.inside))),
    "once is recurrent": ("recurrent", lambda v: float(bool(v.inside))),
    "short codes are substances": ("substances", lambda v: float(len({d.atc for d in v.inside}))),
    "switches are substances but one": ("switches", lambda v: max(0.0, reference.substances(v) - 1)),
    "days with a dispensing": ("count", lambda v: float(len({d.dispensed_on for d in v.inside}))),
    "missing ddd as one": ("ddd", lambda v: sum(1.0 if d.ddd is None else d.ddd for d in v.inside)),
}


@pytest.mark.parametrize("name", MEANINGS)
def test_a_broken_meaning_is_caught(name, monkeypatch):
    measure, broken = MEANINGS[name]
    assert not fails(reference_keeps, measure)
    monkeypatch.setattr(reference, "WINDOW", MappingProxyType({**reference.WINDOW, measure: broken}))
    assert fails(reference_keeps, measure)
