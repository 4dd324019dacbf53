"""The README's tour runs as it stands."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from prodromal.cli.app import main
from prodromal.features import FeaturePlan

README = (Path(__file__).resolve().parents[2] / "README.md").read_text("utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_tour_runs(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (shell,) = blocks("sh")
    for line in shell.strip().splitlines():
        program, *arguments = shlex.split(line)
        assert program == "prodromal"
        with pytest.raises(SystemExit) as left:
            main(arguments)
        assert left.value.code == 0, (line, capsys.readouterr().err)
    page = (tmp_path / "evaluation" / "report.html").read_text("utf-8")
    assert page.count("Explained: ") >= 3
    assert "age" in page
    (python,) = blocks("python")
    exec(
        compile(python.replace("seed=1)\nrisks", "seed=1, search=SEARCH)\nrisks"), "README.md", "exec"),
        {"SEARCH": _small()},
    )


def test_the_plan_is_one():
    (plan,) = blocks("toml")
    assert FeaturePlan.parse(plan).names[0] == "age_years"


def _small():
    from prodromal.risk import SearchSpace

    return SearchSpace(trials=1, max_rounds=5)
