"""Too many rejected rows: the sentence says what to try."""

from __future__ import annotations

import pytest

from prodromal.errors import DataError
from prodromal.sources.rejections import refuse_too_many
from prodromal.tables import RULES, Account


def told(table="dispensings", of_text=True, max_rejected=0.001, **rejected):
    total = sum(rejected.values())
    with pytest.raises(DataError) as caught:
        refuse_too_many(Account(table, total, 0, rejected=rejected), max_rejected, of_text=of_text)
    return str(caught.value)


def test_the_whole_sentence():
    assert told(malformed_dispensed_on=50) == (
        "dispensings: 50 of 50 rows would be rejected (malformed_dispensed_on 50), more than the 0.1 % allowed: "
        "state the form of dispensed_on, e.g. --date-format %d/%m/%Y or %Y-%m-%d; "
        "--max-rejected 100% keeps going and lists each row in rejected.parquet"
    )


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("malformed_ddd", "--decimal ,"),
        ("wrong_encoding", "--encoding latin-1"),
        ("extra_columns", "--delimiter"),
        ("unknown_person", "not among persons"),
        ("conflicting_person", "twice with different facts"),
        ("malformed_atc", "ATC such as N06AB04"),
        ("future", "after --extracted-on"),
        ("undated_dispensed_on", "--map dispensings.dispensed_on=COLUMN"),
        ("outside_observation", "lies outside the person's observation"),
        ("unmatched_return", "mend the source"),
    ],
)
def test_each_rule_has_its_hint(rule, words):
    assert words in told(**{rule: 3})


def test_rules_that_reject_few_of_the_rows_have_none():
    sentence = told(unknown_person=60, malformed_atc=30, future=10)
    assert "not among persons" in sentence
    assert "N06AB04" in sentence
    assert "--extracted-on" not in sentence


def test_sources_without_the_options_of_text_are_not_told_of_them():
    for table, rules in RULES.items():
        for rule in rules:
            sentence = told(table, of_text=False, **{rule.name: 1})
            options = {word.rstrip(";") for word in sentence.split() if word.startswith("--")}
            assert options <= {"--max-rejected", "--extracted-on"}


def test_as_many_as_allowed_pass():
    refuse_too_many(Account("persons", 1000, 999, rejected={"future": 1}), 0.001)
