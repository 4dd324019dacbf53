"""Broken on purpose, the OMOP source fails the tests that hold it."""

from __future__ import annotations

import importlib
from collections import defaultdict

import pytest

from tests.unit import test_omop_codes as codes
from tests.unit import test_omop_doses as doses
from tests.unit import test_omop_people as people

ROOM = "prodromal.sources.omop"


def swapped(module, name, old, new):
    """A text of SQL with a part of it exchanged."""

    def apply(monkeypatch):
        found = importlib.import_module(f"{ROOM}.{module}")
        assert old in getattr(found, name)
        monkeypatch.setattr(found, name, getattr(found, name).replace(old, new))

    return apply


def replaced(module, name, broken):
    """A function exchanged for one that is made from it."""

    def apply(monkeypatch):
        found = importlib.import_module(f"{ROOM}.{module}")
        monkeypatch.setattr(found, name, broken(getattr(found, name)))

    return apply


class First(set):
    """A set that keeps what came first."""

    def add(self, item):
        if not self:
            super().add(item)


def way(place):
    return lambda folder: codes.test_the_way_to_a_code(folder, *codes.WAYS[place])


def spell(place):
    return lambda folder: people.test_the_longest_spell_is_the_observation(folder, *people.SPELLS[place])


SABOTAGE = {
    "periods that touch are kept apart": (
        swapped("people", "_SPELLS", "starts > 1 + max", "starts >= 1 + max"),
        spell(1),
    ),
    "the first spell is taken": (swapped("people", "_SPELLS", "ends - starts DESC, starts DESC", "starts"), spell(4)),
    "spells reach beyond the extract": (swapped("people", "_SPELLS", "least({end}, {latest})", "{end}"), spell(6)),
    "a year alone becomes 1 January": (
        swapped("people", "_BIRTH", "month_of_birth IS NULL THEN ''", "month_of_birth IS NULL THEN '-01-01'"),
        people.test_birth_comes_from_its_fields_and_sex_from_its_concept,
    ),
    "sexes are exchanged": (
        replaced("people", "_MALE", lambda _: 8532),
        people.test_birth_comes_from_its_fields_and_sex_from_its_concept,
    ),
    "deaths that cannot be read are dropped": (
        replaced(
            "people", "_deaths", lambda _: lambda connection: importlib.import_module(f"{ROOM}.people")._NO_DEATHS
        ),
        people.test_a_death_that_cannot_be_read_does_not_make_a_person_live,
    ),
    "ids are rounded": (
        replaced("values", "_whole", lambda _: lambda value, kind, *, text: f"try_cast({value} AS BIGINT)"),
        lambda folder: people.test_a_faulty_exposure_is_rejected_by_its_rule(folder, "missing_person_id"),
    ),
    "what is no id is 0": (
        replaced("values", "_whole", lambda sound: lambda *a, **k: f"coalesce({sound(*a, **k)}, 1)"),
        lambda folder: people.test_ids_are_whole_numbers_however_written(folder, "9" * 30, []),
    ),
    "dates of one form only": (
        replaced("values", "_date_in_text", lambda _: lambda value: value),
        spell(9),
    ),
    "descendants are forgotten": (
        replaced("preparation", "descendants", lambda _: lambda c, t, ids: {i: frozenset({i}) for i in ids}),
        lambda folder: people.test_outcomes_by_concepts_and_by_cohort(
            folder, "ALS=700", [(1, "2012-02-29"), (2, "2014-01-01")]
        ),
    ),
    "groups count beside substances": (
        replaced("drugs", "_most_exact", lambda _: tuple),
        way(0),
    ),
    "the mapping goes before the vocabulary": (
        replaced("drugs", "_codes", lambda _: lambda concepts: []),
        way(11),
    ),
    "any vocabulary's code is taken for RxNorm's": (replaced("drugs", "_RXNORM", lambda old: (*old, "CVX")), way(14)),
    "any text is taken for a code": (swapped("exposures", "_WRITTEN", "[A-Z]{2}(", "[A-Z]{1,2}("), way(6)),
    "only the first of several codes": (
        replaced(
            "exposures",
            "fill",
            lambda sound: (
                lambda c, name, types, rows: sound(c, name, types, [r for r in rows if name != "omop_atc" or r[1] == 0])
            ),
        ),
        lambda folder: codes.test_several_codes(folder, *codes.SEVERAL[0]),
    ),
    "grams are milligrams": (
        replaced("doses", "_MILLIGRAMS", lambda old: {**old, "g": 1.0}),
        lambda folder: doses.test_doses_by_strength(folder, "grams"),
    ),
    "the first route's dose is taken": (
        replaced("doses", "defaultdict", lambda _: lambda kind: defaultdict(First if kind is set else kind)),
        lambda folder: doses.test_doses_by_strength(folder, "routes that disagree"),
    ),
    "other spells do not matter": (
        replaced(
            "exposures",
            "_person_joins",
            lambda sound: lambda c: (sound(c) and "FALSE AS unobserved, FALSE AS elsewhere", ""),
        ),
        people.test_what_lies_outside_the_observation_is_left_out_or_rejected,
    ),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_sabotage_is_seen(name, tmp_path, monkeypatch):
    breaks, test = SABOTAGE[name]
    breaks(monkeypatch)
    with pytest.raises(AssertionError):
        test(tmp_path)
