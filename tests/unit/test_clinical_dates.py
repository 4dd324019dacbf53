"""Clinical dates are decided, not stumbled over: one line for each case and what becomes of it.

The delivery is of 1 January 2021. Person 1 was born on 1 March 1950 and observed from 1 July 2005 to 31 December 2020;
person 2 was born in 1960 and died on 1 June 2015; person 3, born on 29 February 2004, was observed throughout.
"""

from __future__ import annotations

from datetime import date, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError
from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest

PERSONS = """person_id,sex,birth_date,observed_from,observed_to,death_date
1,M,1950-03-01,2005-07-01,2020-12-31,
2,F,1960,2005-07-01,9999-12-31,2015-06-01
3,F,2004-02-29,2004-02-29,9999-12-31,
"""

DISPENSINGS = """
case                                  | person | dispensed_on        | becomes
a day                                 | 1      | 2010-05-17          | 2010-05-17
blanks around it                      | 1      |   2010-05-17        | 2010-05-17
first day of observation              | 1      | 2005-07-01          | 2005-07-01
the day before observation            | 1      | 2005-06-30          | outside_observation
last day of observation               | 1      | 2020-12-31          | 2020-12-31
the day of the extract, not observed  | 1      | 2021-01-01          | outside_observation
the day of the extract, observed      | 3      | 2021-01-01          | 2021-01-01
the day after the extract             | 3      | 2021-01-02          | future
far future                            | 1      | 2999-01-01          | future
undated                               | 1      |                     | undated_dispensed_on
blanks only                           | 1      | "   "               | undated_dispensed_on
year only                             | 1      | 2010                | partial_dispensed_on
month only                            | 1      | 2010-05             | partial_dispensed_on
month only, day 00                    | 1      | 2010-05-00          | partial_dispensed_on
month only, without hyphens           | 1      | 201005              | partial_dispensed_on
unknown month and day                 | 1      | 2010-00-00          | partial_dispensed_on
placeholder of systems, low           | 1      | 1900-01-01          | placeholder_dispensed_on
placeholder of systems, high          | 1      | 9999-12-31          | placeholder_dispensed_on
nearly the low placeholder            | 1      | 1900-01-02          | before_birth
before birth                          | 3      | 2004-02-28          | before_birth
on the day of birth                   | 3      | 2004-02-29          | 2004-02-29
before a birth known by year          | 2      | 1960-06-30          | before_birth
on the day of death                   | 2      | 2015-06-01          | 2015-06-01
after death                           | 2      | 2015-06-02          | after_death
leap day of a leap year               | 1      | 2012-02-29          | 2012-02-29
leap day of a common year             | 1      | 2011-02-29          | malformed_dispensed_on
leap day of 2000, a leap year         | 1      | 2000-02-29          | outside_observation
leap day of 1900, no leap year        | 1      | 1900-02-29          | malformed_dispensed_on
30 February                           | 1      | 2010-02-30          | malformed_dispensed_on
31 June                               | 1      | 2010-06-31          | malformed_dispensed_on
month 13                              | 1      | 2010-13-01          | malformed_dispensed_on
day and month swapped                 | 1      | 2010-17-05          | malformed_dispensed_on
day first                             | 1      | 17-05-2010          | malformed_dispensed_on
American                              | 1      | 05/17/2010          | malformed_dispensed_on
slashes                               | 1      | 2010/05/17          | malformed_dispensed_on
dots                                  | 1      | 2010.05.17          | malformed_dispensed_on
no hyphens                            | 1      | 20100517            | malformed_dispensed_on
fields that are too short             | 1      | 2010-5-17           | malformed_dispensed_on
two-digit year                        | 1      | 10-05-17            | malformed_dispensed_on
two-digit year, padded                | 1      | "  10-05-17"        | malformed_dispensed_on
year with five digits                 | 1      | 12010-05-17         | malformed_dispensed_on
negative year                         | 1      | -2010-05-17         | malformed_dispensed_on
time of day                           | 1      | 2010-05-17 10:00    | malformed_dispensed_on
time and zone                         | 1      | 2010-05-17T23:30Z   | malformed_dispensed_on
spreadsheet's day number              | 1      | 40315               | malformed_dispensed_on
seconds since 1970                    | 1      | 1274054400          | malformed_dispensed_on
day of the year                       | 1      | 2010-137            | malformed_dispensed_on
week date                             | 1      | 2010-W20-1          | malformed_dispensed_on
name of the month                     | 1      | 17 May 2010         | malformed_dispensed_on
word                                  | 1      | unknown             | malformed_dispensed_on
word of programs                      | 1      | NULL                | malformed_dispensed_on
infinity                              | 1      | infinity            | malformed_dispensed_on
epoch                                 | 1      | epoch               | malformed_dispensed_on
something after it                    | 1      | 2010-05-17x         | malformed_dispensed_on
digits of another script              | 1      | ２０１０-05-17      | malformed_dispensed_on
the hour that summer time skips       | 1      | 2010-03-28          | 2010-03-28
the night that summer time ends       | 1      | 2010-10-31          | 2010-10-31
"""

PEOPLE = """
case                                  | column        | written     | becomes
birth, a day                          | birth_date    | 1950-03-01  | 1950-03-01
birth, year only                      | birth_date    | 1950        | 1950-07-01
birth, year padded with blanks        | birth_date    | "  1950"    | 1950-07-01
birth, month only                     | birth_date    | 1950-04     | 1950-04-15
birth, month without hyphen           | birth_date    | 195004      | 1950-04-15
birth, month 00                       | birth_date    | 1950-00-00  | 1950-07-01
birth, year 0000                      | birth_date    | 0000        | malformed_birth_date
birth, placeholder                    | birth_date    | 1900-01-01  | placeholder_birth_date
birth, missing                        | birth_date    |             | undated_birth_date
birth after the extract               | birth_date    | 2021-01-02  | born_in_future
birth on 29 February                  | birth_date    | 1948-02-29  | 1948-02-29
death, year only                      | death_date    | 2012        | 2012-12-31
death, month of a leap year           | death_date    | 2012-02     | 2012-02-29
death, month of a common year         | death_date    | 2011-02     | 2011-02-28
death, none                           | death_date    |             | None
death, placeholder for alive          | death_date    | 9999-12-31  | None
death after the extract               | death_date    | 9999-12-30  | None
death in the year of the extract      | death_date    | 2021        | 2021-01-01
death before birth                    | death_date    | 1950-02-28  | dead_before_birth
death, word                           | death_date    | alive       | malformed_death_date
observed_to beyond the extract        | observed_to   | 9999-12-31  | 2021-01-01
observed_to, year only                | observed_to   | 2012        | partial_observed_to
observed_to, word                     | observed_to   | now         | malformed_observed_to
observation ends before it begins     | observed_to   | 2005-06-30  | never_observed
observed_from, month only             | observed_from | 2005-07     | partial_observed_from
observed_from, placeholder            | observed_from | 1900-01-01  | placeholder_observed_from
"""


def cases(table):
    header, *lines = (line for line in table.strip().splitlines())
    del header
    return [
        [cell.strip().strip('"') if '"' not in cell else cell.strip()[1:-1] for cell in line.split("|")]
        for line in lines
    ]


def read(folder, dispensings, persons=PERSONS, **settings):
    (folder / "persons.csv").write_text(persons, encoding="utf-8")
    (folder / "d.csv").write_text("person_id,dispensed_on,atc\n" + dispensings, encoding="utf-8")
    tables = (
        TableSource("persons", (folder / "persons.csv",)),
        TableSource("dispensings", (folder / "d.csv",)),
    )
    source = Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0, **settings)
    return ingest(source, folder / "register", replace=True).accounts, Register.open(folder / "register")


@pytest.fixture(scope="module")
def dispensed(tmp_path_factory):
    """All cases in one delivery, each under a code of its own."""
    folder = tmp_path_factory.mktemp("dates")
    listed = cases(DISPENSINGS)
    rows = [f'{person},"{day}",N05BA{number:02d}' for number, (_, person, day, _) in enumerate(listed)]
    accounts, register = read(folder, "\n".join(rows) + "\n")
    assert accounts["dispensings"].read == len(listed)
    kept = {
        row["atc"]: str(row["dispensed_on"])
        for part in register.parts
        for row in part.read(["atc", "dispensed_on"]).to_pylist()
    }
    rejected = {row["row"]: row["rule"] for row in pq.read_table(register.folder / "rejected.parquet").to_pylist()}
    return [kept.get(f"N05BA{number:02d}") or rejected[number + 1] for number in range(len(listed))]


@pytest.mark.parametrize(
    ("number", "case"), list(enumerate(cases(DISPENSINGS))), ids=[c[0] for c in cases(DISPENSINGS)]
)
def test_dates_of_dispensing(dispensed, number, case):
    assert dispensed[number] == case[3]


@pytest.mark.parametrize("case", cases(PEOPLE), ids=[c[0] for c in cases(PEOPLE)])
def test_dates_of_people(tmp_path, case):
    _, column, written, becomes = case
    person = {
        "person_id": "7",
        "sex": "F",
        "birth_date": "1950-03-01",
        "observed_from": "2005-07-01",
        "observed_to": "2020-12-31",
        "death_date": "",
        column: written,
    }
    persons = PERSONS + ",".join(person.values()) + "\n"
    accounts, register = read(tmp_path, "1,2010-05-17,N05BA01\n", persons)
    if accounts["persons"].rejected:
        assert accounts["persons"].rejected == {becomes: 1}
    else:
        found = register.table("persons").to_pylist()[-1]
        assert str(found[column]) == becomes


def test_there_are_as_many_cases_as_were_promised():
    assert len(cases(DISPENSINGS)) + len(cases(PEOPLE)) >= 40


@pytest.mark.parametrize(
    ("clock", "day"),
    [
        ("2010-05-17T00:00:00", "2010-05-17"),
        ("2010-05-17T23:59:59.999999", "2010-05-17"),
        ("2010-03-28T02:30:00", "2010-03-28"),
        ("2010-05-17T23:30:00+00:00", "2010-05-17"),
        ("2010-05-18T00:30:00+02:00", "2010-05-17"),
    ],
    ids=["midnight", "last moment", "skipped hour", "UTC", "an offset: the day in UTC, whatever the machine's zone"],
)
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "America/Los_Angeles"])
def test_typed_times_lose_their_clock_and_not_their_day(tmp_path, monkeypatch, clock, day, zone):
    monkeypatch.setenv("TZ", zone)
    table = pa.table({"person_id": [1], "dispensed_on": [datetime.fromisoformat(clock)], "atc": ["N05BA01"]})
    pq.write_table(table, tmp_path / "d.parquet")
    (tmp_path / "persons.csv").write_text(PERSONS)
    tables = (
        TableSource("persons", (tmp_path / "persons.csv",)),
        TableSource("dispensings", (tmp_path / "d.parquet",)),
    )
    ingest(Source(tables, extracted_on=date(2021, 1, 1)), tmp_path / "register")
    assert str(Register.open(tmp_path / "register").history(0)["dispensed_on"][0])[:10] == day


@pytest.mark.parametrize(("form", "written"), [("%d/%m/%y", "17/05/10"), ("%Y", "2010")])
def test_forms_without_a_full_year_month_and_day_are_not_accepted(tmp_path, form, written):
    with pytest.raises(ValueError, match="must hold"):
        read(tmp_path, f"1,{written},N05BA01\n", date_format=form)


def test_a_delivery_of_nothing_but_partial_dates_is_refused(tmp_path):
    (tmp_path / "persons.csv").write_text(PERSONS)
    (tmp_path / "d.csv").write_text("person_id,dispensed_on,atc\n1,2010-05,N05BA01\n")
    tables = (
        TableSource("persons", (tmp_path / "persons.csv",)),
        TableSource("dispensings", (tmp_path / "d.csv",)),
    )
    with pytest.raises(DataError, match="partial_dispensed_on 1"):
        ingest(Source(tables, extracted_on=date(2021, 1, 1)), tmp_path / "register")
