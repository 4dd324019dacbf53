"""Small counts do not leave, nor what would tell them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from prodromal.association import Rule, release

COUNTS = ["exposed_cases", "exposed_others", "cases", "others", "sets"]


def odds(rows, rule=None):
    """Rows of one class: window and exposed cases and others, of 500 and 2,500."""
    frame = pd.DataFrame(rows, columns=["window", "exposed_cases", "exposed_others"])
    frame = frame.assign(comparator="population", definition="recurrent", cases=500, others=2500, sets=500, note="")
    frame["class"] = "hypnotics"
    frame[["estimate", "ci_low", "ci_high", "p"]] = 1.5, 1.1, 2.0, 0.01
    return release({"odds_ratios": frame}, rule or Rule())["odds_ratios"].set_index("window")


@pytest.mark.parametrize("small", [(9, 40), (40, 9), (491, 600), (40, 2495)])
def test_an_estimate_on_a_small_count_goes_with_its_counts(small):
    out = odds([(">1", *small)]).loc[">1"]
    assert out[["estimate", "ci_low", "ci_high", "p", "exposed_cases", "exposed_others"]].isna().all()
    assert out["note"].startswith("suppressed")
    assert out["cases"] == 500


def test_nothing_else_goes_and_nobody_is_no_small_number():
    out = odds([(">1", 10, 10), ("0-1", 0, 30)])
    assert out["exposed_cases"].tolist() == [10, 0]
    assert (out["estimate"] == 1.5).all()


def test_one_hidden_window_takes_the_counts_of_the_next_smallest_with_it():
    """The windows add up to the users, who may be known."""
    out = odds([("0-1", 5, 20), (">1-5", 30, 60), (">5", 60, 300)])
    assert out["exposed_cases"].isna().tolist() == [True, True, False]
    assert out["estimate"].isna().tolist() == [True, False, False]


def test_one_hidden_level_takes_the_counts_of_the_other():
    frame = pd.DataFrame({"class": "hypnotics", "modifier": "sex", "level": ["women", "men"], "exposed_cases": [4, 40]})
    frame = frame.assign(exposed_others=100, cases=200, others=1000, sets=200, estimate=1.5, p_interaction=0.2, note="")
    out = release({"modification": frame}, Rule())["modification"]
    assert out["exposed_cases"].isna().all()
    assert out["estimate"].isna().tolist() == [True, False]


def test_a_step_that_few_do_not_pass_shows_no_number():
    frame = pd.DataFrame({"comparator": "population", "step": list("abcd"), "cases": [100, 96, 95, 60], "others": 0})
    out = release({"flow": frame}, Rule())["flow"]
    assert out["cases"].isna().tolist() == [False, True, True, False]


def test_curves_end_where_few_are_at_risk():
    frame = pd.DataFrame({"time_years": [0.0, 0.5, 1.0, 1.5], "at_risk": [30, 20, 10, 9], "survival": 0.5})
    out = release({"survival": frame}, Rule())["survival"]
    assert out["time_years"].tolist() == [0.0, 0.5, 1.0]
    assert out["at_risk"].isna().tolist() == [False, True, False]


def test_the_ladder_shows_no_counts():
    frame = pd.DataFrame([(0.0, 20, 40), (0.5, 18, 39)], columns=["lag_years", *COUNTS[:2]])
    frame = frame.assign(cases=100, others=500, sets=100, estimate=1.5, note="")
    assert not set(COUNTS) & set(release({"lag_ladder": frame}, Rule())["lag_ladder"])


def test_counts_are_rounded_where_the_rule_says_so():
    out = odds([(">1", 23, 48)], Rule(8, 5)).loc[">1"]
    assert (out["exposed_cases"], out["exposed_others"]) == (25, 50)


@pytest.mark.parametrize("seed", range(30))
def test_no_shown_count_is_small_nor_the_rest_of_its_group(seed):
    rng = np.random.default_rng(seed)
    rows = [(w, *rng.integers(0, 60, 2)) for w in (">1", "0-1", ">1-5", ">5")]
    out = odds(rows)
    for name, whole in (("exposed_cases", "cases"), ("exposed_others", "others")):
        shown = out[name].dropna()
        assert not ((shown > 0) & (shown < 10)).any()
        rest = out[whole] - shown
        assert not ((rest > 0) & (rest < 10)).any()
    windows = out.drop(index=">1")["exposed_cases"]
    assert windows.isna().sum() != 1 or (windows.dropna() == 0).all()
