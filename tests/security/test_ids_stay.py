"""A person's id is in no bundle, no aggregate, no message, no log and no trace: the whole chain on planted ids."""

from __future__ import annotations

import json
import logging
import shutil
from datetime import date
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from prodromal.cli.app import main
from tests.security.canaries import KINDS, deliver, found_in, name_of

TRAINING = ("--trials", "1", "--max-rounds", "25", "--seed", "1")
# These know people by their row, or take no other ids, and are run with numbers.
NUMBERS_ALONE = ("study", "recalibrate", "export", "dataset")
SPLIT = ("--split", "0.4", "--split-seed", "1", "--horizon-years", "3")


class Told(logging.Handler):
    """Every record at every level, with its trace."""

    def __init__(self):
        super().__init__(level=0)
        self.lines = []

    def emit(self, record):
        self.lines.append(logging.Formatter("%(name)s %(message)s").format(record))


@pytest.fixture(scope="module")
def told():
    handler, root = Told(), logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(1)
    yield handler.lines
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.fixture(scope="module", params=KINDS)
def chain(request, world, told, tmp_path_factory):
    """Every verb run on canaries; what was said is kept."""
    here = tmp_path_factory.mktemp(f"canaries-{request.param}")
    world.register  # noqa: B018  makes the delivery
    options = deliver(world.delivery, here, request.param)
    at = {name: str(here / name) for name in ("register", "model", "evaluation", "study", "recalibrated", "dataset")}
    tables = ("train", "matched", "held", "risks", "again", "matrix", "anchored", "labels", "predictions")
    file = {name: str(here / f"{name}.parquet") for name in tables}
    pages = [str(here / f"{name}.html") for name in ("people", "summary", "recalibrated", "quality")]
    pages.append(str(here / "quality.json"))
    said = SimpleNamespace(here=here, kind=request.param, folder=at, file=file, options=options, text={})
    for number, command in enumerate(commands(options, at, file, pages)):
        if request.param == "text" and command[0] in NUMBERS_ALONE:
            continue
        said.text[f"{number} {command[0]}"] = run(command)
    return said


def commands(options, at, file, pages):
    """The whole job, verb by verb."""
    register, model = at["register"], at["model"]
    held = [file["held"], "--output"]
    few = ["--replicates", "5"]
    matched = ["--matched", file["matched"], "--register", register, "--model", model, *few]
    return [
        ["ingest", "csv", *options, "--output", register],
        ["check", register, "--report", pages[3], "--json", pages[4]],
        ["cohort", "sets", register, *SPLIT, "--part", "train", "--seed", "1", "--output", file["train"]],
        ["cohort", "sets", register, *SPLIT, "--part", "held-out", "--seed", "2", "--output", file["matched"]],
        ["cohort", "landmark", register, "--on", "2014-01-01", *SPLIT, "--part", "held-out", "--output", file["held"]],
        ["cohort", "anchored", register, "--seed", "3", "--output", file["anchored"]],
        ["features", register, "--index-dates", *held, file["matrix"]],
        ["train", register, file["train"], *TRAINING, "--output", model],
        ["check", model],
        ["score", register, model, "--on", "2014-01-01", "--explain", "3", "--output", file["again"]],
        ["score", register, model, "--index-dates", *held, file["risks"]],
        ["evaluate", file["risks"], file["held"], *matched, "--people", "3", "--ohdsi", "--output", at["evaluation"]],
        ["explain", register, model, "--index-dates", *held, pages[0], "--summary", pages[1], *few],
        ["recalibrate", register, model, *held, at["recalibrated"], "--report", pages[2]],
        ["study", register, "--no-joint", "--output", at["study"]],
        ["export", "meds", register, "--output", at["dataset"]],
        ["export", "meds-labels", *held, file["labels"]],
        ["export", "meds-predictions", file["risks"], *held, file["predictions"]],
    ]


def run(command, code=0):
    """What a command says on both streams, however it gets there."""
    import contextlib
    import io

    stream = io.StringIO()
    with contextlib.redirect_stdout(stream), contextlib.redirect_stderr(stream), pytest.raises(SystemExit) as left:
        main([str(word) for word in command])
    assert left.value.code == code, stream.getvalue()
    return stream.getvalue()


def signs(path):
    files = [path] if path.is_file() else [item for item in path.rglob("*") if item.is_file()]
    assert files
    return {file.name: count for file in files if (count := found_in(file.read_bytes()))}


def test_the_search_finds_a_canary_in_every_form():
    number = int(name_of([5], "number").iloc[0])
    for text in (str(number), f"{number:,}", f"{float(number):.8e}", "x KANARIE-000000005 y"):
        assert found_in(text.encode()) == 1
    assert found_in(b"xyz" + np.int64(number).tobytes()) == 1
    assert found_in("kanarie".encode("utf-16-le")) == 1
    assert found_in(b"913726 kanari") == 0


def test_it_finds_them_where_they_belong(chain):
    """In the files that are about persons, so that finding none elsewhere means something."""
    assert signs(chain.here / "people.html")
    for name in ("risks", "matrix", "anchored"):
        frame = pd.read_parquet(chain.file[name])
        assert found_in(" ".join(frame["person_id"].astype(str)).encode()) == len(frame) > 0


LEAVES = ("model", "recalibrated", "evaluation", "study")
PAGES = ("summary.html", "recalibrated.html", "quality.html", "quality.json", "features.json", "dataset/metadata")
DRIFT = ("again.drift.csv", "risks.drift.csv")


@pytest.mark.parametrize("name", [*LEAVES, *PAGES, *DRIFT])
def test_what_may_leave_names_nobody(chain, name):
    if name.startswith(NUMBERS_ALONE) and chain.kind == "text":
        pytest.skip("made of people with numbers alone")
    assert signs(chain.here / name) == {}


def test_the_account_of_a_register_names_nobody(chain):
    assert found_in((chain.here / "register" / "register.json").read_bytes()) == 0


def test_what_the_verbs_say_names_nobody(chain):
    assert all(chain.text.values())
    assert {verb: found_in(text.encode()) for verb, text in chain.text.items()} == dict.fromkeys(chain.text, 0)


def test_the_logs_name_nobody(chain, told):
    logging.getLogger("check").debug("is heard")
    assert any("is heard" in line for line in told)
    assert found_in("\n".join(told).encode()) == 0


def strangers(chain, folder):
    """Files that ask for what cannot be, about canaries."""
    ids = name_of(np.arange(10**6, 10**6 + 50), chain.kind)
    known = pd.read_parquet(chain.file["held"], columns=["person_id", "index_date"]).head(50)
    unknown = pd.DataFrame({"person_id": ids, "index_date": "2014-01-01"})
    unknown.to_csv(folder / "unknown.csv", index=False)
    unknown.assign(index_date=[f"no date {i}" for i in ids]).to_csv(folder / "dates.csv", index=False)
    unknown.drop(columns="index_date").to_csv(folder / "columns.csv", index=False)
    known.assign(index_date="2099-01-01").to_csv(folder / "future.csv", index=False)
    known.assign(index_date="1890-01-01").to_csv(folder / "unborn.csv", index=False)
    (folder / "ragged.csv").write_text("person_id,index_date\n" + "".join(f'{i},"2014\n{i},,,\n' for i in ids))
    persons = pd.read_parquet(chain.here / "persons.parquet")
    pd.concat([persons, persons.assign(birth_date=date(1950, 1, 1))]).to_parquet(folder / "twice.parquet")
    persons.assign(observed_to=[f"left {i}" for i in persons["person_id"]]).to_parquet(folder / "ends.parquet")
    persons.assign(birth_date=[f"born {i}" for i in persons["person_id"]]).to_parquet(folder / "births.parquet")
    bought = pd.DataFrame({"person_id": ids, "dispensed_on": "2010-01-01", "atc": "N06AB04"})
    bought.to_csv(folder / "bought.csv", index=False)
    bought.assign(atc=[f"code {i}" for i in ids], dispensed_on=[str(i) for i in ids]).to_csv(folder / "codes.csv")
    risks = pd.read_parquet(chain.file["risks"])
    risks.assign(risk=[f"risk of {i}" for i in risks["person_id"]]).to_csv(folder / "risks.csv", index=False)
    risks.assign(person_id=ids.iloc[0]).to_parquet(folder / "one.parquet")
    risks.assign(risk=2.0).to_parquet(folder / "two.parquet")
    (folder / f"{ids.iloc[0]}.txt").write_text("")
    cohort = pd.read_parquet(chain.file["held"])
    cohort.to_csv(folder / "cohort.csv", index=False)
    (folder / "plan.toml").write_text(f'name = "x"\nwindows = ["{ids.iloc[0]}"]\n')


FAILING = {
    "unknown people scored": ("score R M --index-dates unknown.csv", 13),
    "no dates scored": ("score R M --index-dates dates.csv", 11),
    "no column scored": ("score R M --index-dates columns.csv", 11),
    "unborn people scored": ("score R M --index-dates unborn.csv", 13),
    "a broken table scored": ("score R M --index-dates ragged.csv", 11),
    "unknown people explained": ("explain R M --index-dates unknown.csv", 13),
    "no dates explained": ("explain R M --index-dates dates.csv", 11),
    "features of no dates": ("features R --index-dates dates.csv", 11),
    "persons twice": ("ingest csv --persons twice.parquet --dispensings D", 11),
    "no ends": ("ingest csv --persons ends.parquet --dispensings D", 11),
    "no birth dates": ("ingest csv --persons births.parquet --dispensings D", 11),
    "unknown people buy": ("ingest csv --persons P --dispensings bought.csv", 11),
    "no codes": ("ingest csv --persons P --dispensings codes.csv", 11),
    "risks that are words": ("evaluate risks.csv C", 11),
    "risks of one person": ("evaluate one.parquet C", 11),
    "risks above one": ("evaluate two.parquet C", 11),
    "another register's cohort": ("train R cohort.csv --seed 1", 11),
}


@pytest.mark.parametrize("name", FAILING)
def test_messages_and_traces_of_failing_verbs_name_nobody(chain, tmp_path, monkeypatch, name):
    """With ``--debug``, so that the whole chain of causes is shown."""
    strangers(chain, tmp_path)
    monkeypatch.chdir(tmp_path)
    words = {
        "R": chain.folder["register"],
        "M": chain.folder["model"],
        "C": chain.file["held"],
        "D": str(chain.here / "dispensings.parquet"),
        "P": str(chain.here / "persons.parquet"),
    }
    line, code = FAILING[name]
    command = [
        "--debug",
        *(words.get(word, word) for word in line.split()),
        "--output",
        "out.html" if "explain" in line else "out",
    ]
    text = run(command, code)
    assert "error: " in text
    assert found_in(text.encode()) == 0, text
    assert not (tmp_path / "out").exists()


def test_a_damaged_register_is_reported_without_them(chain, tmp_path):
    copy = shutil.copytree(chain.folder["register"], tmp_path / "register")
    found = json.loads((copy / "register.json").read_text())
    path = min(copy.rglob("part-*.parquet"))
    data = bytearray(path.read_bytes())
    for place in np.random.default_rng(1).integers(0, len(data), 20):
        data[place] ^= 1
    path.write_bytes(data)
    text = run(["--debug", "check", copy], 11)
    assert found_in(text.encode()) == 0
    assert found
