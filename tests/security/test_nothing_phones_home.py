"""The package opens no connection, runs no code from outside, reads no pickle, and needs nothing that reports."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).resolve().parents[2]
FILES = sorted((ROOT / "prodromal").rglob("*.py"))
TEXTS = sorted(
    path for path in (ROOT / "prodromal").rglob("*") if path.suffix in {".py", ".html", ".j2", ".css", ".js"}
)
IDS = [str(path.relative_to(ROOT)) for path in FILES]

# What talks to other machines, starts programs, or turns bytes into code.
MODULES = {
    *("aiohttp", "asyncio", "ftplib", "http", "httpx", "imaplib", "poplib", "requests", "smtplib", "socket"),
    *("socketserver", "ssl", "telnetlib", "urllib", "urllib3", "webbrowser", "websockets", "xmlrpc"),
    *("cPickle", "cloudpickle", "dill", "marshal", "pickle", "shelve", "yaml"),
    *("code", "codeop", "ctypes", "imp", "pty", "runpy", "subprocess"),
}
BUILTINS = {"__import__", "compile", "eval", "exec"}
ATTRIBUTES = {
    ("joblib", "load"),
    ("np", "load"),
    ("os", "popen"),
    ("os", "system"),
    ("pd", "eval"),
    ("pd", "read_pickle"),
    ("pickle", "load"),
    ("tarfile", "open"),
    ("zipfile", "ZipFile"),
}
METHODS = {"extractall", "read_pickle", "to_pickle", "unpack_archive"}
REPORTING = {
    *("analytics-python", "ddtrace", "elastic-apm", "evidently", "mixpanel", "mlflow", "nannyml", "newrelic"),
    *("opentelemetry-sdk", "posthog", "rollbar", "scarf", "scarf-sdk", "segment-analytics-python", "sentry-sdk"),
    *("statsd", "streamlit", "wandb"),
}


def offences(source: str) -> list[str]:
    """What a file does that none of ours may."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [a.name for a in node.names] if isinstance(node, ast.Import) else [node.module or ""]
            found += [name for name in names if name.split(".")[0] in MODULES]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in BUILTINS:
            found.append(node.func.id)
        elif isinstance(node, ast.Attribute):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if (owner, node.attr) in ATTRIBUTES or node.attr in METHODS:
                found.append(f"{owner}.{node.attr}")
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle":
            found.append("allow_pickle")
    return found


@pytest.mark.parametrize("path", FILES, ids=IDS)
def test_no_file_opens_connections_or_runs_what_it_reads(path):
    assert offences(path.read_text("utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "import socket",
        "from urllib.request import urlopen",
        "def f():\n    import pickle",
        "eval('1')",
        "import numpy as np\nnp.load('x')",
        "frame.read_pickle('x')",
        "import os\nos.system('x')",
        "read(x, allow_pickle=True)",
    ],
)
def test_the_check_itself_sees_them(source):
    assert offences(source)


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_address_is_fetched_from_a_page_or_a_statement(path):
    """Addresses stand in texts as names of code systems and references; none is loaded by a tag, a style or DuckDB."""
    text = path.read_text("utf-8")
    assert not re.search(r"""(?:src|href)\s*=\s*["']?(?:https?:)?//|@import|url\(\s*["']?(?:https?:)?//""", text)
    assert not re.search(r"\b(?:INSTALL|LOAD)\s+(?:httpfs|https|spatial|aws|azure|postgres)", text)


def test_no_dependency_reports_to_anyone():
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = {re.sub(r"[-_.]+", "-", name).lower() for name in re.findall(r"^([\w.-]+)==", lock, re.MULTILINE)}
    assert len(pinned) > 50
    assert not pinned & REPORTING
    installed = {re.sub(r"[-_.]+", "-", d.name).lower() for d in importlib.metadata.distributions()}
    assert not installed & REPORTING


def test_the_whole_package_is_imported_without_a_connection():
    """Every module, in a process whose sockets are traps."""
    names = sorted(
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for path in FILES
        if path.name != "__main__.py"
    )
    code = (
        "import sys, importlib\n"
        "def trap(event, arguments):\n"
        "    if event in {'socket.connect', 'socket.getaddrinfo', 'socket.gethostbyname', 'socket.sendto',"
        " 'urllib.Request', 'webbrowser.open', 'ftplib.connect', 'smtplib.connect'}:\n"
        "        raise SystemExit(f'{event}')\n"
        "sys.addaudithook(trap)\n"
        f"for name in {names!r}:\n"
        "    try:\n"
        "        importlib.import_module(name)\n"
        "    except ImportError as error:\n"
        "        if 'pyspark' not in str(error) and 'adbc' not in str(error): raise\n"
        "print('done')\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=300)
    assert done.stdout.strip() == "done", done.stderr[-500:]


@pytest.fixture(scope="module")
def sbom():
    return SimpleNamespace(**runpy.run_path(str(ROOT / "scripts" / "sbom"), run_name="sbom"))


def test_the_bill_of_materials_names_every_pinned_package_and_is_the_same_twice(sbom):
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    first, again = sbom.bill(), sbom.bill()
    assert first == again
    named = {f"{c['name']}=={c['version']}" for c in first["components"]}
    lines = re.findall(r"^([\w.-]+)==([^ ;\\]+)", lock, re.MULTILINE)
    assert named == {f"{sbom.normal(name)}=={version}" for name, version in lines}
    assert all(c["hashes"] for c in first["components"])
    scopes = {c["name"]: c["scope"] for c in first["components"]}
    assert (scopes["xgboost"], scopes["jinja2"], scopes["pytest"]) == ("required", "required", "excluded")


@pytest.mark.parametrize(
    ("said", "fine"),
    [
        (["MIT"], True),
        (["Apache-2.0 OR BSD-3-Clause"], True),
        (["MPL-2.0 AND (Apache-2.0 OR MIT)"], True),
        (["BSD License"], True),
        (["GPL-3.0-only"], False),
        (["MIT AND GPL-2.0-or-later"], False),
        (["GNU General Public License v3 (GPLv3)"], False),
        (["Proprietary"], False),
        ([], False),
    ],
)
def test_licences_are_judged_by_what_is_accepted(sbom, said, fine):
    assert sbom.accepted(said) == fine


def test_every_runtime_dependency_is_pinned_under_an_accepted_licence(sbom):
    found, runs = sbom.bill(), sbom.needed_to_run(sbom.project())
    assert len(runs) > 30
    assert sbom.refused(found, runs) == []
    assert sbom.refused(found, runs | {"no-such-package"}) == ["no-such-package is not in requirements.lock"]
    for c in found["components"]:
        if c["name"] == "numpy":
            c["licenses"] = [{"license": {"name": "GPL-3.0"}}]
    assert sbom.refused(found, runs) == ["numpy: GPL-3.0"]
