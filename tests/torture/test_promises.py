"""Every promise can be tried: what it names exists."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from tests.torture.promises import PROMISES, Drawn, Listed

ROOT = Path(__file__).resolve().parents[2]


def test_names_are_distinct():
    names = [promise.name for promise in PROMISES]
    assert len(set(names)) == len(names) == 31


@pytest.mark.parametrize("promise", [p for p in PROMISES if isinstance(p, Listed)], ids=lambda p: p.name)
def test_tests_of_a_promise_exist(promise):
    assert all((ROOT / path).exists() for path in promise.tests)
    (sample,) = promise.sample
    path, _, name = sample.partition("::")
    assert f"def {name}" in (ROOT / path).read_text()


@pytest.mark.parametrize("promise", [p for p in PROMISES if isinstance(p, Drawn)], ids=lambda p: p.name)
def test_drivers_of_a_promise_exist(promise):
    module, name = promise.run.args
    assert callable(getattr(import_module(f"tests.{module}"), name))
    assert promise.few <= promise.many
