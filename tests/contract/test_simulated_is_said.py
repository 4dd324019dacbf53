"""A model of simulated people says so in every output: on the terminal, in the file's metadata, first on the page."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from prodromal.cli.app import main
from prodromal.risk import load
from prodromal.risk.training import WARNING

MODEL = Path(__file__).resolve().parents[2] / "models" / "als-synthetic-v1"
pytestmark = pytest.mark.skipif(not MODEL.is_dir(), reason="models/ is not beside the package")


@pytest.fixture
def run(world, tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder with R for the register and M for the model; gives stdout."""
    monkeypatch.chdir(tmp_path)

    def command(line):
        words = {"R": str(world.register.folder), "M": str(MODEL)}
        with pytest.raises(SystemExit) as left:
            main([words.get(word, word) for word in shlex.split(line)])
        told = capsys.readouterr()
        assert left.value.code == 0, told.err
        return told.out

    return command


def metadata(path):
    return pq.read_schema(path).metadata[b"prodromal.warning"].decode()


def test_a_register_of_simulated_people_knows_it(world):
    assert world.register.simulated


def test_score_and_evaluate_without_the_model(run):
    run("cohort landmark R --on 2014-01-01 --output cohort.parquet")
    assert WARNING in run("score R M --index-dates cohort.parquet --output risks.parquet")
    assert metadata("risks.parquet") == WARNING
    assert WARNING in run("evaluate risks.parquet cohort.parquet --replicates 20 --output evaluation")
    assert WARNING in Path("evaluation/report.html").read_text("utf-8")
    assert WARNING in json.loads(Path("evaluation/evaluation.json").read_text("utf-8"))["warnings"]
    assert json.loads(Path("evaluation/provenance.json").read_text("utf-8"))["warning"] == WARNING


def test_evaluate_knows_it_from_the_cohort_where_the_risks_lost_their_metadata(run):
    run("cohort landmark R --on 2014-01-01 --output cohort.parquet")
    run("score R M --index-dates cohort.parquet --output risks.parquet")
    pd.read_parquet("risks.parquet").to_csv("risks.csv", index=False)
    said = "Tried on simulated people."
    assert said in run("evaluate risks.csv cohort.parquet --replicates 20 --output evaluation")
    assert said in Path("evaluation/report.html").read_text("utf-8")


def test_explain(run, world):
    pd.DataFrame({"person_id": world.register.persons.ids[:3], "index_date": "2014-01-01"}).to_csv("asked.csv")
    assert WARNING in run("explain R M --index-dates asked.csv --output people.html")
    page = Path("people.html").read_text("utf-8")
    assert page.index(WARNING) < page.index("<h1>")
    run("explain R M --index-dates asked.csv --output people.parquet")
    assert metadata("people.parquet") == WARNING


def test_train(run):
    run("cohort sets R --seed 1 --output sets.parquet")
    assert WARNING in run("train R sets.parquet --trials 1 --max-rounds 10 --seed 1 --output model")
    assert load("model").warning == WARNING


def test_recalibrate_shows_before_and_after_and_keeps_the_warning(run):
    run("cohort landmark R --on 2014-01-01 --output cohort.parquet")
    assert WARNING in run("recalibrate R M cohort.parquet --output recalibrated --report changed.html")
    assert load("recalibrated").warning == WARNING
    page = Path("changed.html").read_text("utf-8")
    assert page.index(WARNING) < page.index("<h1>")
    assert all(f'<th scope="col" class="n">{name}</th>' in page for name in ("before", "after"))
    assert "<script" not in page
