"""The list of people in a real browser: it sorts and filters by mouse and keyboard, and nothing from the data runs."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from prodromal.explain.people import people_page
from prodromal.features import build
from prodromal.features.index_dates import IndexDates
from prodromal.features.reference import Dispensing, Person
from tests.generators import Cohort, write_register
from tests.hostile import HOSTILE

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")
ON = date(2014, 1, 1)


@pytest.fixture(scope="module")
def browser():
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=BROWSER, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def show(browser, tmp_path):
    """Open a page's HTML; gives the tab, which remembers what it asked for and what went wrong."""
    contexts = []

    def open_(html, **options):
        path = tmp_path / "people.html"
        path.write_text(html, encoding="utf-8", newline="")
        context = browser.new_context(**options)
        contexts.append(context)
        tab = context.new_page()
        tab.asked, tab.wrong = [], []
        tab.on("request", lambda request: tab.asked.append(request.url))
        tab.on("pageerror", lambda error: tab.wrong.append(str(error)))
        tab.on("console", lambda message: tab.wrong.append(message.text))
        tab.goto(path.as_uri())
        tab.home = path.as_uri()
        return tab

    yield open_
    for context in contexts:
        context.close()


def chosen(world, number):
    people = world.register.persons
    day = int(np.datetime64(ON).astype(int))
    rows = np.flatnonzero((people.observed_from < day) & (people.death > day) & (people.birth < day - 40 * 365))
    rows = rows[:: max(1, len(rows) // number)][:number]
    return build(world.plan, world.register, IndexDates.on(rows, day))


@pytest.fixture(scope="module")
def html(world):
    return people_page(world.register, world.model, chosen(world, 30), provenance={}).render()


def column(tab, number):
    """What stands in a column of the shown rows, the small letters left out."""
    cells = f"tbody tr:not([hidden]) > :nth-child({number})"
    return tab.eval_on_selector_all(cells, "cells => cells.map(c => c.childNodes[0]?.textContent ?? '')")


def numbers(tab, number):
    return [float(text.replace(",", "")) for text in column(tab, number)]


def heading(tab, name):
    return tab.get_by_role("columnheader", name=name)


def test_the_page_opens_with_the_list_highest_score_first(html, show):
    tab = show(html)
    assert len(column(tab, 1)) == 30
    times = numbers(tab, 3)
    assert times == sorted(times, reverse=True)
    assert len(set(times)) > 10
    assert heading(tab, "Times peers").get_attribute("aria-sort") == "descending"
    assert tab.get_by_role("status").inner_text() == "30 of 30 shown"
    assert tab.wrong == []


def test_a_click_sorts_and_a_second_turns_round(html, show):
    tab = show(html)
    tab.get_by_role("button", name="Age").click()
    ages = numbers(tab, 5)
    assert ages == sorted(ages, reverse=True)
    assert len(set(ages)) > 5
    assert heading(tab, "Age").get_attribute("aria-sort") == "descending"
    assert heading(tab, "Times peers").get_attribute("aria-sort") == "none"
    tab.get_by_role("button", name="Age").click()
    assert numbers(tab, 5) == sorted(ages)
    assert heading(tab, "Age").get_attribute("aria-sort") == "ascending"


def test_rows_stay_whole(html, show):
    tab = show(html)
    rows = tab.eval_on_selector_all("tbody tr", "rows => rows.map(r => r.textContent)")
    tab.get_by_role("button", name="Risk per 100,000").click()
    risks = tab.eval_on_selector_all("tbody td:nth-child(2)", "cells => cells.map(c => Number(c.dataset.value))")
    assert risks == sorted(risks, reverse=True)
    assert sorted(tab.eval_on_selector_all("tbody tr", "rows => rows.map(r => r.textContent)")) == sorted(rows)


@pytest.mark.parametrize("key", ["Enter", "Space"])
def test_the_keyboard_alone_sorts_filters_and_opens_a_person(html, show, key):
    tab = show(html)
    for _ in range(30):
        tab.keyboard.press("Tab")
        if tab.evaluate("document.activeElement.textContent") == "Sex":
            break
    tab.keyboard.press(key)
    assert column(tab, 6) == sorted(column(tab, 6))
    assert set(column(tab, 6)) == {"man", "woman"}
    tab.get_by_label("Find a person").focus()
    tab.keyboard.type("woman")
    assert set(column(tab, 6)) == {"woman"}
    tab.keyboard.press("Escape")
    assert len(column(tab, 6)) == 30
    tab.locator("tbody a").first.focus()
    tab.keyboard.press("Enter")
    assert "#person-" in tab.url


def test_filters_by_words_and_by_the_least_rate_hold_together(html, show):
    tab = show(html)
    everyone = list(zip(column(tab, 6), numbers(tab, 3), strict=True))
    limit = sorted(times for _, times in everyone)[15]
    tab.get_by_label("Times peers, at least").fill(str(limit))
    # What is compared is the number behind the two digits shown.
    assert abs(len(column(tab, 3)) - sum(times >= limit for _, times in everyone)) <= 2
    assert min(numbers(tab, 3)) >= limit - 0.005
    tab.get_by_label("Find a person").fill("MAN 2014")
    assert set(column(tab, 6)) <= {"man", "woman"}
    tab.get_by_label("Find a person").fill("nobody of this name")
    assert column(tab, 1) == []
    assert tab.get_by_role("status").inner_text() == "0 of 30 shown"


def test_every_person_with_a_section_is_linked_to_it(html, show):
    tab = show(html)
    for i in (0, 29):
        link = tab.locator("tbody a").nth(i)
        title = tab.locator(link.get_attribute("href")).locator("h2").inner_text()
        assert title.startswith(f"Person {link.inner_text()} on ")


def test_nothing_is_asked_of_the_network(html, show):
    tab = show(html)
    tab.get_by_role("button", name="Age").click()
    assert {url.split("#")[0] for url in tab.asked} == {tab.home}


def test_without_script_the_list_is_a_complete_table_without_controls(html, show):
    tab = show(html, java_script_enabled=False)
    assert tab.locator("tbody tr").count() == 30
    assert tab.locator("thead button").count() == 0
    assert not tab.locator(".controls").is_visible()


def test_on_paper_nobody_is_missing_and_every_fold_is_open(html, show):
    tab = show(html)
    tab.get_by_label("Find a person").fill("nobody of this name")
    tab.emulate_media(media="print")
    assert tab.locator("tbody tr").first.is_visible()
    assert not tab.locator(".controls").is_visible()
    assert tab.get_by_text("Diagnoses, symptoms, family history").first.is_visible()
    assert len(tab.pdf()) > 10_000


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_the_page_never_scrolls_sideways(html, show, width):
    tab = show(html, viewport={"width": width, "height": 800})
    assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_shows_the_risk_of_a_person_at_once(html, show):
    tab = show(html, viewport={"width": 390, "height": 844})
    for name in ("Risk per 100,000", "Times peers"):
        box = heading(tab, name).bounding_box()
        assert box["x"] + box["width"] <= 390, name


def hostile_page(world):
    """People whose ids, and classes whose names, are hostile; also the warning and the provenance."""
    ids = sorted(HOSTILE)
    person = Person("F", date(1950, 1, 1), date(2005, 7, 1), date(2020, 12, 31))
    bought = [Dispensing(date(2013, 6, 1), "N06AB04", 30.0, 30), Dispensing(date(2013, 7, 1), "N05BA01", 10.0, 10)]
    register = write_register(Cohort(dict.fromkeys(ids, person), dict.fromkeys(ids, bought), []))
    families = list(dict.fromkeys(group.family for group in world.plan.groups))
    name = dict(zip(families, HOSTILE, strict=False))
    plan = replace(world.plan, groups=tuple(replace(g, family=name[g.family]) for g in world.plan.groups))
    model = replace(world.model, plan=plan, training={**world.model.training, "warning": "".join(HOSTILE)})
    day = int(np.datetime64(ON).astype(int))
    matrix = build(plan, register, IndexDates.on(np.arange(len(ids)), day))
    return people_page(register, model, matrix, provenance=dict.fromkeys(HOSTILE, HOSTILE[0]))


def test_hostile_ids_and_classes_run_nothing_and_ask_for_nothing(world, show):
    tab = show(hostile_page(world).render())
    assert tab.evaluate("document.documentElement.dataset.ran") is None
    assert {url.split("#")[0] for url in tab.asked} == {tab.home}
    assert tab.wrong == []
    shown = column(tab, 1)
    assert len(shown) == len(HOSTILE)
    # A parser of HTML drops NUL.
    assert {text.strip() for text in shown} == {text.replace("\x00", "").strip() for text in HOSTILE}
    tab.get_by_role("button", name="Person").click()
    tab.get_by_label("Find a person").fill("<script>")
    assert tab.evaluate("document.documentElement.dataset.ran") is None
    assert tab.locator("script").count() == 1


def test_a_script_that_is_not_ours_does_not_run_even_unescaped(html, show):
    """The policy is the second wall: what slipped through would still not run."""
    call = "document.documentElement.setAttribute('data-ran','1')"
    tab = show(html.replace("</main>", f'<script>{call}</script><img src="x" onerror="{call}"></main>'))
    assert tab.evaluate("document.documentElement.dataset.ran") is None
    assert any("Content Security Policy" in text for text in tab.wrong)
    tab.get_by_role("button", name="Age").click()
    assert heading(tab, "Age").get_attribute("aria-sort") == "descending"
