"""Clean rows take a shortcut past most of the rules; it changes no verdict."""

from __future__ import annotations

import random
import re
import tempfile
from datetime import date
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from prodromal.sources import Source, TableSource, ingest, staging
from prodromal.sources.statement import insert, rules_of_persons
from prodromal.tables import RULES, TABLES

DATES = [
    *("2010-01-01", "2010-01-1 ", " 2010-01-01", "", "2010-03", "2010", "201003", "2010-00-00", "2010-13-01"),
    *("1900-01-01", "9999-12-31", "2031-01-01", "0010-01-01", "10000-01-01", "2010-02-29", "2012-02-29", "1930-01-01"),
    *("2004-01-01", "2020-12-31", "2021-01-01", "2021-01-02", "2010/01/01", "2010-01-01\t", "-010-01-01"),
]
CODES = ["N05BA01", "n05ba01", " N05 BA01", "N05BA", "N05", "N", "Z05BA01", "", "N05BA1", "  ", "Å05BA01"]
NUMBERS = ["1", "", "1.5", "-1", "nan", "inf", "1e400", "many", "0", "20608", "3650", "3651", " 7 ", "1e3", "32768"]
IDS = ["1", "2", "3", " 2", "01", "9", "", "x", "+1", "1.0"]


# Rows whose numbers were never looked at.
TOO_MANY = "(person_id IS NOT NULL AND dispensed_on IS NOT NULL AND atc IS NOT NULL)"


def delivery(folder, seed, rows=1_500):
    draw = random.Random(seed)

    def one(usual, odd):
        return draw.choice(odd) if draw.random() < 0.15 else usual

    def line(n):
        day = f"20{draw.randint(5, 20):02d}-{draw.randint(1, 9):02d}-{draw.randint(10, 28)}"
        numbers = [one(str(draw.randint(1, 90)), NUMBERS) for _ in range(3)]
        return ",".join([one(str(1 + n % 3), IDS), one(day, DATES), one("N06AB04", CODES), *numbers])

    people = [
        ",".join(
            [
                str(100 + n),
                one("F", ["man", "", "9", "Q"]),
                *(one(day, DATES) for day in ("1950-01-01", "2005-01-01", "2020-01-01")),
                one("", DATES),
                one("1", NUMBERS),
            ]
        )
        for n in range(200)
    ]
    people += [f"{n},M,1950-03-01,2005-07-01,2020-12-31,," for n in (1, 2, 3)]
    header = "person_id,sex,birth_date,observed_from,observed_to,death_date,sampling_weight"
    (folder / "p.csv").write_text("\n".join([header, *people]) + "\n", encoding="utf-8")
    header = "person_id,dispensed_on,atc,ddd,days_supply,quantity"
    (folder / "d.csv").write_text("\n".join([header, *map(line, range(rows))]) + "\n", encoding="utf-8")
    return (TableSource("persons", (folder / "p.csv",)), TableSource("dispensings", (folder / "d.csv",)))


def verdicts(tables, folder):
    done = ingest(Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0), folder)
    rejected = pq.read_table(folder / "rejected.parquet", columns=["table", "row", "rule", "raw"]).to_pylist()
    return rejected, [account.repaired for account in done.accounts.values()]


def altered(change):
    """The staging's statement with another condition for clean rows, of dispensings if it names their columns."""

    def statement(table, *arguments, **settings):
        sql = insert(table, *arguments, **settings)
        if table.name == "persons" and "atc" in change:
            return sql
        sql, count = re.subn(r"coalesce\(.*?, FALSE\) AS clean", f"{change} AS clean", sql)
        assert count == 1
        return sql

    return statement


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_shortcut_changes_no_verdict(monkeypatch, seed):
    folder = Path(tempfile.mkdtemp())
    tables = delivery(folder, seed)
    short = verdicts(tables, folder / "short")
    monkeypatch.setattr(staging, "insert", altered("FALSE"))
    assert verdicts(tables, folder / "long") == short
    assert len({row["rule"] for row in short[0]}) > 15


def test_a_shortcut_for_too_many_rows_is_seen(monkeypatch):
    folder = Path(tempfile.mkdtemp())
    tables = delivery(folder, 1)
    right = verdicts(tables, folder / "right")
    monkeypatch.setattr(staging, "insert", altered(TOO_MANY))
    assert verdicts(tables, folder / "wrong") != right


@pytest.mark.parametrize("name", TABLES)
def test_rules_that_need_a_person_come_after_all_others(name):
    """They are asked in a second statement, so that no other may stand behind one of them."""
    later = rules_of_persons(TABLES[name])
    assert all(re.search(r"\b(person|relative|latest)\b", rule.condition) for rule in later)
    assert not any(re.search(r"_(given|malformed|partial)\b", rule.condition) for rule in later)
    assert RULES[name][len(RULES[name]) - len(later) :] == later
