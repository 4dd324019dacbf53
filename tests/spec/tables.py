"""The spec tables: what stands in ``features/*.txt``, read strictly.

A file holds cases, separated by lines of three dashes. A case is a sentence, then settings, then the dispensings with
their days before the index date, then the values expected. Observation is told in days before the index date, too.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from datetime import date, timedelta
from math import nan
from pathlib import Path

from prodromal.atc import AtcGroup
from prodromal.features import FeaturePlan
from prodromal.features.measures import PERSON_MEASURES, SINCE_MEASURES
from prodromal.features.reference import Dispensing, Person
from prodromal.windows import Window

FOLDER = Path(__file__).parent / "features"


@dataclass(frozen=True)
class Case:
    """One sentence, the person, what was dispensed, and the value of each feature expected."""

    measure: str
    sentence: str
    text: str
    index_date: date
    person: Person
    dispensings: list[Dispensing]
    plan: FeaturePlan
    expected: dict[str, float] = field(default_factory=dict)


def read_cases(path: Path) -> list[Case]:
    return [_case(path.stem, text.strip()) for text in path.read_text(encoding="utf-8").split("\n---\n")]


def all_cases() -> list[Case]:
    return [case for path in sorted(FOLDER.glob("*.txt")) for case in read_cases(path)]


def _case(measure: str, text: str) -> Case:
    head, *tables = text.split("\n\n")
    sentence, *lines = head.splitlines()
    settings = dict(line.split(": ", 1) for line in lines if "|" not in line)
    if unknown := set(settings) - {"index", "observed", "born", "sex", "plan"}:
        raise ValueError(f"{measure}: unknown settings {unknown}")
    index = date.fromisoformat(settings.get("index", "2015-01-31"))
    dispensed = _rows([line for line in lines if "|" in line])
    rows = _rows(tables[-1].splitlines())
    first, last = (int(n) for n in settings.get("observed", "5000 to 1").split(" to "))
    person = Person(
        settings.get("sex", "F"),
        date.fromisoformat(settings.get("born", "1950-06-15")),
        index - timedelta(days=first),
        index - timedelta(days=last),
    )
    return Case(
        measure,
        sentence,
        text,
        index,
        person,
        [_dispensing(row, index) for row in dispensed],
        _plan(measure, rows, settings.get("plan", "")),
        {_name(measure, row): nan if row[measure] == "missing" else float(row[measure]) for row in rows},
    )


def _rows(lines: list[str]) -> list[dict[str, str]]:
    table = [[cell.strip() for cell in line.split("|")] for line in lines]
    return [dict(zip(table[0], row, strict=True)) for row in table[1:]]


def _dispensing(row: dict[str, str], index: date) -> Dispensing:
    return Dispensing(
        index - timedelta(days=int(row["day"])),
        row["atc"],
        float(row["ddd"]) if row["ddd"] else None,
        int(row["days_supply"]) if row["days_supply"] else None,
    )


def _plan(measure: str, rows: list[dict[str, str]], settings: str) -> FeaturePlan:
    groups = dict.fromkeys(row["group"] for row in rows if row["group"] != "-")
    windows = dict.fromkeys(row["window"] for row in rows if row["window"] != "-")
    of_person, since = measure in PERSON_MEASURES, measure in SINCE_MEASURES
    return FeaturePlan(
        "spec",
        tuple(AtcGroup(name, name, (name,), name) for name in groups),
        tuple(Window.parse(name) for name in windows),
        () if of_person or since else (measure,),
        (measure,) if since else (),
        (measure,) if of_person else (),
        **tomllib.loads(settings.replace(", ", "\n")),
    )


def _name(measure: str, row: dict[str, str]) -> str:
    return ".".join(part for part in (row["group"], measure, row["window"]) if part != "-")
