"""Shares of users that leave with a model: few are told together with others, and totals stay."""

from __future__ import annotations

import numpy as np
import pytest

from prodromal.disclosure import PROFILES
from prodromal.risk.use import AGE_ENDS, SMALLEST, Use, count_use, expected_users

BANDS = len(AGE_ENDS) - 1


def told(men, women, men_users, women_users):
    """Shares of one group, men's and women's."""
    use = Use(np.array(men + women, float), np.array(men_users + women_users, float)[:, None])
    share = use.to_dict(("A",))["share"].get("A")
    return None if share is None else (share[:BANDS], share[BANDS:])


def test_the_smallest_number_told_is_that_of_the_house():
    assert max(profile.smallest for profile in PROFILES.values()) == SMALLEST


def test_a_cell_of_few_users_is_told_with_the_neighbour_of_fewer():
    men, women = told([100] * 6, [1000] * 6, [50, 9, 20, 30, 40, 50], [100] * 6)
    assert men == [0.5, *[0.145] * 2, 0.3, 0.4, 0.5]
    assert women == [0.1] * 6


def test_few_others_are_as_telling_as_few_users():
    men, _ = told([100] * 6, [1000] * 6, [50, 20, 91, 60, 50, 50], [100] * 6)
    assert men == [0.5, *[0.555] * 2, 0.6, 0.5, 0.5]


def test_few_people_are_told_with_their_neighbours_in_every_group():
    men, _ = told([9, 1000, *[100] * 4], [1000] * 6, [4, 500, *[50] * 4], [100] * 6)
    assert men[0] == men[1] == pytest.approx(504 / 1009, abs=1e-4)


def test_both_sexes_are_told_together_where_one_has_few_users_but_ages_stay():
    men, women = told([100] * 6, [100] * 6, [1] * 6, [19, 29, 39, 49, 59, 69])
    assert men == women == [0.1, 0.15, 0.2, 0.25, 0.3, 0.35]


def test_a_sex_that_was_not_there_is_told_as_the_other():
    men, women = told([0] * 6, [100] * 6, [0] * 6, [20, 30, 40, 50, 60, 70])
    assert men == women == [0.2, 0.3, 0.4, 0.5, 0.6, 0.7]


@pytest.mark.parametrize(("users", "share"), [(0, 0.0), (9, None), (1200, 1.0), (1191, None)])
def test_nobody_and_everybody_are_told_but_few_in_all_are_not(users, share):
    each = [users // 12] * 11
    found = told([100] * 6, [100] * 6, each[:6], [*each[6:], users - sum(each)])
    assert found == (None if share is None else ([share] * 6, [share] * 6))


def test_fewer_people_than_may_be_told_have_no_shares():
    assert told([1, 1, 1, 1, 1, 1], [0, 0, 0, 1, 1, 1], [0] * 6, [0] * 6) is None


def test_what_a_row_stands_for_makes_no_people():
    """Nine people, each for a thousand of the population."""
    values = np.array([[1.0]] * 4 + [[np.nan]] * 5, dtype=np.float32)
    use = count_use(values, np.array([0]), np.full(9, 50), np.zeros(9), np.full(9, 1000.0))
    assert use.people.sum() == 9000
    assert use.to_dict(("A",))["share"] == {}


def test_shares_are_of_the_population_that_the_rows_stand_for():
    values = np.array([[1.0]] * 20 + [[np.nan]] * 20, dtype=np.float32)
    weight = np.repeat([3.0, 1.0], 20)
    use = count_use(values, np.array([0]), np.full(40, 50), np.zeros(40), weight)
    assert use.to_dict(("A",))["share"] == {"A": [0.75] * 12}


@pytest.mark.parametrize("seed", range(20))
def test_users_expected_among_those_counted_are_the_users_counted(seed):
    rng = np.random.default_rng(seed)
    people = rng.negative_binomial(1, 0.002, 12)
    users = rng.binomial(people[:, None], rng.beta(0.5, 5.0, (12, 8)))
    use = Use(people.astype(float), users.astype(float))
    names = tuple("ABCDEFGH")
    reference = use.to_dict(names)
    for group, name in enumerate(names):
        expected = expected_users(reference, use.people, name)
        few = 0 < min(users[:, group].sum(), (people - users[:, group]).sum()) < SMALLEST
        assert (expected is None) == few
        assert few or expected == pytest.approx(users[:, group].sum(), abs=5e-5 * people.sum())
