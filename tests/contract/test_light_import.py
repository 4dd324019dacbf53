"""Importing the package, or asking for help, loads nothing heavy."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.torture.small import deliver, make_bundle, make_register

HEAVY = ("xgboost", "numba", "duckdb", "shap", "matplotlib", "sklearn", "scipy", "pandas", "pyarrow")


@pytest.mark.parametrize(
    "statement", ["import prodromal", "import prodromal.cli.app", "from prodromal.errors import DataError"]
)
def test_heavy_modules_wait(statement):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_scoring_and_its_reasons_need_neither_the_boosters_library_nor_pandas(tmp_path):
    deliver(tmp_path / "d", persons=60)
    model = make_bundle(make_register(tmp_path / "d", tmp_path / "register"), tmp_path / "model")
    arguments = [
        "score",
        tmp_path / "register",
        model,
        "--on",
        "2015-01-01",
        "--explain",
        "3",
        "-o",
        tmp_path / "r.parquet",
    ]
    code = f"""
import atexit, sys
from prodromal.cli import main
atexit.register(lambda: print([m for m in ("xgboost", "shap", "sklearn", "pandas", "duckdb") if m in sys.modules]))
sys.argv = {["prodromal", *map(str, arguments)]!r}
main()
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"
