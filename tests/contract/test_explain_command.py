"""``prodromal explain``: what it writes, and one clear sentence with its exit code where it cannot."""

from __future__ import annotations

import json
import math
import re
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from prodromal.cli.app import main
from prodromal.explain.people import MOST_LISTED, MOST_SHOWN
from prodromal.risk.bundle import fingerprint, save

ON = "2014-01-01"


@pytest.fixture(scope="module")
def bundle(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "model"
    save(world.model, folder)
    return folder


@pytest.fixture
def run(world, bundle, tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder, R the register and M the model; gives code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def command(line):
        words = {"R": str(world.register.folder), "M": str(bundle)}
        with pytest.raises(SystemExit) as left:
            main([words.get(word, word) for word in shlex.split(line)])
        told = capsys.readouterr()
        return left.value.code, told.out, told.err

    return command


def ask(world, number, name="asked.csv"):
    """A file of people who were observed on the date."""
    people, day = world.register.persons, np.datetime64(ON).astype(int)
    ids = people.ids[(people.observed_from < day) & (people.death > day)][:number]
    pd.DataFrame({"person_id": ids, "index_date": ON}).to_csv(name, index=False)
    return ids


def test_json_says_who_made_it_and_adds_up(run, world, bundle):
    ids = ask(world, 12)
    code, out, _ = run("explain R M --index-dates asked.csv --output people.json")
    assert (code, "12 explained" in out) == (0, True)
    found = json.loads(Path("people.json").read_text("utf-8"))
    assert found["model"]["fingerprint"] == found["provenance"]["model"] == fingerprint(bundle)
    assert found["model"]["plan_fingerprint"] == world.plan.fingerprint
    assert (found["model"]["lag_days"], found["model"]["horizon_days"]) == (365, 1096)
    assert "not the disease" in found["caution"]
    assert [person["person_id"] for person in found["people"]] == ids.tolist()
    for person in found["people"]:
        total = found["base"]["contribution"] + sum(person["contributions"].values())
        assert total == pytest.approx(person["score"], abs=1e-4)
        product = found["base"]["factor"] * math.prod(person["factors"].values())
        assert product == pytest.approx(person["relative_risk"], rel=1e-4)
        assert person["risk_per_100k"] == pytest.approx(1e5 * person["risk"])
        assert person["one_in"].startswith("about 1 in ")
        assert person["index_date"] == ON
        # The register starts in mid-2005: ten years are never seen on this date.
        assert "5-10 years" in person["not_observed"]
        largest = max(person["contributions"], key=lambda label: abs(person["contributions"][label]))
        assert person["reasons"][0].startswith(largest)


def test_json_by_other_groups_has_the_same_scores(run, world):
    ask(world, 5)
    scores = []
    for by in ("class", "window", "class x window", "feature"):
        assert run(f"explain R M --index-dates asked.csv --by '{by}' --output people.json --force")[0] == 0
        found = json.loads(Path("people.json").read_text("utf-8"))
        assert found["by"] == by
        scores.append([person["score"] for person in found["people"]])
    assert scores[0] == scores[1] == scores[2] == scores[3]


def test_json_and_parquet_agree(run, world):
    ask(world, 8)
    for ending in ("json", "parquet"):
        assert run(f"explain R M --index-dates asked.csv --output people.{ending}")[0] == 0
    people = json.loads(Path("people.json").read_text("utf-8"))["people"]
    frame = pq.read_table("people.parquet").to_pandas()
    assert frame["score"].tolist() == [person["score"] for person in people]
    for label in people[0]["contributions"]:
        assert frame[label].tolist() == [person["contributions"][label] for person in people]


def test_a_simulated_model_says_so_first_in_json_and_summary(run, world):
    released = Path(__file__).resolve().parents[2] / "models" / "als-synthetic-v1"
    if not released.is_dir():
        pytest.skip("models/ is not beside the package")
    from prodromal.risk.training import WARNING

    ask(world, 40)
    command = f"explain R {released} --index-dates asked.csv --output people.json --summary summary.html"
    assert WARNING in run(command)[1]
    found = json.loads(Path("people.json").read_text("utf-8"))
    assert next(iter(found)) == "warning"
    assert found["warning"] == found["provenance"]["warning"] == WARNING
    page = Path("summary.html").read_text("utf-8")
    assert page.index(WARNING) < page.index("<h1>")


def test_a_page_of_many_lists_the_highest_scores_and_says_so(run, world):
    code, out, _ = run(f"explain R M --on {ON} --output people.html")
    assert code == 0
    explained = int(re.search(r"([\d,]+) explained", out)[1].replace(",", ""))
    assert explained > MOST_LISTED
    page = Path("people.html").read_text("utf-8")
    assert f"Listed are the {MOST_LISTED:,} highest scores of the {explained:,} people asked about" in page
    assert page.count('<th scope="row"') == MOST_LISTED
    assert page.count('<section id="person-') == MOST_SHOWN
    assert "script-src &#39;sha256-" in page
    run(f"score R M --on {ON} --output risks.parquet")
    risks = pq.read_table("risks.parquet").to_pandas().sort_values("score", ascending=False)
    shown = re.findall(r'<th scope="row"[^>]*>(?:<a [^>]*>)?(\d+)<', page)
    assert set(map(int, shown)) == set(risks["person_id"][:MOST_LISTED])


def test_a_page_of_one_has_no_list_and_no_script(run, world):
    ask(world, 1)
    assert run("explain R M --index-dates asked.csv --output one.html")[0] == 0
    page = Path("one.html").read_text("utf-8")
    assert "<script" not in page
    assert "script-src" not in page
    assert "data-list" not in page.split("</style>")[1]


def test_a_summary_alone_can_be_asked_for(run, world):
    code, out, _ = run(f"explain R M --on {ON} --summary summary.html --replicates 10")
    assert (code, "Written: summary.html." in out) == (0, True)
    assert "<script" not in Path("summary.html").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("R M --index-dates asked.csv", 10, "say what to write"),
        ("R M --index-dates asked.csv --output people.xlsx", 10, "written as .parquet, .json, .html"),
        ("R M --index-dates asked.csv --output people", 10, "written as .parquet, .json, .html"),
        ("R M --index-dates asked.csv --summary summary.pdf", 10, "written as .html"),
        ("R M --index-dates asked.csv --output a.html --summary a.html", 10, "the same file"),
        ("R M --index-dates asked.csv --by nonsense --output a.json", 10, "it is one of feature, class"),
        ("R M --index-dates asked.csv --by window --output a.html", 10, "a page explains by class"),
        ("R M --output a.html", 10, "either --on DATE"),
        ("R M --index-dates asked.csv --sets sets.parquet --output a.json", 10, "on a page of people"),
        ("R M --index-dates asked.csv --sets nowhere.parquet --output a.html", 11, "nowhere.parquet"),
        ("R M --index-dates nowhere.csv --output a.html", 11, "no such file"),
        ("R M --index-dates strangers.csv --output a.html", 13, "unknown person"),
        ("R M --index-dates early.csv --output a.json", 13, "not yet observed"),
        ("nowhere M --index-dates asked.csv --output a.html", 11, "no register"),
        ("R nowhere --index-dates asked.csv --output a.html", 12, "no model bundle"),
        ("R tampered --index-dates asked.csv --output a.html", 12, "model.ubj"),
        ("R M --index-dates asked.csv --output asked.csv/a.html", 14, "cannot make the folder"),
        ("R M --index-dates asked.csv --output there.html", 14, "exists"),
    ],
)
def test_bad_questions_are_one_sentence_and_write_nothing(run, world, bundle, arguments, code, words):
    ask(world, 3)
    pd.DataFrame({"person_id": [987654321], "index_date": [ON]}).to_csv("strangers.csv", index=False)
    pd.DataFrame({"person_id": world.register.persons.ids[:4], "index_date": "2004-01-01"}).to_csv("early.csv")
    Path("there.html").write_text("")
    tamper(bundle, Path("tampered"))
    before = sorted(item.name for item in Path().iterdir())
    found, out, error = run(f"explain {arguments}")
    assert (found, words in re.sub(r"\s+", " ", error)) == (code, True), error
    (line,) = [line for line in error.splitlines() if line.strip() and not line.startswith("  ")]
    assert line.startswith("error: ")
    assert "987654321" not in out + error
    assert "Traceback" not in error
    assert sorted(item.name for item in Path().iterdir()) == before


def tamper(bundle, folder):
    folder.mkdir()
    for item in bundle.iterdir():
        data = bytearray(item.read_bytes())
        if item.name == "model.ubj":
            data[len(data) // 2] ^= 1
        (folder / item.name).write_bytes(data)


def test_some_unknown_people_are_counted_not_named(run, world):
    ids = ask(world, 2)
    pd.DataFrame({"person_id": [*ids, 987654321], "index_date": ON}).to_csv("asked.csv", index=False)
    code, out, _ = run("explain R M --index-dates asked.csv --output people.json")
    assert code == 0
    assert "3 asked = 2 explained + 1 refused, 1 unknown person" in out
    assert "987654321" not in out
    assert len(json.loads(Path("people.json").read_text("utf-8"))["people"]) == 2


def test_limits_over_refits_are_shown(run, world):
    ask(world, 2)
    assert run("cohort sets R --seed 1 --horizon-years 3 --output sets.parquet")[0] == 0
    code, _, error = run("explain R M --index-dates asked.csv --sets sets.parquet --refits 10 --output people.html")
    assert (code, "refitting: 10 of 10" in error) == (0, True), error
    assert "over 10 models" in Path("people.html").read_text("utf-8")


def test_a_folder_that_does_not_exist_is_made(run, world):
    ask(world, 2)
    assert run("explain R M --index-dates asked.csv --output new/folder/people.html")[0] == 0
    assert [item.name for item in Path("new/folder").iterdir()] == ["people.html"]
