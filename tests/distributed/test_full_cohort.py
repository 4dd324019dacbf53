"""The worked example of trees grown on everybody ends in a bundle that loads, scores and was recalibrated."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from prodromal.features.index_dates import Everyone
from prodromal.risk import load
from prodromal.scoring import score_register
from tests.distributed.conftest import DAY, ROOT, has_java

# Jobs this short end before Java's better compiler pays.
_QUICK = {
    "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1",
    "PYSPARK_SUBMIT_ARGS": "--conf spark.sql.codegen.wholeStage=false pyspark-shell",
}


def test_the_example_writes_a_model(register, tmp_path):
    pytest.importorskip("pyspark")
    if not has_java():
        pytest.skip("no Java for Spark")
    example = ROOT / "training" / "full_cohort_on_spark.py"
    output = tmp_path / "model"
    done = subprocess.run(
        [sys.executable, str(example), "--output", str(output), "--persons", "700000", "--rounds", "8"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **_QUICK, "PYTHONPATH": str(ROOT), "SPARK_LOCAL_IP": "127.0.0.1"},
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    model = load(output)
    assert model.training["recalibrated"]["events"] >= 20
    assert model.training["recalibrated"]["slope"] > 0
    assert model.warning
    assert len(model.trees.forest.roots) == 8
    account = score_register(model, register, Everyone(DAY), tmp_path / "risks.parquet")
    assert account.scored > 0
