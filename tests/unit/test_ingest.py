"""Every row of a delivery is kept, a duplicate, or rejected for a named reason."""

from __future__ import annotations

import csv
import gzip
import random
from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.errors import DataError, DefinitionError, OutputError
from prodromal.held import beside, held
from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest
from prodromal.sources.engine import connect
from tests.torture.small import deliver, make_register

PERSONS = """person_id,sex,birth_date,observed_from,observed_to,death_date
1,M,1950-03-01,2005-07-01,2020-12-31,
2,kvinna,1960,2005-07-01,9999-12-31,2015-06-01
3,F,1970-05-20,2010-01-01,2020-12-31,
"""
HEADER = "person_id,dispensed_on,atc,ddd,days_supply,quantity\n"
GOOD = "1,2010-01-01,N06AB04,30,30,1\n"


def write(folder, dispensings, persons=PERSONS, encoding="utf-8"):
    folder.mkdir(exist_ok=True)
    (folder / "persons.csv").write_text(persons)
    (folder / "d.csv").write_bytes(dispensings if isinstance(dispensings, bytes) else dispensings.encode(encoding))
    return folder


def run(folder, **settings):
    tables = settings.pop("tables", None) or (
        TableSource("persons", (folder / "persons.csv",)),
        TableSource("dispensings", (folder / "d.csv",), settings.pop("columns", {})),
    )
    settings = {"extracted_on": date(2021, 1, 1), "max_rejected": 1.0, **settings}
    return ingest(Source(tables, **settings), folder / "register", replace=True).accounts["dispensings"]


# One faulty row after one good row: what becomes of it.
REJECTED = {
    "undated_dispensed_on": "1,,N06AB04,1,1,1",
    "partial_dispensed_on": "1,2010-03,N06AB04,1,1,1",
    "malformed_dispensed_on": "1,2010-02-30,N06AB04,1,1,1",
    "placeholder_dispensed_on": "1,9999-12-31,N06AB04,1,1,1",
    "missing_person_id": " ,2010-01-01,N06AB04,1,1,1",
    "missing_atc": "1,2010-01-01,,1,1,1",
    "malformed_atc": "1,2010-01-01,N06AB4,1,1,1",
    "unknown_atc": "1,2010-01-01,Z06AB04,1,1,1",
    "malformed_ddd": "1,2010-01-01,N06AB04,many,1,1",
    "malformed_days_supply": "1,2010-01-01,N06AB04,1,1.5,1",
    "malformed_quantity": "1,2010-01-01,N06AB04,1,1,1e400",
    "unknown_person": "9,2010-01-01,N06AB04,1,1,1",
    "future": "1,2021-01-02,N06AB04,1,1,1",
    "before_birth": "3,1969-01-01,N06AB04,1,1,1",
    "after_death": "2,2015-06-02,N06AB04,1,1,1",
    "outside_observation": "3,2009-12-31,N06AB04,1,1,1",
    "unmatched_return": "1,2010-01-01,N05BA01,,,-1",
    "missing_columns": "1,2010-01-01,N06AB04",
    "extra_columns": "1,2010-01-01,N06AB04,1,1,1,7,8",
}


@pytest.mark.parametrize("rule", REJECTED)
def test_a_faulty_row_is_rejected_by_its_rule(tmp_path, rule):
    account = run(write(tmp_path, HEADER + GOOD + REJECTED[rule] + "\n"))
    assert account.rejected == {rule: 1}
    assert (account.read, account.kept) == (2, 1)
    rejected = pq.read_table(tmp_path / "register" / "rejected.parquet").to_pylist()
    assert [row["rule"] for row in rejected] == [rule]
    assert rejected[0]["file"] == "d.csv"
    assert (rejected[0]["row"] or rejected[0]["line"] - 1) == 2
    assert rejected[0]["raw"]


MALFORMED_DATES = [
    *("20100101", "01/02/2010", "2010-1-1", "2010-13-01", "2010-00-10", "10-01-01", "2010-01-01 10:00", "2010-01-01x"),
    *("2010/01/01", "０２", "today", "2011-02-29", "2010-06-31", "+2010-01-01", "1900-02-29"),
]


@pytest.mark.parametrize("text", MALFORMED_DATES)
def test_dates_are_read_strictly(tmp_path, text):
    account = run(write(tmp_path, HEADER + GOOD + f"1,{text},N06AB04,1,1,1\n"))
    assert account.rejected == {"malformed_dispensed_on": 1}


@pytest.mark.parametrize(
    ("form", "text"),
    [("%Y%m%d", "20120229"), ("%d/%m/%Y", "29/02/2012"), ("%d.%m.%Y", "29.02.2012"), ("%d%b%Y", "29Feb2012")],
)
def test_other_declared_forms(tmp_path, form, text):
    persons = PERSONS.splitlines()[0] + "\n"
    day = {"%Y%m%d": "{2}{1}{0}", "%d/%m/%Y": "{0}/{1}/{2}", "%d.%m.%Y": "{0}.{1}.{2}", "%d%b%Y": "{0}Jan{2}"}[form]
    dates = [day.format("01", "01", year) for year in (1950, 2005, 2020)]
    persons += f"1,M,{','.join(dates)},\n"
    account = run(write(tmp_path, HEADER + f"1,{text},N06AB04,1,1,1\n", persons), date_format=form)
    assert account.kept == 1
    assert Register.open(tmp_path / "register").history(0)["dispensed_on"][0].date() == date(2012, 2, 29)


def test_births_and_deaths_of_which_only_the_year_is_known(tmp_path):
    header = PERSONS.splitlines()[0]
    persons = f"{header}\n1,1,1950,2005-01-01,2020-01-01,2012\n2,2,1950-04,2005-01-01,2020-01-01,2012-02\n"
    run(write(tmp_path, HEADER + GOOD, persons))
    frame = Register.open(tmp_path / "register").frame("persons")
    assert [str(d)[:10] for d in frame["birth_date"]] == ["1950-07-01", "1950-04-15"]
    assert [str(d)[:10] for d in frame["death_date"]] == ["2012-12-31", "2012-02-29"]
    assert list(frame["sex"]) == ["M", "F"]


def test_observation_ends_at_death_and_at_the_extract(tmp_path):
    run(write(tmp_path, HEADER + GOOD))
    frame = Register.open(tmp_path / "register").frame("persons")
    assert [str(d)[:10] for d in frame["observed_to"]] == ["2020-12-31", "2015-06-01", "2020-12-31"]


def test_duplicates_are_identical_in_every_column_mapped_or_not(tmp_path):
    text = "person_id,dispensed_on,atc,pack\n1,2010-01-01,N06AB04,A\n1,2010-01-01,N06AB04,A\n1,2010-01-01,N06AB04,B\n"
    account = run(write(tmp_path, text))
    assert (account.read, account.kept, account.duplicate) == (3, 2, 1)


def test_a_return_cancels_the_nearest_earlier_dispensing(tmp_path):
    rows = [
        "1,2010-01-01,N06AB04,10,,1",
        "1,2010-02-01,N06AB04,20,,1",
        "1,2010-03-01,N06AB04,30,,1",
        "1,2010-02-15,N06AB04,-20,,-1",
    ]
    account = run(write(tmp_path, HEADER + "\n".join(rows) + "\n"))
    assert account.rejected == {"return": 1, "returned": 1}
    assert list(Register.open(tmp_path / "register").history(0)["ddd"]) == [10, 30]


def test_a_return_delivered_twice_cancels_one_dispensing(tmp_path):
    rows = ["1,2010-01-01,N06AB04,10,,1", "1,2010-02-01,N06AB04,20,,1", *["1,2010-03-01,N06AB04,-20,,-1"] * 2]
    account = run(write(tmp_path, HEADER + "\n".join(rows) + "\n"))
    assert account.rejected == {"return": 1, "returned": 1}
    assert (account.kept, account.duplicate) == (1, 1)


@pytest.mark.parametrize("order", [(0, 1, 2), (1, 0, 2), (2, 1, 0)])
def test_which_of_two_dispensings_is_cancelled_does_not_hang_on_their_order(tmp_path, order):
    rows = ["1,2010-01-01,N06AB04,10,,1", "1,2010-01-01,N06AB04,20,,1", "1,2010-01-05,N06AB04,-20,,-1"]
    run(write(tmp_path, HEADER + "\n".join(rows[place] for place in order) + "\n"))
    assert list(Register.open(tmp_path / "register").history(0)["ddd"]) == [10]


def test_codes_are_repaired_and_counted(tmp_path):
    account = run(write(tmp_path, HEADER + "1,2010-01-01, n06ab04 ,1,1,1\n1,2010-01-02,N06AB,1,1,1\n"))
    assert account.repaired == {"atc_repaired": 1}
    assert list(Register.open(tmp_path / "register").history(0)["atc"]) == ["N06AB04", "N06AB"]


def test_implausible_days_of_supply_become_missing(tmp_path):
    account = run(write(tmp_path, HEADER + "1,2010-01-01,N06AB04,1,0,1\n1,2010-01-02,N06AB04,1,20608,1\n"))
    assert account.repaired == {"days_supply_implausible": 2}
    assert Register.open(tmp_path / "register").history(0)["days_supply"].isna().all()


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_byte_order_marks_and_line_endings(tmp_path, mark, ending):
    text = (HEADER + GOOD).replace("\n", ending)
    assert run(write(tmp_path, mark + text.encode())).kept == 1


def test_decimal_comma_semicolon_and_latin_1(tmp_path):
    text = "person_id;dispensed_on;atc;ddd;namn\n1;2010-01-01;N06AB04;1,5;Förpackning\n"
    folder = write(tmp_path, text, encoding="latin-1")
    assert run(folder, decimal=",", encoding="latin-1").kept == 1
    assert Register.open(tmp_path / "register").history(0)["ddd"][0] == 1.5
    assert run(folder, decimal=",").rejected == {"wrong_encoding": 1}


def test_gzip(tmp_path):
    write(tmp_path, "")
    with gzip.open(tmp_path / "d.csv.gz", "wt") as stream:
        stream.write(HEADER + GOOD)
    tables = (TableSource("persons", (tmp_path / "persons.csv",)), TableSource("dispensings", (tmp_path / "d.csv.gz",)))
    assert run(tmp_path, tables=tables).kept == 1


def test_conflicting_persons_are_all_rejected_and_their_rows_unknown(tmp_path):
    persons = PERSONS + "1,F,1950-03-01,2005-07-01,2020-12-31,\n"
    folder = write(tmp_path, HEADER + GOOD + "3,2011-01-01,N06AB04,1,1,1\n", persons)
    assert run(folder).rejected == {"unknown_person": 1}
    assert Register.open(folder / "register").manifest["account"]["persons"]["rejected"] == {"conflicting_person": 2}


def test_ids_of_text_and_of_numbers_are_not_mixed_up(tmp_path):
    persons = PERSONS.replace("\n1,", "\n01,").replace("\n3,", "\n1,")
    folder = write(tmp_path, HEADER + "01,2010-01-01,N06AB04,1,1,1\n1,2011-01-01,N05BA01,1,1,1\n", persons)
    run(folder)
    register = Register.open(folder / "register")
    assert list(register.persons.ids) == ["01", "1", "2"]
    assert [list(register.history(row)["atc"]) for row in range(3)] == [["N06AB04"], ["N05BA01"], []]


@pytest.mark.parametrize("parts", [1, 3, 1000])
def test_parts_split_no_person_and_lose_no_row(tmp_path, parts):
    draw = random.Random(5)
    rows = [
        f"{draw.choice([1, 2, 3])},201{draw.randint(0, 4)}-0{draw.randint(1, 9)}-11,N06AB04,{n},1,1" for n in range(40)
    ]
    folder = write(tmp_path, HEADER + "\n".join(rows) + "\n")
    tables = (TableSource("persons", (folder / "persons.csv",)), TableSource("dispensings", (folder / "d.csv",)))
    source = Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0)
    ingest(source, folder / "register", rows_per_part=parts)
    register = Register.open(folder / "register")
    register.verify()
    assert sum(part.persons for part in register.parts) == 3
    seen = [i for part in register.parts for i in part.read(["person_id"]).column(0).to_pylist()]
    assert seen == sorted(seen)
    assert len(seen) == register.manifest["account"]["dispensings"]["kept"] == 40
    for part in register.parts:
        ids = set(part.read(["person_id"]).column(0).to_pylist())
        assert ids <= set(register.persons.ids[part.first_person : part.first_person + part.persons])


def test_the_account_equals_an_independent_count(tmp_path):
    draw = random.Random(11)
    rows = [draw.choice([*REJECTED.values(), GOOD.strip(), "2,2011-01-01,N05BA01,1,1,1"]) for _ in range(500)]
    folder = write(tmp_path, HEADER + "\n".join(rows) + "\n")
    account = run(folder)
    with (folder / "d.csv").open() as stream:
        assert account.read == sum(1 for _ in csv.reader(stream)) - 1
    for rule in ("future", "missing_columns", "extra_columns", "malformed_atc", "unknown_person"):
        assert account.rejected[rule] == rows.count(REJECTED[rule])


def test_very_many_rejected_rows_are_written_piece_by_piece(tmp_path, monkeypatch):
    monkeypatch.setattr("prodromal.register.writer.ROW_GROUP_ROWS", 7)
    run(write(tmp_path, HEADER + GOOD + (REJECTED["future"] + "\n") * 20))
    file = pq.ParquetFile(tmp_path / "register" / "rejected.parquet")
    assert [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)] == [7, 7, 6]
    assert Register.open(tmp_path / "register").table("rejected").column("row").to_pylist() == list(range(2, 22))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is empty"),
        (HEADER.encode(), "no rows"),
        (b"id,day,code\n1,2010-01-01,N06AB04\n", "no column for dispensings.person_id"),
        (b"person_id,person_id,atc\n", "repeated"),
        ("person_id,dispensed_on,atc\n1,2010-01-01,N06AB04\n".encode("utf-16"), "encoding"),
        (b"\x00\x01\x02binary", "header"),
        (b",".join(b"c%d" % n for n in range(3_000)) + b"\n1\n", "3000 columns"),
        (b"person_id,dispensed_on," + b"x" * 200_000 + b"\n1,2010-01-01,N06AB04\n", "no header"),
    ],
)
def test_files_that_are_no_table_are_refused_and_nothing_is_written(tmp_path, content, words):
    folder = write(tmp_path, content)
    with pytest.raises(DataError, match=words):
        run(folder)
    assert {item.name for item in folder.iterdir()} == {"persons.csv", "d.csv"}


def test_too_many_rejected_rows_stop_the_run_before_anything_is_published(tmp_path):
    folder = write(tmp_path, HEADER + GOOD * 2 + REJECTED["future"] + "\n")
    with pytest.raises(DataError, match=r"1 of 3 rows would be rejected \(future 1\)") as caught:
        run(folder, max_rejected=0.1)
    assert "2021-01-02" not in str(caught.value)
    assert {item.name for item in folder.iterdir()} == {"persons.csv", "d.csv"}


def test_an_existing_register_is_not_replaced_unasked(tmp_path):
    folder = write(tmp_path, HEADER + GOOD)
    run(folder)
    tables = (TableSource("persons", (folder / "persons.csv",)), TableSource("dispensings", (folder / "d.csv",)))
    with pytest.raises(OutputError, match="exists"):
        ingest(Source(tables, extracted_on=date(2021, 1, 1)), folder / "register")


def test_a_changed_byte_is_found(tmp_path):
    folder = write(tmp_path, HEADER + GOOD)
    run(folder)
    file = folder / "register" / "dispensings" / "part-00000.parquet"
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
    with pytest.raises(DataError, match="differs from the manifest"):
        Register.open(folder / "register").verify()


def test_the_database_reads_the_named_files_and_nothing_else(tmp_path):
    (tmp_path / "named.csv").write_text("a\n1\n")
    (tmp_path / "beside.csv").write_text("a\n2\n")
    (tmp_path / "scratch").mkdir()
    files = {"readable": [tmp_path / "named.csv"], "scratch": tmp_path / "scratch"}
    with connect(**files, threads=1, memory="1GB") as connection:
        assert connection.execute(f"SELECT a FROM read_csv('{tmp_path}/named.csv')").fetchall() == [(1,)]
        for forbidden in (
            f"SELECT * FROM read_csv('{tmp_path}/beside.csv')",
            f"SELECT * FROM read_csv('{tmp_path}/*.csv')",
            f"COPY (SELECT 1) TO '{tmp_path}/out.csv'",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SET enable_external_access = true",
            "SET threads = 7",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(forbidden)


@pytest.mark.parametrize("kind", ["csv", "parquet"])
def test_the_name_of_a_folder_is_no_column(tmp_path, kind):
    folder = write(tmp_path / "atc=N05BA01", HEADER + GOOD)
    file = folder / f"d.{kind}"
    if kind == "parquet":
        columns = zip(HEADER.strip().split(","), GOOD.strip().split(","), strict=True)
        pq.write_table(pa.table({name: [value] for name, value in columns}), file)
    run(folder, tables=(TableSource("persons", (folder / "persons.csv",)), TableSource("dispensings", (file,))))
    assert list(Register.open(folder / "register").history(0)["atc"]) == ["N06AB04"]


@pytest.mark.parametrize("name", ["d*.csv", "d?.csv", "d[1].csv"])
def test_a_path_that_may_stand_for_others_is_refused(tmp_path, name):
    folder = write(tmp_path, HEADER + GOOD)
    (folder / name).write_text(HEADER + GOOD)
    with pytest.raises(DataError, match="may stand for other files"):
        run(
            folder,
            tables=(TableSource("persons", (folder / "persons.csv",)), TableSource("dispensings", (folder / name,))),
        )


@pytest.mark.parametrize(
    "settings", [{"decimal": ";"}, {"date_format": "%Y"}, {"encoding": "ebcdic"}, {"max_rejected": 2.0}]
)
def test_settings_are_checked(tmp_path, settings):
    with pytest.raises(DefinitionError):
        run(write(tmp_path, HEADER + GOOD), **settings)


def test_what_a_killed_ingest_left_goes_and_a_running_one_is_not_disturbed(tmp_path):
    deliver(tmp_path / "d", persons=20)
    output = tmp_path / "out" / "register"
    (tmp_path / "out" / ".register.run" / "scratch").mkdir(parents=True)
    (tmp_path / "out" / ".register.run" / "scratch" / "staging.duckdb").write_text("left")
    (tmp_path / "out" / ".register.123.tmp").mkdir()
    make_register(tmp_path / "d", output)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["register"]
    with held(beside(tmp_path / "other")), pytest.raises(OutputError, match="another run holds"):
        make_register(tmp_path / "d", tmp_path / "other")
