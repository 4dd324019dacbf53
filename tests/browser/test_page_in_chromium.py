"""The page in a real browser: nothing from the data runs, nothing is asked of the network."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from prodromal.page import Page, Section, join
from tests.hostile import HOSTILE
from tests.unit.test_page import page

BROWSER = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")


def opened(html, folder):
    """The document after scripts, had there been any; and the log of requests."""
    path, log = folder / "page.html", folder / "net.json"
    path.write_text(html, encoding="utf-8", newline="")
    command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
    command += [f"--user-data-dir={folder / 'profile'}", f"--log-net-log={log}", "--virtual-time-budget=2000"]
    done = subprocess.run([*command, "--dump-dom", path.as_uri()], capture_output=True, timeout=120, check=True)
    return done.stdout.decode(), log.read_text(errors="replace")


def test_the_check_itself_sees_a_script_and_a_request(tmp_path):
    html = "<script>document.documentElement.setAttribute('data-ran','1')</script><img src='https://x.invalid/a.png'>"
    dom, log = opened(html, tmp_path)
    assert "data-ran" in dom.split(">")[0]
    assert "x.invalid" in log


def test_sixty_hostile_strings_run_nothing_and_ask_for_nothing(tmp_path):
    assert len(HOSTILE) >= 60
    pages = [page(text) for text in HOSTILE]
    sections = [
        Section(f"p{i}-{s.id}", s.title, join([p.lead, s.html])) for i, p in enumerate(pages) for s in p.sections
    ]
    whole = Page(
        "".join(HOSTILE), HOSTILE[0], sections, caution="".join(HOSTILE), provenance=dict.fromkeys(HOSTILE, "x")
    )
    dom, log = opened(whole.render(), tmp_path)
    assert "data-ran" not in dom.split("<head")[0]
    assert "x.invalid" not in log
    assert dom.count("<section") == len(sections)
