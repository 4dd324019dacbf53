"""A plan is read strictly, names the line of a mistake, and has a fingerprint that means something."""

from __future__ import annotations

import pytest

from prodromal.errors import DefinitionError
from prodromal.features import FeaturePlan

GOOD = """name = "small"
windows = ["0-90d", "90-365d"]
measures = ["count"]

[[groups]]
name = "N05B"
atc = ["N05B"]

[[groups]]
name = "N06A"
label = "antidepressants"
atc = ["N06A"]
"""


def test_the_psychiatric_plan_covers_the_study():
    plan = FeaturePlan.psychiatric()
    assert {"N05A", "N05B", "N05C", "N06A", "N05BA", "N05BB", "N05CF", "N05CH", "N06AA", "N06AB", "C10AA", "A02BC"} <= {
        group.name for group in plan.groups
    }
    assert [window.label for window in plan.windows] == [
        "0-90 days",
        "90-365 days",
        "1-2 years",
        "2-5 years",
        "5-10 years",
    ]
    assert not any(
        group.matches(code) for group in plan.groups for code in ("N07XX02", "N06AA09", "N02AA05", "M03BX01")
    )


def test_toml_is_read_back():
    plan = FeaturePlan.psychiatric()
    again = FeaturePlan.parse(plan.to_toml())
    assert again == plan
    assert again.fingerprint == plan.fingerprint


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        ('"90-365d"]', '"90-30d"]', 2, "empty"),
        ('"90-365d"]', '"0-0d"]', 2, "empty"),
        ('"90-365d"]', '"soon"]', 2, "write it as"),
        ('"90-365d"]', '"0-90d"]', 2, "twice"),
        ('measures = ["count"]', 'measures = ["mean"]', 3, "unknown measure 'mean'"),
        ('measures = ["count"]', 'measures = "count"', 3, "list"),
        ('atc = ["N06A"]', 'atc = ["N6A"]', 9, "not an ATC code"),
        ('atc = ["N06A"]', 'atc = ["N07XX02"]', 9, "treats ALS"),
        ('atc = ["N06A"]', "atc = []", 9, "names no ATC"),
        ('atc = ["N06A"]', 'atcs = ["N06A"]', 9, "atc"),
        ('label = "antidepressants"', 'labels = "antidepressants"', 11, "unknown key 'labels'; did you mean 'label'?"),
        ('name = "small"', 'name = "small"\nwindws = ["0-90d"]', 2, "unknown key 'windws'; did you mean 'windows'?"),
        ('name = "small"', 'name = "small"\nxyz = 1', 2, "unknown key 'xyz'; known are name, groups"),
        ('name = "N06A"', 'name = "N05B"', 9, "twice"),
        ('name = "small"', 'name = "small"\nmin_coverage = 2.0', 2, "min_coverage"),
        ('name = "small"', 'name = "small"\nwashout_days = -1', 2, "washout_days"),
        ('name = "small"', 'name = "small"\ndefault_days_supply = 0', 2, "default_days_supply"),
        ('"90-365d"]', '"-30-90d"]', 2, "write it as"),
        ('name = "N06A"', 'name = "N06A"\nmeasures = ["sum"]', 11, "measures"),
    ],
)
def test_mistakes_name_their_line(old, new, line, words):
    text = GOOD.replace(old, new, 1)
    with pytest.raises(DefinitionError) as caught:
        FeaturePlan.parse(text, "plan.toml")
    assert f"plan.toml, line {line}:" in str(caught.value)
    assert words in str(caught.value)


def test_not_toml_at_all():
    with pytest.raises(DefinitionError, match="not TOML"):
        FeaturePlan.parse("name = [")


@pytest.mark.parametrize(
    ("old", "new"),
    [('"0-90d"', '"0-91d"'), ('atc = ["N06A"]', 'atc = ["N06AB"]'), ('["count"]', '["count", "ddd"]')],
)
def test_the_fingerprint_changes_with_the_values(old, new):
    assert FeaturePlan.parse(GOOD).fingerprint != FeaturePlan.parse(GOOD.replace(old, new)).fingerprint


def test_the_washout_belongs_to_the_fingerprint_where_it_matters():
    text = GOOD.replace('["count"]', '["initiated"]')
    longer = "washout_days = 700\n"
    assert FeaturePlan.parse(GOOD).fingerprint == FeaturePlan.parse(longer + GOOD).fingerprint
    assert FeaturePlan.parse(text).fingerprint != FeaturePlan.parse(longer + text).fingerprint


def test_the_fingerprint_does_not_change_with_words():
    assert (
        FeaturePlan.parse(GOOD).fingerprint == FeaturePlan.parse(GOOD.replace('"antidepressants"', '"AD"')).fingerprint
    )
