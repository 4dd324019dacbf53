"""One local Spark for all tests of the room, and a small register in several parts."""

from __future__ import annotations

import os
import shutil
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from prodromal.register import Register
from prodromal.simulate import SimulationConfig, simulate
from prodromal.sources import Source, TableSource, ingest

ROOT = Path(__file__).resolve().parents[2]
DAY = int(np.datetime64("2015-01-01").astype(int))


def has_java() -> bool:
    home = os.environ.get("JAVA_HOME")
    return (Path(home) / "bin" / "java").is_file() if home else shutil.which("java") is not None


@pytest.fixture(scope="session")
def spark():
    """Two local cores; a task is tried twice."""
    pytest.importorskip("pyspark")
    if not has_java():
        pytest.skip("no Java for Spark")
    from prodromal.distributed import open_spark

    settings = {
        "spark.executorEnv.PYTHONPATH": str(ROOT),
        "spark.sql.shuffle.partitions": "2",
        # Jobs this short end before Java's better compiler pays.
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1",
        "spark.sql.codegen.wholeStage": "false",
        "spark.ui.showConsoleProgress": "false",
    }
    with open_spark("local[2,2]", settings) as session:
        yield session


@pytest.fixture(scope="session")
def delivery(tmp_path_factory):
    folder = tmp_path_factory.mktemp("country") / "delivery"
    simulate(
        SimulationConfig.scenario("strong", persons=800, noncase_fraction=1.0), folder, seed=7, file_format="parquet"
    )
    return folder


@pytest.fixture(scope="session")
def register(delivery, tmp_path_factory):
    """Everyone of a small simulated country, in four parts."""
    folder = tmp_path_factory.mktemp("small") / "register"
    tables = tuple(
        TableSource(name, tuple(sorted((delivery / name).glob("*"))) or (delivery / f"{name}.parquet",))
        for name in ("persons", "dispensings", "outcomes", "relatives")
    )
    ingest(Source(tables, extracted_on=date(2026, 1, 1)), folder, rows_per_part=15_000)
    return Register.open(folder)


@pytest.fixture(scope="session")
def bundle():
    (found,) = (ROOT / "models").glob("als-synthetic-v1/**/model.ubj")
    return found.parent


@pytest.fixture
def damaged(register, tmp_path):
    """A copy of the register with one bit of its second part turned over, and the part's name."""
    folder = tmp_path / "register"
    shutil.copytree(register.folder, folder)
    part = sorted((folder / "dispensings").iterdir())[1]
    data = bytearray(part.read_bytes())
    data[len(data) // 2] ^= 1
    part.write_bytes(data)
    return Register.open(folder), part.name
