"""Importing the package, or asking for help, loads nothing heavy."""

from __future__ import annotations

import os
import subprocess
import sys

import pyarrow as pa
import pytest

from prodromal.cli.app import VERBS, main
from tests.torture.small import deliver, make_bundle, make_register

HEAVY = ("xgboost", "numba", "duckdb", "shap", "matplotlib", "sklearn", "scipy", "pandas", "pyarrow")
# The last is what numba's compiler imports: a loop out of its cache needs no compiler.
UNUSED = ("xgboost", "shap", "sklearn", "pandas", "duckdb", "numba.np.arraymath")


@pytest.mark.parametrize(
    "statement",
    ["import prodromal", "from prodromal.cli.app import app; app()", "from prodromal.errors import DataError"],
)
def test_heavy_modules_wait(statement):
    code = f"import sys; {statement}; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_verb_waits_for_no_other():
    code = """
import atexit, sys
from prodromal.cli import main
from prodromal.cli.app import VERBS
atexit.register(lambda: print([verb for verb in VERBS if f"prodromal.cli.{verb}" in sys.modules]))
main(["--debug", "score", "--help"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['score']"


def test_help_before_a_verb_names_all(capsys):
    with pytest.raises(SystemExit):
        main(["--help", "score"])
    shown = capsys.readouterr().out
    assert all(verb in shown for verb in VERBS)


@pytest.mark.skipif("jemalloc" not in pa.supported_memory_backends(), reason="this Arrow has no jemalloc")
@pytest.mark.parametrize(("chosen", "used"), [({}, "jemalloc"), ({"ARROW_DEFAULT_MEMORY_POOL": "system"}, "system")])
def test_arrow_keeps_little_memory_back_unless_told_otherwise(chosen, used):
    code = "import pyarrow as pa; from prodromal.cli.score import lean_memory; lean_memory(); "
    code += "print(pa.default_memory_pool().backend_name)"
    given = {name: value for name, value in os.environ.items() if name != "ARROW_DEFAULT_MEMORY_POOL"} | chosen
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=given)
    assert done.stdout.strip() == used


def test_scoring_and_its_reasons_need_no_boosters_library_no_pandas_and_no_compiler(tmp_path):
    deliver(tmp_path / "d", persons=60)
    model = make_bundle(make_register(tmp_path / "d", tmp_path / "register"), tmp_path / "model")
    asked = ["--on", "2015-01-01", "--explain", "3", "--force", "--output", tmp_path / "r.parquet"]
    arguments = ["score", tmp_path / "register", model, *asked]
    code = f"""
import atexit, sys
from prodromal.cli import main
atexit.register(lambda: print([m for m in {UNUSED!r} if m in sys.modules]))
sys.argv = {["prodromal", *map(str, arguments)]!r}
main()
"""
    ran = [subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True) for _ in range(2)]
    assert ran[1].stdout.splitlines()[-1] == "[]"
