"""Small counts of a study do not leave, nor what would tell them: asked of all its tables together."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import linprog

from prodromal.association import StudyDesign, release, run_study
from prodromal.disclosure import PROFILES, Profile, suppress
from prodromal.errors import DataError

ACRO = PROFILES["acro"]
TABLES = [
    *("flow", "table_one", "odds_ratios", "mutual", "modification", "lag_ladder"),
    *("hazard_ratios", "survival", "causes", "decline", "trajectories", "joint"),
]
ESTIMATES = {"estimate": 1.5, "ci_low": 1.1, "ci_high": 2.0, "p": 0.01}
# A person of the study in the words of this test: seen how long, first window, dispensings, those beyond a year, ...
USES = [(None, 0, 0), ("0-1", 1, 0), ("0-1", 2, 0)]
USES += [(w, *n) for w in (">1-5", ">5") for n in ((1, 1), (2, 1), (2, 2))]
KINDS = [
    {"seen": seen, "window": window, "total": total, "beyond": beyond, "woman": woman, "young": young}
    for seen, (window, total, beyond), woman, young in product((600, 900, 3000), USES, (False, True), (False, True))
]


def whole(**tables):
    """Tables of a study of which only some have rows."""
    empty = pd.DataFrame(columns=["comparator", "class", "definition", "window"])
    return {name: tables.get(name, empty if name == "odds_ratios" else pd.DataFrame()) for name in TABLES}


def released(name, frame, profile=ACRO):
    return release(whole(**{name: frame}), profile)[name]


def odds(rows, profile=ACRO):
    """Rows of one class: window and exposed cases and others, of 500 and 2,500."""
    frame = pd.DataFrame(rows, columns=["window", "exposed_cases", "exposed_others"])
    frame = frame.assign(comparator="population", definition="recurrent", cases=500, others=2500, sets=500, note="")
    return released("odds_ratios", frame.assign(**ESTIMATES, **{"class": "hypnotics"}), profile).set_index("window")


@pytest.mark.parametrize("small", [(9, 40), (40, 9), (491, 600), (40, 2495)])
def test_an_estimate_on_a_small_count_goes_with_its_counts(small):
    out = odds([(">1", *small)]).loc[">1"]
    assert out[list(ESTIMATES)].isna().all()
    assert out[["exposed_cases", "exposed_others", "cases", "others"]].isna().any()
    assert out["note"].startswith("suppressed")


def test_nothing_else_goes_and_nobody_is_no_small_number():
    out = odds([(">1", 10, 10), ("0-1", 0, 30)])
    assert out["exposed_cases"].tolist() == [10, 0]
    assert (out["estimate"] == 1.5).all()
    assert (out["cases"] == 500).all()


def test_a_hidden_window_that_a_sum_tells_takes_another_with_it():
    """All users are followed, and their number stands in the table of hazards."""
    rows = pd.DataFrame([("0-1", 5), (">1-5", 30), (">5", 60)], columns=["window", "exposed_cases"])
    rows = rows.assign(comparator="population", definition="recurrent", exposed_others=80, note="", **ESTIMATES)
    rows = rows.assign(cases=500, others=2500, sets=500, **{"class": "hypnotics"})
    hazards = pd.DataFrame({"class": ["hypnotics"], "exposed": 95, "exposed_events": 50, "people": 500, "events": 250})
    flow = pd.DataFrame(
        {
            "comparator": "population",
            "step": [
                "with at least one control",
                "observed for 2191 days before (windows only)",
                "cases followed after the day of diagnosis (prognosis)",
            ],
            "cases": 500,
            "others": [2500, 2500, 0],
        }
    )
    tables = whole(odds_ratios=rows, hazard_ratios=hazards.assign(note="", **ESTIMATES), flow=flow)
    out = release(tables, ACRO)["odds_ratios"]
    assert out["exposed_cases"].isna().sum() >= 2
    assert (out["exposed_cases"].isna() <= out["estimate"].isna()).all()
    assert out["exposed_cases"].notna().any()
    assert (out["cases"] == 500).all()


def test_a_step_that_few_do_not_pass_shows_no_number():
    frame = pd.DataFrame({"comparator": "population", "step": list("abcd"), "cases": [100, 96, 80, 60], "others": 0})
    row = {"comparator": "population", "class": "hypnotics", "definition": "recurrent", "window": ">1", "note": ""}
    counts = {"exposed_cases": 20, "exposed_others": 20, "cases": 60, "others": 300, "sets": 60}
    tables = whole(flow=frame, odds_ratios=pd.DataFrame([row | counts]))
    out = release(tables, ACRO)["flow"]
    assert out["cases"].isna().tolist() in ([True, False, False, False], [False, True, False, False])
    assert out["note"].str.startswith("suppressed").tolist() == out["cases"].isna().tolist()


def test_curves_show_points_that_enough_events_part_while_enough_are_at_risk():
    frame = pd.DataFrame(
        {
            "class": "hypnotics",
            "group": "users",
            "time_years": [0.0, 0.25, 0.5, 0.75, 1.0, 1.5, 2.0],
            "at_risk": [60, 57, 45, 44, 30, 15, 9],
            "events": [0, 3, 12, 12, 21, 31, 41],
            "survival": 0.5,
        }
    )
    causes = pd.DataFrame({"cause": "death", "time_years": [1.0, 2.0], "at_risk": [80, 50], "events": [30, 60]})
    out = release(whole(survival=frame, causes=causes.assign(probability=0.2)), ACRO)["survival"].set_index(
        "time_years"
    )
    assert out.index[out["survival"].notna()].tolist() == [0.0, 0.5, 0.75, 1.5]
    assert out.loc[[0.0, 1.0], "at_risk"].tolist() == [60, 30]
    assert np.isnan(out.loc[0.5, "at_risk"])
    assert 2.0 not in out.index
    assert "events" not in out


def test_the_ladder_shows_no_counts_and_no_estimate_that_the_headline_hides():
    counts = {"exposed_cases": 40, "exposed_others": 90, "cases": 500, "others": 2500, "sets": 500}
    ladder = pd.DataFrame({"class": "hypnotics", "lag_years": [0.0, 1.0], **counts, **ESTIMATES, "note": ""})
    row = {"comparator": "population", "class": "hypnotics", "definition": "recurrent", "window": ">1"}
    headline = pd.DataFrame([row | counts | ESTIMATES | {"exposed_others": 9, "note": ""}])
    out = release(whole(lag_ladder=ladder, odds_ratios=headline), ACRO)["lag_ladder"]
    assert not set(counts) & set(out)
    assert out["estimate"].isna().tolist() == [False, True]


def test_counts_are_rounded_where_the_profile_says_so():
    out = odds([(">1", 23, 48)], PROFILES["opensafely"]).loc[">1"]
    assert (out["exposed_cases"], out["exposed_others"]) == (25, 50)


def cells():
    """Every cell of counts with the people that it counts, in the words of this test."""
    recurrent, first = ("recurrent", 2), ("first use", 1)
    out = []

    def row(table, words, **counts):
        out.append((table, words, counts))

    for (definition, least), window in product((recurrent, first), (">1", "0-1", ">1-5", ">5")):
        if window == ">1":
            exposed, total = (lambda k, n=least: k["seen"] >= 730 and k["beyond"] >= n), lambda k: k["seen"] >= 730
        else:
            total = lambda k: k["seen"] >= 2191  # noqa: E731 - one line each
            exposed = lambda k, n=least, w=window: k["seen"] >= 2191 and k["window"] == w and k["total"] >= n  # noqa: E731
        row("odds_ratios", {"definition": definition, "window": window}, exposed=exposed, total=total)
    levels = {
        ("age", "under 65"): lambda k: k["young"],
        ("age", "65 and over"): lambda k: not k["young"],
        ("sex", "women"): lambda k: k["woman"],
        ("sex", "men"): lambda k: not k["woman"],
    }
    for (modifier, level), inside in levels.items():
        row(
            "modification",
            {"modifier": modifier, "level": level},
            exposed=lambda k, f=inside: k["seen"] >= 730 and k["beyond"] == 2 and f(k),
            total=lambda k, f=inside: k["seen"] >= 730 and f(k),
        )
    row("mutual", {}, exposed=lambda k: k["seen"] >= 730 and k["beyond"] == 2, total=lambda k: k["seen"] >= 730)
    return out


def drawn(rng):
    """Numbers of people of each kind: most are users of nothing, many kinds are rare."""
    rate = np.array([(60.0 if k["total"] == 0 else 1.5) * (0.01 if k["seen"] < 3000 else 1.0) for k in KINDS])
    return rng.poisson(rate * rng.gamma(0.5, 2.0, len(KINDS)))


def five_each(rng, cases):
    """Controls of cases: five of the same sex, age group and look-back for each, users of whatever."""
    frame = pd.DataFrame(KINDS).assign(cases=cases, others=0)
    for _, group in frame.groupby(["seen", "woman", "young"]):
        share = np.where(group["total"] == 0, 20.0, 1.0)
        frame.loc[group.index, "others"] = rng.multinomial(5 * group["cases"].sum(), share / share.sum())
    return frame["others"].to_numpy()


def study(rng, *, matched=False):
    """Tables of cases and others drawn so, and after each cell the mask of its people."""
    cases = rng.binomial(drawn(rng), 0.03) if matched else drawn(rng)
    people = {"cases": cases, "others": five_each(rng, cases) if matched else drawn(rng)}
    tables, masks = {}, {}
    for table, words, counts in cells():
        frame = tables.setdefault(table, [])
        record = {"comparator": "population", "class": "hypnotics", "note": "", **words, **ESTIMATES}
        for role, many in people.items():
            for what, column in (("exposed", f"exposed_{role}"), ("total", role)):
                mask = np.array([bool(counts[what](k)) for k in KINDS])
                record[column] = int(many[mask].sum())
                masks[table, len(frame), column] = mask
                if column == "cases":
                    record["sets"], masks[table, len(frame), "sets"] = record[column], mask
        frame.append(record)
    return whole(**{name: pd.DataFrame(rows) for name, rows in tables.items()}), masks, people


def reach(mask, members, counts):
    """Interval that what is shown leaves for a number of people."""
    ends = []
    for sign in (1.0, -1.0):
        found = linprog(sign * mask.astype(float), A_eq=members.astype(float), b_eq=counts, method="highs")
        assert found.status in (0, 3), "what is shown contradicts itself"
        ends.append(sign * found.fun if found.status == 0 else np.inf)
    return ends


@pytest.mark.parametrize("seed", range(6))
def test_no_small_group_can_be_computed_back(seed):
    """Nor can the few by whom one number exceeds another."""
    tables, masks, people = study(np.random.default_rng(seed))
    out = release(tables, ACRO)
    hidden = 0
    for role, many in people.items():
        mine = {
            place: mask for place, mask in masks.items() if role in place[2] or (place[2], role) == ("sets", "cases")
        }
        told = {p: out[p[0]].loc[p[1], p[2]] for p in mine}
        shown = [p for p, value in told.items() if not np.isnan(value)]
        assert all(told[p] == many[mine[p]].sum() for p in shown)
        members, counts = np.array([mine[p] for p in shown]), np.array([told[p] for p in shown])
        rest = [big & ~part for part, big in product(mine.values(), repeat=2) if not (part & ~big).any()]
        for mask in {m.tobytes(): m for m in (*mine.values(), *rest)}.values():
            if 0 < many[mask].sum() < 10:
                low, high = reach(mask, members, counts)
                assert high - low >= 9.99, "few people are known too closely"
                hidden += 1
    assert hidden > 5


def test_controls_of_hidden_cases_are_hidden_with_them():
    """Five for each: thirty controls, of whom ten are women, are six cases, of whom two are women."""
    cases, others = {"cases": 6, "women": 2}, {"cases": 30, "women": 10}
    one = [
        (group, words, number["cases"], number[of], 100 * number[of] / number["cases"])
        for group, number in (("cases", cases), ("population controls", others))
        for words, of in (("people", "cases"), ("age, years: mean (SD)", "cases"), ("women: n (%)", "women"))
    ]
    one += [(group, "hypnotics beyond a year: n (%)", n, k, 100 * k / n) for group, n, k in
            (("cases", 6, 0), ("population controls", 30, 12))]  # fmt: skip
    flow = pd.DataFrame({"comparator": "population", "step": ["with at least one control"], "cases": 6, "others": 30})
    row = {"comparator": "population", "class": "hypnotics", "definition": "recurrent", "window": ">1", "note": ""}
    counts = {"exposed_cases": 0, "exposed_others": 12, "cases": 6, "others": 30, "sets": 6}
    tables = whole(
        flow=flow,
        table_one=pd.DataFrame(one, columns=["group", "characteristic", "people", "n", "value"]),
        odds_ratios=pd.DataFrame([row | counts | ESTIMATES]),
    )
    out = release(tables, ACRO)
    assert out["flow"][["cases", "others"]].isna().all().all()
    assert out["table_one"].loc[out["table_one"]["n"] != 0, ["people", "n", "value"]].isna().all().all()
    assert out["odds_ratios"][["exposed_others", "cases", "others", "sets"]].isna().all().all()


def test_few_women_among_many_cases_hide_the_women_among_the_controls():
    one = [
        (group, words, n, k, 100 * k / n)
        for group, n, women in (("cases", 100, 4), ("population controls", 500, 20))
        for words, k in (("people", n), ("women: n (%)", women))
    ]
    row = {"comparator": "population", "class": "hypnotics", "definition": "recurrent", "window": ">1", "note": ""}
    counts = {"exposed_cases": 30, "exposed_others": 90, "cases": 100, "others": 500, "sets": 100}
    flow = pd.DataFrame(
        {"comparator": "population", "step": ["with at least one control"], "cases": 100, "others": 500}
    )
    tables = whole(
        flow=flow,
        table_one=pd.DataFrame(one, columns=["group", "characteristic", "people", "n", "value"]),
        odds_ratios=pd.DataFrame([row | counts | ESTIMATES]),
    )
    out = release(tables, ACRO)["table_one"].set_index(["group", "characteristic"])
    assert out.loc[("population controls", "women: n (%)"), ["n", "value"]].isna().all()
    assert out.loc[("population controls", "people"), "people"] == 500


@pytest.mark.parametrize("seed", range(6))
def test_five_controls_for_each_case_tell_no_few_cases(seed):
    """Whoever divides the shown controls by five learns of few cases no more than the rule allows."""
    tables, masks, people = study(np.random.default_rng(seed), matched=True)
    out = release(tables, ACRO)
    members, counts = [], []
    for (table, label, column), mask in masks.items():
        value, per_case = out[table].loc[label, column], 5 if column == "others" else 1
        if column in ("cases", "others", "exposed_cases") and not np.isnan(value):
            assert value == per_case * people["cases"][mask].sum()
            members.append(mask)
            counts.append(value / per_case)
    for mask in {m.tobytes(): m for m in masks.values()}.values():
        if 0 < people["cases"][mask].sum() < 10:
            low, high = reach(mask, np.array(members), np.array(counts))
            assert high - low >= 9.99


def test_the_headline_is_given_up_after_every_other_row():
    """One person with a first use alone: the wider definition goes, not the headline, though table 1 repeats it."""
    counts = [("recurrent", ">1", 118, 576), ("recurrent", ">5", 65, 327), ("first use", ">1", 119, 600)]
    rows = pd.DataFrame(counts, columns=["definition", "window", "exposed_cases", "exposed_others"])
    rows = rows.assign(comparator="population", cases=356, others=1780, sets=356, note="", **ESTIMATES)
    one = [("cases", "people", 356, 356), ("cases", "statins beyond a year: n (%)", 356, 118)]
    tables = whole(
        odds_ratios=rows.assign(**{"class": "statins"}),
        table_one=pd.DataFrame(one, columns=["group", "characteristic", "people", "n"]).assign(value=33.1),
    )
    out = release(tables, ACRO)["odds_ratios"]
    assert out["estimate"].isna().tolist() == [False, False, True]


def test_an_estimate_never_stands_beside_a_hidden_count_of_its_exposed():
    for seed in range(3):
        out = release(study(np.random.default_rng(seed))[0], ACRO)
        for name in ("odds_ratios", "modification", "mutual"):
            frame = out[name]
            covered = frame[["exposed_cases", "exposed_others"]].isna().any(axis=1)
            assert (frame["estimate"].isna() == covered).all()
            assert (frame["note"].str.startswith("suppressed") == covered).all()


def test_a_whole_study_is_released_without_a_small_count(world):
    tables = run_study(world.register, StudyDesign(seed=3, joint=False)).tables
    strict = Profile("strict", 25)
    hidden = []
    for profile in (ACRO, strict):
        out = release(tables, profile)
        for name, frame in out.items():
            for column in {"exposed_cases", "exposed_others", "cases", "others", "n", "people", "at_risk"} & set(frame):
                shown = frame[column].dropna()
                assert not ((shown > 0) & (shown < profile.smallest)).any(), (name, column)
        hidden.append(out["odds_ratios"]["estimate"].isna().sum())
    assert hidden[0] < hidden[1]


def test_counts_that_contradict_each_other_are_not_released():
    members = np.array([[True, False], [False, True], [True, True]])
    with pytest.raises(DataError, match="contradict each other"):
        suppress(members, np.array([4, 30, 20]), 10)
