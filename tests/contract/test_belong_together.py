"""Risks, models, registers and cohorts that do not belong together are refused; what cannot be known is said."""

from __future__ import annotations

import shlex
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from prodromal.cli.app import main
from prodromal.design.cohort import Origin
from prodromal.risk import save

SPLIT = "--split 0.4 --split-seed 3"
SHARED = "may be among those whom the model was trained on"


@pytest.fixture
def run(world, tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder with R for the register and M for a model; gives exit code and text."""
    monkeypatch.chdir(tmp_path)
    save(world.model, tmp_path / "model")

    def command(line):
        words = {"R": str(world.register.folder), "M": "model"}
        with pytest.raises(SystemExit) as left:
            main([words.get(word, word) for word in shlex.split(line)])
        told = capsys.readouterr()
        return left.value.code, " ".join((told.out + told.err).split())

    return command


@pytest.fixture
def done(run):
    """Run a command line that must succeed; gives its text."""

    def command(line):
        code, told = run(line)
        assert code == 0, told
        return told

    return command


def years(world):
    return round(world.question.horizon_days / 365.25)


def test_a_cohort_of_another_horizon_is_refused(run, done, world):
    done(f"cohort landmark R --on 2012-01-01 --horizon-years {years(world) - 1} --output cohort.parquet")
    done("score R M --index-dates cohort.parquet --output risks.parquet")
    for more in ("", "--register R --model M"):
        code, told = run(f"evaluate risks.parquet cohort.parquet {more} --replicates 0 --output out")
        assert code == 11
        assert "ask different questions" in told
    pd.read_parquet("risks.parquet").to_csv("risks.csv")
    code, told = run("evaluate risks.csv cohort.parquet --register R --model M --replicates 0 --output out")
    assert (code, "model and cohort.parquet ask different questions" in told) == (11, True)
    assert not Path("out").exists()


def test_risks_of_another_model_or_register_are_refused(run, done, world):
    done(f"cohort landmark R --on 2012-01-01 --horizon-years {years(world)} --output cohort.parquet")
    done("score R M --index-dates cohort.parquet --output risks.parquet")
    save(replace(world.model, slope=world.model.slope / 2), "other")
    code, told = run("evaluate risks.parquet cohort.parquet --register R --model other --replicates 0 --output out")
    assert (code, "was made with model" in told) == (11, True)


def test_people_need_a_register_and_a_model(run, done, world):
    done(f"cohort landmark R --on 2012-01-01 --horizon-years {years(world)} --output cohort.parquet")
    done("score R M --index-dates cohort.parquet --output risks.parquet")
    code, told = run("evaluate risks.parquet cohort.parquet --people 2 --replicates 0 --output out")
    assert (code, "--people needs --register and --model" in told) == (10, True)


def test_people_who_may_have_been_trained_on_are_a_caution(done):
    horizon = "--horizon-years 5"
    done(f"cohort sets R {SPLIT} --part train {horizon} --seed 1 --output sets.parquet")
    done("train R sets.parquet --trials 1 --max-rounds 5 --seed 1 --output trained")
    for name, split in (
        ("held", f"{SPLIT} --part held-out"),
        ("train", f"{SPLIT} --part train"),
        ("other", "--split 0.4 --split-seed 4 --part held-out"),
        ("all", ""),
    ):
        done(f"cohort landmark R --on 2012-01-01 {horizon} {split} --output {name}.parquet")
        done(f"score R trained --index-dates {name}.parquet --output {name}-risks.parquet")
        for i, more in enumerate(("", "--register R --model trained")):
            told = done(f"evaluate {name}-risks.parquet {name}.parquet {more} --replicates 0 --output {name}-{i}")
            assert (SHARED in told) == (name != "held")
            assert (SHARED in Path(f"{name}-{i}/report.html").read_text("utf-8")) == (name != "held")
    done(f"cohort sets R {SPLIT} --part train {horizon} --seed 2 --output matched.parquet")
    with_sets = "--register R --model trained --matched matched.parquet --replicates 0 --output sets-out"
    assert SHARED in done(f"evaluate held-risks.parquet held.parquet {with_sets}")


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        (Origin("a"), Origin("b"), False),
        (Origin(""), Origin(""), False),
        (Origin("a"), Origin("a"), True),
        (Origin("a", splits={"s": "train"}), Origin("a", splits={"s": "held-out"}), False),
        (Origin("a", splits={"s": "train"}), Origin("a", splits={"t": "held-out"}), True),
        (Origin("a", splits={"s": "train", "t": "x"}), Origin("a", splits={"s": "train", "t": "y"}), False),
    ],
)
def test_origins_share_people_unless_a_split_parts_them(one, other, shared):
    assert one.shares_people(other) is other.shares_people(one) is shared


@pytest.mark.parametrize("facts", [{}, {"register": 3, "splits": []}, {"splits": {"a": 1}}, {"simulated": "yes"}])
def test_what_a_file_says_in_another_form_is_unknown(facts):
    assert Origin.of(facts) == Origin()


def test_a_horizon_beyond_the_data_is_a_caution(done, world):
    last = world.register.last_observed
    told = done(f"cohort landmark R --on {last.year - 2}-01-01 --horizon-years 5 --output cohort.parquet")
    assert f"CAUTION: the data end on {last}: nobody is followed to the end of the horizon" in told
    told = done(f"cohort landmark R --on {last.year - 6}-01-01 --horizon-years 5 --output early.parquet")
    assert "CAUTION" not in told


def test_index_dates_after_the_data_are_refused_and_counted(done, world):
    people = world.register.persons
    rows = [i for i in range(len(people)) if people.death[i] > 2**30][:2]
    last = pd.Timestamp(world.register.last_observed)
    dates = [last + pd.Timedelta(days=31), last + pd.Timedelta(days=32)]
    pd.DataFrame({"person_id": people.ids[rows], "index_date": dates}).to_csv("asked.csv", index=False)
    told = done("score R M --index-dates asked.csv --output risks.parquet")
    assert "2 asked = 1 scored + 1 refused, 1 after the data." in told
