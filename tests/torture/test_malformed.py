"""Mutated deliveries, at the numbers of the suite; ``scripts/torture`` has the full ones."""

from __future__ import annotations

import pytest

from tests.torture.malformed import findings
from tests.torture.promises import few

TRIALS = few("malformed_csv")


@pytest.mark.parametrize("form", ["csv", "parquet", "fhir", "meds"])
def test_no_malformed_file_crashes_or_is_silently_misread(form):
    assert findings(form, TRIALS, seed=1) == []


@pytest.mark.parametrize(("form", "trials"), [("omop", TRIALS - TRIALS // 3), ("omop_parquet", TRIALS // 3)])
def test_no_malformed_model_crashes_or_is_silently_misread(form, trials):
    assert findings(form, trials, seed=1) == []


@pytest.mark.parametrize(
    ("sabotage", "form", "mutation", "told"),
    [
        ("drop rejected", "csv", "another delimiter in a line", "were read, and there are"),
        ("publish on refusal", "csv", "UTF-16", "refused, and ['register'] was left"),
        ("lose rows", "parquet", "untouched", "rows that nothing happened to are not there"),
        ("misread", "csv", "untouched", "rows say what the file does not"),
        ("misread", "omop_parquet", "untouched", "rows say what the file does not"),
        ("die", "parquet", "untouched", "died (-6)"),
        ("hang", "csv", "untouched", "died (-24)"),
    ],
)
def test_sabotage_a_reader_that_is_wrong_is_found(sabotage, form, mutation, told):
    found = findings(form, 2, seed=1, sabotage=sabotage, only=mutation)
    assert any(told in wrong for finding in found for wrong in finding.wrong), found
