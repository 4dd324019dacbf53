"""Importing the package, or asking for help, loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("xgboost", "numba", "duckdb", "shap", "matplotlib", "sklearn", "scipy", "pandas", "pyarrow")


@pytest.mark.parametrize(
    "statement", ["import prodromal", "import prodromal.cli.app", "from prodromal.errors import DataError"]
)
def test_heavy_modules_wait(statement):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
