"""Diagnosis-anchored sets: who stands beside a case, and what the register says of them."""

from __future__ import annotations

import numpy as np
import pytest

from prodromal.design import Comparator, draw_anchored_sets
from prodromal.errors import DefinitionError


@pytest.mark.parametrize("comparator", [c.value for c in Comparator])
def test_index_date_is_the_diagnosis_and_nobody_else_has_it_yet(world, comparator):
    frame = draw_anchored_sets(world.register, world.question, comparator=comparator, seed=1).frame
    rows, days = world.register.diagnoses("ALS")
    diagnosed = dict(zip(rows.tolist(), days.tolist(), strict=True))
    index = frame["index_date"].to_numpy().astype("datetime64[D]").astype(int)
    first = frame["person_row"].map(diagnosed).fillna(np.inf).to_numpy()
    case = frame["case"].to_numpy()
    assert (first[case] == index[case]).all()
    assert (first[~case] > index[~case]).all()
    assert not frame.duplicated(["set_id", "person_id"]).any()


@pytest.mark.parametrize("comparator", ["sibling", "spouse"])
def test_relatives_are_those_of_the_case(world, comparator):
    frame = draw_anchored_sets(world.register, world.question, comparator=comparator, seed=1).frame
    table = world.register.frame("relatives")
    table = table[table["relation"].astype(str) == comparator]
    known = set(zip(table["person_id"], table["relative_id"], strict=True))
    known |= {(b, a) for a, b in known}
    case_of = frame[frame["case"]].set_index("set_id")["person_id"]
    others = frame[~frame["case"]]
    assert {(case_of[s], p) for s, p in zip(others["set_id"], others["person_id"], strict=True)} <= known
    if comparator == "sibling":
        assert (
            others["family"].to_numpy() == frame[frame["case"]].set_index("set_id")["family"][others["set_id"]]
        ).all()


def test_an_unknown_comparator(world):
    with pytest.raises(DefinitionError, match="population, sibling, spouse"):
        draw_anchored_sets(world.register, world.question, comparator="cousin", seed=1)
