"""What pages say about people: the waterfall adds up, nothing of the data is lost, what was not seen is said."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from prodromal.explain import explain
from prodromal.explain.limits import limits_section
from prodromal.explain.listed import list_section
from prodromal.explain.observed import flag_words, percentile, unobserved_windows
from prodromal.explain.people import MOST_SHOWN, people_page, people_sections
from prodromal.explain.person import person_section
from prodromal.features import build
from prodromal.features.index_dates import IndexDates

DAY = int(np.datetime64("2014-01-01").astype(int))


@pytest.fixture(scope="module")
def matrix(world):
    people = world.register.persons
    rows = np.flatnonzero((people.observed_from < DAY) & (people.death > DAY))[::150]
    return build(world.plan, world.register, IndexDates.on(rows, DAY))


@pytest.fixture(scope="module")
def explained(world, matrix):
    return explain(world.model, matrix, world.register.persons)


@pytest.fixture(scope="module")
def risks(world, matrix):
    return world.model.score(matrix, world.register.persons)


def section(world, explained, risks, position):
    return person_section(world.register, explained, risks, position, title="t", anchor="a").html


def test_factors_of_the_waterfall_multiply_to_the_rate(world, explained, risks):
    for position in range(12):
        html = section(world, explained, risks, position)
        factors = [float(x) for x in re.findall(r'<span class="n">x ([\d.]+)', html)]
        # Each factor is written with two decimals.
        error = sum(0.006 / f for f in factors)
        assert abs(np.log(np.prod(factors[:-1]) / factors[-1])) < error
        assert factors[-1] == pytest.approx(risks["relative_risk"].iloc[position], abs=0.006)


def test_every_bar_starts_where_the_one_above_it_ended(world, explained, risks):
    html = section(world, explained, risks, 0)
    bars = [(float(x), float(x) + float(w), c) for x, w, c in re.findall(
        r'<rect x="([\d.]+)" y="1" width="([\d.]+)" height="8" style="fill:([^"]*)"', html
    )]  # fmt: skip
    at = 50.0
    for low, high, colour in bars[:-1]:
        start, end = (low, high) if "vermillion" in colour else (high, low)
        assert start == pytest.approx(at, abs=0.01)
        at = end
    assert at in (pytest.approx(bars[-1][0], abs=0.01), pytest.approx(bars[-1][1], abs=0.01))


def test_each_dispensing_of_the_windows_is_a_dot(world, matrix, explained, risks):
    """Of groups that do not overlap: a class's dots are its counted dispensings."""
    group = {g.family: g.name for g in world.plan.groups if g.name in {"C10AA", "A02BC", "J01", "A10", "M03"}}
    names = world.plan.names
    for position in range(12):
        html = section(world, explained, risks, position)
        columns = [i for i, n in enumerate(names) if n.split(".")[0] in group.values() and ".count." in n]
        count = np.nansum(matrix.values[position, columns])
        used = [family for family in group if re.search(rf">{family}</text>", html)]
        assert bool(count) <= bool(used)
        never = re.search(r"Not dispensed: ([^.]*)\.", html)
        assert all(family not in (never[1].split(", ") if never else []) for family in used)


def test_people_without_a_dispensing_are_said_to_have_none(world, matrix, explained, risks):
    columns = [i for i, f in enumerate(matrix.plan.features) if f.measure == "days_since_last"]
    nobody = np.flatnonzero(np.isnan(matrix.values[:, columns]).all(axis=1))
    assert len(nobody)
    html = section(world, explained, risks, nobody[0])
    assert "No dispensing of any class" in html
    assert "<circle" not in html


def test_windows_that_were_not_observed_are_named(matrix):
    columns = {w.label: [i for i, f in enumerate(matrix.plan.features) if f.window == w] for w in matrix.plan.windows}
    for position in range(20):
        said = unobserved_windows(matrix, position)
        for label, own in columns.items():
            assert (label in said) == np.isnan(matrix.values[position, own]).any()
    assert "5-10 years" in unobserved_windows(matrix, 0)


def test_a_class_that_nobody_could_see_is_not_said_to_be_none(world):
    """On a date after all windows; a class that was dispensed before them is counted still."""
    people = world.register.persons
    day = int(people.observed_to.max()) + 4000
    row = np.flatnonzero((people.death > day) & (people.observed_to < day - 3660))[:1]
    matrix = build(world.plan, world.register, IndexDates.on(row, day))
    explained = explain(world.model, matrix, people)
    html = section(world, explained, world.model.score(matrix, people), 0)
    assert "none dispensed" not in html
    assert "Not dispensed" not in html
    assert "Not observed: " in html
    ended = day - int(people.observed_to[row[0]])
    assert f"Observation ended {ended:,} days before the index date." in html


def test_risks_stand_beside_the_person_where_a_phone_shows_them(world, explained, risks):
    html = list_section(world.register, explained, risks, shown=0, chosen=len(risks)).html
    headings = re.findall(r'<th scope="col"[^>]*>([^<]*)<', html)
    assert headings[:3] == ["Person", "Risk per 100,000", "Times peers"]
    assert 'data-least="2"' in html


def test_percentiles_are_finer_near_the_ends():
    told = [percentile(v) for v in (100.0, 99.95, 99.9, 99.0, 50.4, 0.94, 0.05)]
    assert told == [">99.9", ">99.9", "99.9", "99", "50", "0.9", "<0.1"]


def test_flags_are_words():
    assert flag_words("") == []
    assert flag_words("short_history;sex_unknown") == ["short look-back", "sex unknown"]
    assert flag_words("something_new") == ["something new"]


def test_every_flag_of_a_model_has_words(world, matrix):
    """A flag that the model adds must not reach readers with underscores; nor must one here be made up."""
    from prodromal.explain.observed import _FLAGS
    from prodromal.risk.scored import FLAGS

    assert set(FLAGS) == set(_FLAGS)


def test_the_list_says_what_the_risks_say(world, explained, risks):
    html = list_section(world.register, explained, risks, shown=2, chosen=len(risks)).html
    rows = re.findall(r"<tr>(.*?)</tr>", html)[1:]
    assert len(rows) == len(risks)
    values = np.asarray([[float(v) for v in re.findall(r'data-value="([^"]*)"', row)] for row in rows])
    age = world.register.persons.age_years(explained.matrix.person_row, explained.matrix.days)
    for column, expected in enumerate((risks["risk"], risks["relative_risk"], risks["percentile"], age)):
        np.testing.assert_allclose(values[:, column], expected, rtol=1e-8)
    assert sum("<a href" in row for row in rows) == 2
    reasons = explained.reasons(3)
    for row, told in zip(rows, reasons.to_numpy(), strict=True):
        assert all(reason in row for reason in told)


def test_flags_have_a_column_only_where_someone_has_one(world, explained, risks):
    plain = risks.assign(flags="")
    marked = plain.assign(flags=["short_history"] + [""] * (len(risks) - 1))
    one, two = (list_section(world.register, explained, r, shown=0, chosen=len(r)).html for r in (plain, marked))
    assert "Nobody has a flag." in one
    assert ">Flags<" not in one
    assert ">Flags<" in two
    assert two.count("short look-back") == 1


def test_the_page_shows_sections_of_the_highest_scores_only(world, matrix, risks):
    assert len(matrix) > MOST_SHOWN
    page = people_page(world.register, world.model, matrix, provenance={}, chosen=9000)
    assert page.title == "Why the model scores 9,000 people as it does"
    assert f"Of the 9,000 people, the {len(matrix):,} with the highest scores are listed, and the 50 with" in page.lead
    assert len([s for s in page.sections if s.id.startswith("person-")]) == MOST_SHOWN
    first = matrix.person_id[np.argmax(risks["score"])]
    assert page.sections[1].title == f"Person {first} on 2014-01-01"


def test_sections_elsewhere_keep_the_order_asked_and_name_nobody(world, matrix):
    few = matrix.take(np.asarray([5, 2]))
    sections = people_sections(world.register, world.model, few, ["First", "Second"])
    assert [s.title for s in sections] == ["First", "Second"]
    assert all(str(i) not in s.html for i in few.person_id for s in sections if len(str(i)) > 5)
    assert all("Back to the list" not in s.html for s in sections)


def test_the_models_limits_are_its_own_facts(world):
    html = limits_section(world.model).html
    (row,) = [r for r in world.model.training["out_of_fold"] if r["model"] == "boosted trees"]
    assert f"in about {100 * row['c_within_sets']:.0f}; by chance it would be 50" in html
    assert f"{world.model.training['sets']:,} people with a diagnosis" in html
    low, high = world.model.training["age_range"]
    assert f"aged {low} to {high} years" in html
    bare = replace(world.model, training={})
    assert "Not computed" in limits_section(bare).html
    assert "An unknown number" in limits_section(bare).html
