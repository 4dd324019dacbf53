"""Broken on purpose, the readers and writers of MEDS and FHIR fail the tests that hold them."""

from __future__ import annotations

import importlib
from datetime import datetime, timezone

import numpy as np
import pytest
from _pytest.outcomes import Failed

from prodromal.sources import codes
from prodromal.sources.fhir import settle
from prodromal.sources.fhir.outcomes import Outcomes
from prodromal.sources.meds import relations, survey, write
from tests.unit import test_fhir as fhir
from tests.unit import test_fhir_hostile as hostile
from tests.unit import test_meds as meds
from tests.unit import test_meds_write as written

# `fhir.source` and the like are modules; the package offers classes under other names.
drugs, parse, pick, lines, source = (
    importlib.import_module(f"prodromal.sources.fhir.{name}") for name in ("drugs", "parse", "pick", "lines", "source")
)


def in_utc(moment):
    if moment is None or "T" not in moment:
        return moment
    return datetime.fromisoformat(moment.replace(":60Z", ":59Z")).astimezone(timezone.utc).date().isoformat()  # noqa: UP017


def versions(folder):
    older, newer = fhir.version(1, "9"), fhir.version(1, "10", whenHandedOver="2011-01-01")
    for turned in (False, True):
        fhir.test_the_latest_version_counts_and_older_ones_are_duplicates(folder, older, newer, turned)


def single_codes(folder):
    fhir.test_mapped_codes(folder, codes.SeveralCodes.SINGLE_ONLY, ["J01CA04", "N05BA01"], {"several_codes": 1}, 0)


def there_and_back(folder):
    register = written.register.__wrapped__(Temporary(folder))
    dataset = written.dataset.__wrapped__(register, Temporary(folder))
    written.test_there_and_back_again(register, dataset, folder)


class Temporary:
    def __init__(self, folder):
        self.folder = folder

    def mktemp(self, name):
        (self.folder / name).mkdir()
        return self.folder / name


def hides(name):
    sound = write.of_table
    return lambda table, rows, words: sound(table, rows.slice(0, 0) if table == name else rows, words)


SABOTAGE = {
    "cancelled dispenses count": (pick, "DISPENSED", {}, fhir.test_dispenses_left_out),
    "plans count as orders": (pick.Picks, "request", pick.Picks.dispense, fhir.test_requests_left_out),
    "days are taken in UTC": (pick, "day", in_utc, fhir.test_the_day_is_the_local_day_as_written),
    "versions are not settled": (source, "settle_versions", lambda connection: None, versions),
    "versions are compared as text": (settle, "_VERSION_NUMBER", "0", versions),
    "codes of a group count beside its drug": (
        drugs,
        "deepest",
        tuple,
        fhir.test_an_atc_code_comes_before_a_mapped_one_and_a_group_gives_way_to_its_drug,
    ),
    "several codes are all taken": (codes.SeveralCodes, "choose", lambda self, found: tuple(found), single_codes),
    "replaced records stay": (
        settle,
        "_end_of",
        lambda old, newer: None,
        fhir.test_chains_are_followed_and_replaces_is_the_same_the_other_way_round,
    ),
    "any condition is the outcome": (Outcomes, "named", lambda self, codings: "ALS", fhir.test_conditions),
    "repeated keys are not looked for": (
        parse,
        "_quotes_differ",
        lambda line, resource: False,
        hostile.test_every_hostile_line_is_rejected_by_its_rule_or_read_for_what_it_is,
    ),
    "unreadable lines are left out without a word": (
        parse,
        "_what_is_wrong",
        lambda line: (None, ""),
        hostile.test_every_hostile_line_is_rejected_by_its_rule_or_read_for_what_it_is,
    ),
    "gzip is not measured": (lines, "_RATIO", 10**9, hostile.test_a_gzip_bomb_is_refused_before_it_fills_anything),
    "gzip is measured late": (
        lines,
        "_RATIO_FROM",
        16 << 20,
        hostile.test_a_bomb_of_empty_objects_is_refused_before_its_first_line_is_read,
    ),
    "gzip is measured by what was taken ahead": (
        lines,
        "_STEP",
        1 << 17,
        hostile.test_a_bomb_of_empty_objects_is_refused_before_its_first_line_is_read,
    ),
    "codes of death are not known": (
        relations,
        "is_code",
        lambda name: f"code = '{name}'",
        lambda folder: meds.test_birth_and_death_may_be_told_more_closely(folder, "MEDS_BIRTH"),
    ),
    "the number is taken for DDDs unasked": (
        relations,
        "_dispensings",
        lambda words, value, sound=relations._dispensings: sound(words, "ddd"),
        lambda folder: meds.test_the_number_is_what_it_is_said_to_be_and_nothing_without_a_word(
            folder, None, (None, None, None)
        ),
    ),
    "follow-up is not written": (write, "of_table", hides("follow_up"), there_and_back),
    "an index date is its own prediction time": (
        written,
        "prediction_times",
        lambda dates: dates.astype("datetime64[us]"),
        lambda folder: written.test_an_index_date_is_the_end_of_the_day_before_and_comes_back(),
    ),
    "a prediction at noon counts its whole day": (
        written,
        "index_dates",
        lambda times, times_of_day: times.astype("datetime64[D]") + np.timedelta64(1, "D"),
        lambda folder: written.test_nothing_after_a_prediction_time_lies_before_its_index_date(),
    ),
}


@pytest.mark.parametrize("name", SABOTAGE)
def test_a_broken_part_is_caught(name, monkeypatch, tmp_path):
    place, attribute, value, test = SABOTAGE[name]
    monkeypatch.setattr(place, attribute, value)
    with pytest.raises((AssertionError, Failed)):
        test(tmp_path)


def test_an_unchecked_order_is_caught(monkeypatch, tmp_path):
    sound = survey._FileReading._follow
    monkeypatch.setattr(survey._FileReading, "_follow", lambda self, *rows: 0 * sound(self, *rows))
    with pytest.raises(Failed):
        meds.test_layouts_that_are_refused(tmp_path, "unsorted")


def test_labels_that_forget_the_lag_are_caught(monkeypatch, tmp_path):
    sound = written.labels
    monkeypatch.setattr(written, "labels", lambda cohort, lag_days, **asked: sound(cohort, lag_days=0, **asked))
    with pytest.raises(AssertionError):
        written.test_labels_have_the_schema_of_meds_and_leave_out_whom_censoring_hides(tmp_path)
