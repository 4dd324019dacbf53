"""The page shell: self-contained, escaped, and honest about what is missing."""

from __future__ import annotations

import base64
import doctest
import hashlib
import re

import numpy as np
import pandas as pd
import pytest
from markupsafe import Markup

from prodromal.page import (
    SCRIPT,
    Cell,
    Column,
    Least,
    Page,
    Row,
    Section,
    bars,
    callout,
    definitions,
    details,
    figure,
    interval,
    listing,
    number,
    one_in,
    p_value,
    paragraph,
    per_100k,
    percent,
    rounded,
    strip,
    table,
    wording,
)
from tests.hostile import HOSTILE


def page(text="plain"):
    frame = pd.DataFrame({text: [text, "b"], "value": [1.5, np.nan], "note": ["", text]})
    parts = [
        paragraph(text),
        callout(text),
        details(text, paragraph(text)),
        definitions({text: text}),
        table(frame, caption=text, missing=text),
        figure("<svg></svg>", text, text),
        bars([Row(text, 0.3, text, text), Row("b", -0.1, "1")], alt=text),
    ]
    sections = [Section(f"s{i}", text, part) for i, part in enumerate(parts)]
    lead = strip([number(text, text, interval=text, unit=text, aside=text)])
    return Page(text, lead, sections, caution=text, kicker=text, provenance={text: text})


def list_page(text="plain"):
    rows = [[Cell(text, (text, text), "s1", 2.0), Cell(text, value=1.5)], [Cell("b"), Cell("none")]]
    html = listing([Column(text), Column(text, numeric=True)], rows, caption=text, find=text, least=Least(1, text))
    return Page(text, text, [Section("s1", text, html, listed=False), Section("s2", text, text)], script=SCRIPT)


def test_wording_examples():
    assert doctest.testmod(wording).failed == 0


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_stays_text(text):
    html = page(text).render()
    safe = page("plain").render()
    tags = re.compile(r"<\s*/?\s*([a-zA-Z!]+)")
    assert tags.findall(html) == tags.findall(safe), "the text opened or closed a tag"
    if any(c in text for c in "<>\"'&"):
        assert text not in html


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_list_stays_text(text):
    html, safe = list_page(text).render(), list_page().render()
    tags = re.compile(r"<\s*/?\s*([a-zA-Z!]+)")
    assert tags.findall(html) == tags.findall(safe), "the text opened or closed a tag"
    assert script_of(html) == script_of(safe)


def script_of(html):
    (script,) = re.findall(r"<script>(.*)</script>", html, flags=re.DOTALL)
    return script


def test_a_page_admits_its_own_script_by_hash_and_no_other():
    html = list_page().render()
    digest = base64.b64encode(hashlib.sha256(script_of(html).encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', html)[1].replace("&#39;", "'")
    assert policy.split("; ")[-1] == f"script-src 'sha256-{digest}'"
    assert "default-src 'none'" in policy
    assert "script-src" not in page().render()


def test_the_script_makes_no_markup_and_asks_for_nothing():
    words = ("innerHTML", "outerHTML", "insertAdjacent", "document.write", "eval(", "Function(", "fetch(", "XMLHttp")
    words += ("import", "http:", "https:", "setTimeout", "localStorage", "cookie", "WebSocket", "sendBeacon")
    script = script_of(list_page().render())
    assert not [word for word in words if word in script]


def test_a_list_is_a_table_without_the_script():
    html = list_page().render().split("</style>")[1]
    assert "<button" not in html
    assert re.search(r"<div class=\"controls\"[^>]* hidden>", html)
    assert html.count("<tr>") == 3
    assert 'data-value="1.5"' in html
    assert '<a href="#s1">' in html


def test_sections_may_be_left_out_of_the_contents():
    assert "<nav" not in list_page().render()


def test_steps_of_a_sum_start_where_the_last_ended():
    html = bars([Row("a", 0.5, "1"), Row("b", -0.25, "2", start=0.5), Row("sum", 0.25, "3", total=True)], alt="x")
    drawn = [tuple(map(float, pair)) for pair in re.findall(r'<rect x="([\d.]+)" y="1" width="([\d.]+)"', html)]
    assert drawn == [(50.0, 50.0), (75.0, 25.0), (50.0, 25.0)]
    assert html.count('class="bar total"') == 1


def test_the_page_asks_nothing_of_the_world():
    html = page().render()
    assert "default-src 'none'" in html.replace("&#39;", "'")
    assert "<script" not in html
    assert not re.search(r"(src|href)=\"(?!#|data:)", html)
    assert "url(" not in html.split("</style>")[0]
    assert "@import" not in html


def test_markup_is_not_escaped_twice():
    assert paragraph(Markup("<b>1</b>")) == "<p><b>1</b></p>"
    assert paragraph("a & b") == "<p>a &amp; b</p>"


def test_an_empty_cell_says_why():
    frame = pd.DataFrame({"name": ["a", "b", "c"], "value": [1.0, np.nan, np.nan], "note": ["", "suppressed: few", ""]})
    html = table(frame)
    assert "suppressed: few" in html
    assert html.count("not computed") == 1
    assert "nan" not in html.lower()


def test_a_note_of_a_full_row_is_shown():
    frame = pd.DataFrame({"name": ["a"], "value": [1.0], "note": ["unstable"]})
    assert "unstable" in table(frame)


def test_numbers_stand_to_the_right():
    html = table(pd.DataFrame({"name": ["a"], "people": [1234], "share": [0.5]}))
    assert '<th scope="row">a</th>' in html
    assert '<td class="n">1,234</td>' in html
    assert '<td class="n">0.500</td>' in html


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), 0.0, 1e-12, -3.0, 1e12])
def test_every_number_can_be_written(value):
    for write in (rounded, percent, per_100k, one_in):
        text = write(value)
        assert text
        assert "e-" not in text
        assert "nan" not in text
    assert interval(value, value)
    assert p_value(abs(value))


def test_a_risk_is_also_a_natural_frequency():
    assert (per_100k(0.00037), one_in(0.00037)) == ("37", "about 1 in 2,700")


def test_sections_are_listed_and_headed():
    html = page().render()
    for i in range(7):
        assert f'href="#s{i}"' in html
        assert f'id="s{i}-title"' in html


def test_writing_is_whole_or_nothing(tmp_path):
    page().write(tmp_path / "a" / "page.html")
    assert [p.name for p in (tmp_path / "a").iterdir()] == ["page.html"]
