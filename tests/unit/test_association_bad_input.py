"""What cannot be estimated is said in one sentence, and what cannot be data is refused."""

from __future__ import annotations

from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from prodromal.association import (
    LookBack,
    StudyDesign,
    aalen_johansen,
    compute_proportionality,
    fit_conditional_logistic,
    fit_cox,
    fit_joint,
    fit_mixed,
    kaplan_meier,
)
from prodromal.association.decline import check_visits, visits_of
from prodromal.association.exposure import DrugClass
from prodromal.disclosure import Profile
from prodromal.errors import DataError, DefinitionError, NotEstimable
from tests.oracle.test_association_definitions import joint_data, matched
from tests.oracle.test_association_goldens import table


def refused(error, text):
    return pytest.raises(error, match=f"^[^\n]*{text}[^\n]*$")


def test_separation_is_a_note_and_the_other_terms_are_estimated_in_the_limit():
    """R stops at 21 on this file and warns; infinity is where it was going."""
    frame = table("matched_separated")
    fit = fit_conditional_logistic(frame["case"], frame[["x"]], frame["set"])
    row = fit.table().iloc[0]
    assert np.isinf(fit.coefficients[0])
    assert np.isnan([row["estimate"], row["ci_low"], row["p"]]).all()
    assert row["note"].startswith("not estimable: separated")
    case, X, sets = matched(60, seed=1)
    marker = ((case == 1) & (sets % 2 == 0)).astype(float)
    beside = fit_conditional_logistic(case, np.column_stack([marker, X]), sets)
    without = fit_conditional_logistic(case[sets % 2 == 1], X[sets % 2 == 1], sets[sets % 2 == 1])
    np.testing.assert_allclose(beside.coefficients[1:], without.coefficients, rtol=1e-9)
    assert beside.log_likelihood == pytest.approx(without.log_likelihood)


def test_firths_penalty_is_finite_under_separation():
    frame = table("matched_separated")
    fit = fit_conditional_logistic(frame["case"], frame[["x"]], frame["set"], firth=True)
    assert 1 < fit.coefficients[0] < 10
    assert not fit.notes[0]


def test_terms_that_separate_only_together_are_named():
    case, X, sets = matched(60, seed=2)
    frame = pd.DataFrame({"a": X[:, 1], "b": 0.5 * case - X[:, 1]})
    with refused(NotEstimable, "a and b together separate cases from others"):
        fit_conditional_logistic(case, frame, sets)


def test_what_separation_leaves_nothing_to_compare_for_is_a_note():
    case, X, sets = matched(60, seed=2)
    fit = fit_conditional_logistic(case, pd.DataFrame({"a": case + 0.5, "b": X[:, 1]}), sets)
    assert np.isinf(fit.coefficients[0])
    assert np.isnan(fit.coefficients[1])
    assert fit.notes[1] == "not estimable: another term separates every set in which this one varies"
    assert fit.log_likelihood == 0.0


def test_no_exposed_cases_goes_to_minus_infinity():
    case, X, sets = matched(60, seed=3)
    exposed = np.where(case == 1, 0.0, X[:, 0])
    fit = fit_conditional_logistic(case, exposed, sets)
    assert fit.coefficients[0] == -np.inf
    assert "cases lower" in fit.notes[0]


def test_one_set_is_enough_only_if_it_is_not_separated():
    with pytest.raises(NotEstimable, match=r"together separate|no maximum|cannot be told apart"):
        fit_conditional_logistic([1, 0, 0], np.array([[1.0, 2.0], [0.0, 5.0], [2.0, 0.0]]), [1, 1, 1])
    fit = fit_conditional_logistic([1, 0, 0], [1.0, 0.0, 2.0], [1, 1, 1])
    assert fit.coefficients[0] == pytest.approx(0.0, abs=1e-9)


def test_all_sets_concordant():
    with refused(NotEstimable, "no matched set is discordant"):
        fit_conditional_logistic([1, 0, 1, 0], [1.0, 1.0, 0.0, 0.0], [1, 1, 2, 2])


def test_a_term_that_never_varies_is_a_note():
    case, X, sets = matched(40, seed=4)
    fit = fit_conditional_logistic(case, pd.DataFrame({"a": X[:, 1], "b": sets.astype(float)}), sets)
    assert fit.notes == ("", "not estimable: it does not vary within any matched set")
    assert np.isfinite(fit.coefficients[0])


def test_sets_without_cases_or_without_others():
    with refused(NotEstimable, "none of the 2 matched sets"):
        fit_conditional_logistic([1, 1, 0, 0], [1.0, 0.0, 1.0, 0.0], [1, 1, 2, 2])
    with refused(NotEstimable, "none of the 0 matched sets"):
        fit_conditional_logistic([], np.zeros((0, 1)), [])


def test_terms_that_repeat_each_other_are_named():
    case, X, sets = matched(40, seed=5)
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": X[:, 0] + X[:, 1]})
    with refused(NotEstimable, "a and b and c cannot be told apart"):
        fit_conditional_logistic(case, frame, sets)


def test_rows_that_are_not_data():
    case, X, sets = matched(40, seed=6)
    with refused(DataError, "neither 0 nor 1 in 1 of"):
        fit_conditional_logistic(np.where(np.arange(len(case)) == 3, 2, case), X, sets)
    X[[1, 5], 0] = np.nan, np.inf
    with refused(DataError, "2 of .* rows have a missing or infinite covariate"):
        fit_conditional_logistic(case, X, sets)
    with refused(DataError, "covariates of shape"):
        fit_conditional_logistic(case, X[1:], sets)
    with refused(DataError, "cases and .* sets"):
        fit_conditional_logistic(case, X, sets[1:])
    several, X, sets = matched(40, seed=6, most_cases=3)
    with refused(DefinitionError, "one case each"):
        fit_conditional_logistic(several, X, sets, firth=True)
    with refused(DefinitionError, "one case each"):
        fit_conditional_logistic(several, X, sets, cluster=sets)


def test_times_that_cannot_be():
    for curve in (kaplan_meier, lambda t, e: fit_cox(t, e, np.arange(3.0)), aalen_johansen):
        with refused(DataError, "1 of 3 people have no time at risk .time zero"):
            curve(np.array([0.0, 1.0, 2.0]), np.array([1, 0, 1]))
        with refused(DataError, "1 of 3 times are negative"):
            curve(np.array([-1.0, 1.0, 2.0]), np.array([1, 0, 1]))
        with refused(DataError, "1 of 3 times are missing"):
            curve(np.array([np.nan, 1.0, 2.0]), np.array([1, 0, 1]))
    with refused(DataError, "2 of 3 people have no time at risk"):
        fit_cox([1.0, 2.0, 3.0], [1, 1, 1], np.arange(3.0), entry=[1.0, 2.0, 0.0])
    with refused(DataError, "1 of 3 causes are none of 0 to 2"):
        aalen_johansen(np.array([1.0, 2.0, 3.0]), np.array([0, 3, 1]))


def test_cox_without_events_without_variation_and_with_separation():
    time = np.arange(1.0, 41)
    with refused(NotEstimable, "none of 40 people has an event"):
        fit_cox(time, np.zeros(40), time)
    with refused(NotEstimable, "x1 carries no information"):
        fit_cox(time, np.ones(40), np.ones(40))
    with refused(NotEstimable, "x1 separates"):
        fit_cox(time, time <= 20, (time <= 20).astype(float))
    with refused(DefinitionError, "ties 'exact'"):
        fit_cox(time, np.ones(40), time, ties="exact")
    with refused(NotEstimable, "nobody is followed"):
        kaplan_meier([], np.zeros(0, dtype=bool))
    with refused(DefinitionError, "transform 'log'"):
        compute_proportionality(fit_cox(time, np.ones(40), np.sin(time)), "log")


def test_visits_that_cannot_be():
    with refused(DataError, "outside 0 to 48 in 2 of 3"):
        check_visits([1, 1, 2], [0, 1, 0], [49, -1, 30])
    with refused(DataError, "outside 0 to 48 in 1 of 2"):
        check_visits([1, 1], [0, 1], [np.nan, 30])
    with refused(DataError, "1 of 2 have a negative or missing time"):
        check_visits([1, 1], [-1, 1], [40, 39])
    with refused(DataError, "1 of 3 repeat another visit's person and day"):
        check_visits([1, 1, 1], [0, 3, 3], [40, 39, 38])
    check_visits([1, 2], [0, 0], [48, 0])


def test_mixed_models_that_cannot_be():
    X = np.ones((4, 1))
    with refused(NotEstimable, "two groups and two rows in one of them"):
        fit_mixed([1.0, 2.0, 3.0, 4.0], X, [1, 2, 3, 4])
    with refused(NotEstimable, "two groups"):
        fit_mixed([1.0, 2.0, 3.0, 4.0], X, [1, 1, 1, 1])
    with refused(DataError, "1 of 4 outcomes are missing"):
        fit_mixed([1.0, np.nan, 3.0, 4.0], X, [1, 1, 2, 2])
    with refused(NotEstimable, "cannot be told apart"):
        fit_mixed(np.arange(6.0), np.ones((6, 2)), [1, 1, 2, 2, 3, 3])


def test_joint_models_that_cannot_be():
    d = joint_data(30, seed=1)
    given = {"y": d.y, "X": d.X, "person": d.person, "months": d.months, "time": d.time, "event": d.event, "W": d.W}
    with refused(NotEstimable, "none of 30 people has an event"):
        fit_joint(**given | {"event": np.zeros(30, dtype=bool)})
    with refused(DataError, "a visit belongs to nobody among the 30"):
        fit_joint(**given | {"person": d.person + 1})
    with refused(DataError, "no time at risk"):
        fit_joint(**given | {"time": np.where(np.arange(30) == 2, 0.0, d.time)})


def test_a_random_effect_that_does_not_vary_is_a_note():
    rng = np.random.default_rng(1)
    groups = np.repeat(np.arange(30), 4)
    within = np.tile([1.0, -1.0, 1.0, -1.0], 30)
    fit = fit_mixed(within + 0.01 * rng.normal(size=120), np.ones((120, 1)), groups)
    assert fit.note.startswith("singular")


def test_designs_that_cannot_be():
    with refused(DefinitionError, "no prefix of an ATC code"):
        DrugClass("all", "")
    with refused(DefinitionError, "look-back"):
        LookBack(headline_days=365)
    with refused(DefinitionError, "a seed is a whole number from 0"):
        StudyDesign(seed=-1)
    with refused(DefinitionError, "lies after the last"):
        StudyDesign(first_day=10, last_day=9)
    with refused(DefinitionError, "at least 1"):
        Profile("none", 0)


def test_the_test_of_a_term_that_is_not_there():
    case, X, sets = matched(40, seed=7)
    with refused(DefinitionError, "no term age"):
        fit_conditional_logistic(case, X, sets).test(["age"])


def test_a_visit_written_twice_counts_once_and_two_scores_of_one_day_are_refused():
    """A follow-up table often has a second row of a visit, with the day of ventilation."""
    people = type("People", (), {"rows": staticmethod(lambda ids: ids), "__len__": lambda _: 3})()

    def visits(scores):
        table = pa.table(
            {
                "person_id": [0, 0, 0],
                "visit_on": pa.array([date(2020, 1, 1), date(2020, 4, 1), date(2020, 4, 1)]),
                "alsfrs_r": pa.array(scores, pa.int8()),
            }
        )
        register = SimpleNamespace(persons=people, has=lambda _: True, table=lambda *_: table)
        frame = pd.DataFrame(
            {"person_row": [0], "index_day": [date(2020, 1, 1).toordinal() - 719163], "time_days": 400}
        )
        return visits_of(SimpleNamespace(frame=frame), register)

    assert visits([40, 38, 38])["alsfrs_r"].tolist() == [40, 38]
    with refused(DataError, "1 of 3 repeat another visit's person and day"):
        visits([40, 38, 37])
