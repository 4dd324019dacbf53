"""Means over people: intervals that cover, weights that count, small cells that stay hidden."""

from __future__ import annotations

import re

import numpy as np
import pytest

from prodromal.errors import DataError, DefinitionError
from prodromal.explain import By, dependence, explain, importance
from prodromal.explain.charts import Point, draw_factors
from prodromal.explain.dependence import SMALLEST_CELL, _bins, _shown
from prodromal.explain.resample import means
from prodromal.explain.summary import _with_unit, summary_page
from tests.hostile import HOSTILE


def test_a_mean_with_weights_counts_each_row_for_so_many():
    values = np.asarray([[1.0, 5.0], [2.0, 7.0], [4.0, 9.0]])
    weights = np.asarray([1.0, 2.0, 3.0])
    found = means(values, replicates=0, seed=1, weights=weights)
    np.testing.assert_allclose(found.value, np.average(values, axis=0, weights=weights))
    assert np.isnan(found.low).all()


def test_intervals_cover_the_mean_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(300):
        family = rng.normal(size=40)
        values = (family[:, None] + 0.1 * rng.normal(size=(40, 5))).reshape(-1, 1)
        found = means(values, replicates=200, seed=1, groups=np.repeat(np.arange(40), 5))
        hits += bool(found.low[0] <= 0 <= found.high[0])
    # 300 trials at 95 %: fewer than 270 or more than 298 would be a surprise of more than three standard errors.
    assert 270 <= hits <= 298


def test_rows_of_a_family_are_drawn_together():
    """A family of equal rows says no more than one of them: its interval is as wide as without the copies."""
    values = np.random.default_rng(3).normal(size=(30, 1))
    alone = means(values, replicates=400, seed=2)
    copied = means(np.repeat(values, 9, axis=0), replicates=400, seed=2, groups=np.repeat(np.arange(30), 9))
    apart = means(np.repeat(values, 9, axis=0), replicates=400, seed=2)
    np.testing.assert_allclose([copied.low, copied.high], [alone.low, alone.high])
    assert (apart.high - apart.low)[0] < 0.5 * (alone.high - alone.low)[0]


def test_equal_seeds_give_equal_draws_and_the_names_of_groups_do_not_matter():
    values = np.random.default_rng(3).normal(size=(60, 2))
    groups = np.repeat(np.arange(20), 3)
    one, two = (means(values, replicates=50, seed=9, groups=g) for g in (groups, np.char.add("f", groups.astype(str))))
    other = means(values, replicates=50, seed=10, groups=groups)
    assert one.low[0] != other.low[0]
    assert sorted(one.value) == pytest.approx(sorted(two.value))


def test_a_column_with_nothing_to_average_has_no_mean():
    found = means(np.ones((4, 2)), replicates=20, seed=1, weights=np.asarray([[1.0, 0.0]] * 4))
    assert found.value[0] == 1
    assert np.isnan([found.value[1], found.low[1], found.high[1]]).all()


@pytest.mark.parametrize(
    ("options", "error"),
    [({"groups": [1, 2]}, DataError), ({"weights": np.ones(2)}, DataError), ({"replicates": -1}, DefinitionError)],
)
def test_what_does_not_fit_is_refused(options, error):
    with pytest.raises(error):
        means(np.ones((3, 1)), **{"replicates": 5, "seed": 1, **options})


@pytest.mark.parametrize(
    ("people", "shown"),
    [
        ([100, 50, 20], [True, True, True]),
        ([100, 50, 3], [True, False, False]),
        ([100, 6, 6], [True, False, False]),
        ([3], [False]),
    ],
)
def test_small_cells_are_hidden_and_cannot_be_told_from_the_total(people, shown):
    given = np.asarray(people)
    found = _shown(given)
    assert found.tolist() == shown
    assert found.all() or given[~found].sum() >= SMALLEST_CELL or not found.any()


@pytest.fixture(scope="module")
def explained(world):
    rows = np.arange(0, len(world.matrix), 4)
    return explain(world.model, world.matrix.take(rows), world.register.persons, by="feature")


def test_bins_hold_everyone_once_and_their_words_tell_the_values(explained):
    matrix = explained.matrix
    for i, feature in enumerate(matrix.plan.features):
        values = matrix.values[:, i].astype(np.float64)
        bins = _bins(values, feature)
        assert len(np.unique(bins.of_row)) == len(bins.words) == len(set(bins.words))
        for number, word in enumerate(bins.words):
            inside = np.round(values[bins.of_row == number], 2)
            if word in {"0", "no"}:
                assert (inside == 0).all()
            elif word == "yes":
                assert (inside == 1).all()
            elif word in {"none seen", "not fully observed"}:
                assert np.isnan(inside).all()
            elif word.startswith(("up to ", "over ")):
                end = float(word.split()[-1].replace(",", ""))
                assert ((inside <= end * (1 + 1e-4)) == word.startswith("up")).all()
            elif " to " in word:
                low, high = (float(end.replace(",", "")) for end in word.split(" to "))
                assert (inside >= low).all()
                assert (inside <= high * (1 + 1e-4)).all()


def test_numbers_have_their_unit_and_words_have_none():
    told = [_with_unit(*pair) for pair in (("1", "switches"), ("up to 1,125", "days"), ("none seen", "days"))]
    assert told == ["1 switch", "up to 1,125 days", "none seen"]
    assert _with_unit("yes", "0 or 1") == "yes"


def test_dependence_hides_small_cells(explained):
    few = explain_few(explained, 30)
    for label in ("Anxiolytics", "Antipsychotics", "Age and sex"):
        frame = dependence(few, label, replicates=20, seed=1)
        small = frame["people"].isna()
        assert (frame.loc[~small, "people"] >= SMALLEST_CELL).all()
        assert frame.loc[small, ["mean_contribution", "ci_low", "factor"]].isna().all().all()
        assert frame.loc[small, "note"].str.startswith("fewer than 10").all()


def explain_few(explained, rows):
    from dataclasses import replace

    keep = np.arange(rows)
    return replace(
        explained, values=explained.values[keep], score=explained.score[keep], matrix=explained.matrix.take(keep)
    )


def test_questions_that_make_no_sense_are_refused(explained):
    with pytest.raises(DefinitionError, match="by feature"):
        dependence(explained.grouped(By.CLASS), "Anxiolytics", replicates=0, seed=1)
    with pytest.raises(DefinitionError, match="no class 'Homeopathy'"):
        dependence(explained, "Homeopathy", replicates=0, seed=1)
    with pytest.raises(DefinitionError, match="by feature"):
        explained.grouped(By.CLASS).grouped(By.WINDOW)


def test_importance_is_ranked_with_intervals_around_it(explained):
    frame = importance(explained.grouped(By.CLASS), replicates=100, seed=1, groups=explained.matrix.person_row)
    assert frame["mean_abs_contribution"].is_monotonic_decreasing
    assert (frame["ci_low"] <= frame["mean_abs_contribution"]).all()
    assert (frame["ci_high"] >= frame["mean_abs_contribution"]).all()
    np.testing.assert_allclose(frame["factor"], np.exp(frame["mean_abs_contribution"]))


def test_the_summary_names_nobody_and_has_no_script(world, explained):
    page = summary_page(
        world.register, world.model, explained.matrix, replicates=20, seed=1, provenance={"seed": "1"}
    ).render()
    assert "<script" not in page
    assert all(words in page for words in ("What moves scores most", "How the factors change", "What interacts most"))
    text = page.split("</style>")[1]
    ids = [str(i) for i in explained.matrix.person_id]
    assert not [i for i in ids if len(i) > 6 and i in text]


def test_charts_of_factors_share_one_axis(world, explained):
    html = summary_page(world.register, world.model, explained.matrix, replicates=20, seed=1, provenance={}).render()
    part = html.split('<section id="dependence"')[1].split("</section>")[0]
    axes = [re.findall(r'<text x="([^"]*)"[^>]*>x ([^<]*)</text>', svg) for svg in part.split("<svg ")[1:]]
    ticks = [[tick for tick in axis if float(tick[0]) < 670] for axis in axes]
    assert len(ticks) > 2
    assert all(axis == ticks[0] for axis in ticks)


def test_the_same_seed_gives_the_same_page(world, explained):
    one, two = (
        summary_page(world.register, world.model, explained.matrix, replicates=20, seed=4, provenance={}).render()
        for _ in range(2)
    )
    assert one == two


@pytest.mark.parametrize("text", [t for t in HOSTILE if "<" in t])
def test_hostile_words_in_a_chart_stay_words(text):
    svg = draw_factors([Point(text, 0.1, 0.05, 0.2, text), Point(text, np.nan, np.nan, np.nan, text)])
    assert text not in svg
    assert svg.count("<") == draw_factors(
        [Point("a", 0.1, 0.05, 0.2, "b"), Point("a", np.nan, np.nan, np.nan, "b")]
    ).count("<")


@pytest.mark.parametrize("values", [[0.0], [0.001, -0.001], [3.0, -2.0], [np.nan]])
def test_a_chart_has_its_mark_at_one_whatever_the_range(values):
    svg = draw_factors([Point("a", v, v, v) for v in values])
    assert ">x 1<" in svg
    assert "nan" not in svg
