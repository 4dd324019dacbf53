"""Strings that try to act stand on every page that we make, in a real browser: no script runs, nothing is asked for."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from itertools import cycle

import numpy as np
import pandas as pd
import pytest

from prodromal.association import StudyDesign, release, report, run_study
from prodromal.disclosure import PROFILES
from prodromal.evaluate import EvaluationData, before_after_page, evaluate
from prodromal.explain.people import people_page, people_sections
from prodromal.explain.summary import summary_page
from prodromal.features import build
from prodromal.features.index_dates import IndexDates
from prodromal.features.reference import Dispensing, Person
from prodromal.quality import compute_quality, quality_page
from prodromal.quality import release as release_quality
from tests.generators import Cohort, write_register
from tests.hostile import HOSTILE

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
DAY = int(np.datetime64(date(2014, 1, 1)).astype(int))
# A figure would take dollar signs for formulas.
STRINGS = [*HOSTILE, "$\\frac{1}{$", "$x^$ and $y_$", "\\", "$"]
EVERYWHERE = "".join(HOSTILE)
PROVENANCE = {**dict.fromkeys(HOSTILE, HOSTILE[0]), "site": EVERYWHERE}


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


def seen(browser, html, folder):
    """What a browser did with a page: did a script of the data run, what was asked for, what went wrong."""
    path = folder / "page.html"
    path.write_text(html, encoding="utf-8", newline="")
    context = browser.new_context()
    asked, wrong = [], []
    try:
        tab = context.new_page()
        tab.on("request", lambda request: asked.append(request.url))
        tab.on("pageerror", lambda error: wrong.append(str(error)))
        tab.on("console", lambda message: wrong.append(message.text))
        tab.goto(path.as_uri())
        tab.evaluate("document.querySelectorAll('details').forEach(fold => { fold.open = true })")
        tab.wait_for_timeout(200)
        ran = tab.evaluate("document.documentElement.dataset.ran ?? null")
        text = tab.evaluate("document.body.textContent")
    finally:
        context.close()
    return {"ran": ran, "asked": {url.split("#")[0] for url in asked} - {path.as_uri()}, "wrong": wrong}, text


NOTHING = {"ran": None, "asked": set(), "wrong": []}


@pytest.fixture(scope="module")
def hostile(world):
    """A register of people with hostile ids, and a model whose classes, outcome and warning are hostile."""
    ids = sorted(HOSTILE)
    woman = Person("F", date(1950, 1, 1), date(2005, 7, 1), date(2020, 12, 31))
    bought = [Dispensing(date(2013, 6, 1), "N06AB04", 30.0, 30), Dispensing(date(2013, 7, 1), "N05BA01", 10.0, 10)]
    register = write_register(Cohort(dict.fromkeys(ids, woman), dict.fromkeys(ids, bought), []))
    families = dict.fromkeys(group.family for group in world.plan.groups)
    name = dict(zip(families, HOSTILE, strict=False))
    groups = (replace(g, family=name[g.family], label=f"{g.label} {EVERYWHERE}") for g in world.plan.groups)
    plan = replace(world.plan, groups=tuple(groups))
    training = {**world.model.training, "warning": EVERYWHERE}
    outcome = replace(world.model.outcome, name=EVERYWHERE)
    model = replace(world.model, plan=plan, training=training, outcome=outcome)
    return register, model, build(plan, register, IndexDates.on(np.arange(len(ids)), DAY))


def followed(strings):
    """People of so many regions, followed up."""
    rng = np.random.default_rng(1)
    n = 150 * len(strings)
    risk = rng.gamma(2, 0.02, n).clip(1e-5, 0.5)
    event = (rng.random(n) < risk).astype(int)
    frame = {"risk": risk, "event": event, "time_days": np.where(event, rng.integers(366, 1800, n), 1826)}
    frame |= {"sex": rng.choice(["M", "F"], n), "age_years": rng.integers(40, 90, n), "region": np.repeat(strings, 150)}
    return pd.DataFrame(frame)


@pytest.fixture(scope="module")
def evaluated():
    data = EvaluationData.from_frame(followed(STRINGS), horizon_days=1826, lag_days=365)
    return replace(evaluate(data, replicates=0, seed=1), warnings=tuple(HOSTILE))


def explained(hostile, evaluated, world, folder):
    return people_page(*hostile, provenance=PROVENANCE).render()


def one_explained(hostile, evaluated, world, folder):
    register, model, matrix = hostile
    return people_page(register, model, matrix.take(np.arange(1)), provenance=PROVENANCE).render()


def summarised(hostile, evaluated, world, folder):
    return summary_page(*hostile, replicates=2, seed=1, provenance=PROVENANCE).render()


def reported(hostile, evaluated, world, folder):
    register, model, matrix = hostile
    evaluated.to_html(
        folder / "report.html",
        title=EVERYWHERE,
        provenance=PROVENANCE,
        attrition=pd.DataFrame({"step": HOSTILE, "people": np.arange(100, 0, -1)[: len(HOSTILE)] * 1000}),
        table_one=pd.DataFrame({"group": HOSTILE, "people": 500}),
        extra_sections=people_sections(register, model, matrix.take(np.arange(3)), HOSTILE[:3]),
    )
    return (folder / "report.html").read_text("utf-8")


def recalibrated(hostile, evaluated, world, folder):
    return before_after_page(evaluated, evaluated, title=EVERYWHERE, kicker=EVERYWHERE, provenance=PROVENANCE).render()


def studied(hostile, evaluated, world, folder):
    done = run_study(world.register, StudyDesign(seed=3, joint=False))
    done = replace(done, design=replace(done.design, outcome=EVERYWHERE), notes=tuple(HOSTILE))
    released = release(done.tables, PROFILES["acro"])
    for frame in released.values():
        if "note" in frame:
            frame["note"] = [HOSTILE[i % len(HOSTILE)] for i in range(len(frame))]
        if "step" in frame:
            frame["step"] = [f"{step} {EVERYWHERE}" for step in frame["step"]]
    return report(done, released, PROFILES["acro"], PROVENANCE).render()


def checked(hostile, evaluated, world, folder):
    """Classes and name of the plan, names of codes from the index, and every word of the account."""
    groups = tuple(replace(g, family=family) for g, family in zip(world.plan.groups, STRINGS[::-1], strict=False))
    names = dict(zip(world.register.codes, cycle(HOSTILE), strict=False))
    found = compute_quality(world.register, replace(world.plan, groups=groups, name=EVERYWHERE), names=names)
    account = found.tables["account"]
    others = pd.DataFrame({"table": HOSTILE, "read": 100, "kept": 100}).reindex(columns=account.columns, fill_value=0)
    reasons = pd.DataFrame({"table": HOSTILE, "what": HOSTILE[::-1], "reason": HOSTILE, "rows": 1000})
    tables = {**found.tables, "account": pd.concat([account, others]), "reasons": reasons}
    return quality_page(release_quality(replace(found, tables=tables)), {"register": "x"}).render()


PAGES = (explained, one_explained, summarised, reported, recalibrated, studied, checked)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.__name__)
def test_hostile_strings_run_nothing_and_ask_for_nothing(browser, hostile, evaluated, world, tmp_path, page):
    done, text = seen(browser, page(hostile, evaluated, world, tmp_path), tmp_path)
    assert done == NOTHING
    told = [string for string in HOSTILE if string.replace("\x00", "").strip() in text]
    assert len(told) >= 50, "the strings stand on the page as they are, to be read"


def test_the_check_itself_sees_a_script_and_a_request(browser, tmp_path):
    html = f"<body>{HOSTILE[0]}<img src='https://x.invalid/a.png'></body>"
    done, _ = seen(browser, html, tmp_path)
    assert done["ran"] == "1"
    assert done["asked"] == {"https://x.invalid/a.png"}
    assert done["wrong"]
