"""A PostgreSQL schema gives the register that the same tables give as files; and its password stays where it is."""

from __future__ import annotations

import logging

import duckdb
import pyarrow as pa
import pyarrow.csv
import pytest

from prodromal.cli import main
from prodromal.errors import DataError, DefinitionError
from prodromal.register import Register
from prodromal.sources.omop.server import Server
from tests.writers.omop_small import EXPOSURE, SMALL, ingested, write
from tests.writers.postgres import PASSWORD, postgres

SCHEMA = 'cdm"; DROP SCHEMA public; --'
EXPOSURES = EXPOSURE + "".join(
    f"{n},{1 + n % 3},{1 + n % 5},2010-{1 + n % 12:02}-11,{n},{n},{32825 if n % 2 else 38000180},0,x{n}\n"
    for n in range(1, 60)
)


@pytest.fixture(scope="module")
def server():
    with postgres() as running:
        execute(running, f"CREATE SCHEMA {quoted(SCHEMA)}")
        for name, text in {**SMALL, "drug_exposure": EXPOSURES}.items():
            options = pa.csv.ParseOptions(delimiter="\t" if name.startswith("concept") else ",", quote_char=False)
            store(running, SCHEMA, name, pa.csv.read_csv(pa.BufferReader(text.encode()), parse_options=options))
        execute(running, f"CREATE TABLE {quoted(SCHEMA)}.secret (x integer)", "CREATE SCHEMA empty")
        yield running


def quoted(name):
    return '"' + name.replace('"', '""') + '"'


def connected(server):
    from adbc_driver_postgresql import dbapi

    return dbapi.connect(server.uri())


def execute(server, *statements):
    with connected(server) as connection, connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        connection.commit()


def store(server, schema, name, table):
    with connected(server) as connection, connection.cursor() as cursor:
        cursor.adbc_ingest(name, table, db_schema_name=schema, mode="create")
        connection.commit()


def hashes(folder):
    manifest = Register.open(folder).manifest
    return {
        name: [entry["sha256"] for entry in manifest["files"][name]] for name in ("persons", "dispensings", "outcomes")
    }


def test_a_server_gives_the_register_that_files_give(server, tmp_path):
    ingested(write(tmp_path / "cdm", drug_exposure=EXPOSURES), tmp_path / "files", "ALS=700", "c=cohort:7")
    done, told = ingested(server.uri(), tmp_path / "served", "ALS=700", "c=cohort:7", schema=SCHEMA)
    assert hashes(tmp_path / "served") == hashes(tmp_path / "files")
    assert done.accounts["dispensings"].read == 59
    assert told["place"] == f"PostgreSQL database postgres, schema {SCHEMA}"


def test_the_schema_with_people_is_found(server, tmp_path):
    ingested(server.uri(), tmp_path / "r")


def test_what_is_not_there_is_named(server, tmp_path):
    with pytest.raises(DataError, match=r"no table in schema nowhere; the schemas with tables are: cdm"):
        ingested(server.uri(), tmp_path / "r", schema="nowhere")
    with pytest.raises(DataError, match=r"no table other, .* it has .*drug_exposure.*secret"):
        ingested(server.uri(), tmp_path / "r", "ALS=cohort:7", cohort_table="other")


def test_ids_of_text_are_refused(server, tmp_path):
    execute(server, "CREATE SCHEMA texts")
    for name in ("person", "observation_period", "drug_exposure"):
        table = pa.csv.read_csv(pa.BufferReader(SMALL[name].encode()))
        if name == "person":
            table = table.set_column(0, "person_id", table["person_id"].cast(pa.string()))
        store(server, "texts", name, table)
    try:
        with pytest.raises(DataError, match=r"table texts.person, column person_id is text; ids .* whole numbers"):
            ingested(server.uri(), tmp_path / "r", schema="texts")
    finally:
        execute(server, "DROP SCHEMA texts CASCADE")


def test_dates_without_end_and_numbers_of_any_kind(server, tmp_path):
    execute(
        server,
        "CREATE SCHEMA odd",
        """CREATE TABLE odd."PERSON" ("PERSON_ID" numeric, gender_concept_id smallint, year_of_birth integer)""",
        """INSERT INTO odd."PERSON" VALUES (1, 8507, 1950)""",
        """CREATE TABLE odd.observation_period (person_id bigint, observation_period_start_date timestamptz,
            observation_period_end_date date)""",
        "INSERT INTO odd.observation_period VALUES (1, '2005-01-01', 'infinity')",
        """CREATE TABLE odd.drug_exposure (drug_exposure_id bigint, person_id numeric, drug_concept_id integer,
            drug_exposure_start_date date, days_supply numeric, quantity numeric, drug_source_value varchar(50))""",
        """INSERT INTO odd.drug_exposure VALUES (1, 1, 0, '2010-01-01', 30, 1.5, 'N06AB04'),
            (2, 1.5, 0, '2010-01-01', 30, 1.5, 'N06AB04'), (3, 1, 0, NULL, NULL, NULL, 'N06AB04'),
            (4, 1e30, 0, '2010-01-01', 30, 1.5, 'N06AB04')""",
    )
    done, _ = ingested(server.uri(), tmp_path / "r", schema="odd", quantity="ddd")
    assert done.accounts["dispensings"].rejected == {"missing_person_id": 2, "undated_dispensed_on": 1}
    assert Register.open(tmp_path / "r").history(0)["ddd"].tolist() == [1.5]
    execute(server, "DROP SCHEMA odd CASCADE")


WRONG = [
    ("owner", "not the " + PASSWORD, "postgres"),
    ("nobody at all", PASSWORD, "postgres"),
    ("owner", PASSWORD, "none"),
]


@pytest.mark.parametrize(("user", "password", "database"), WRONG)
def test_a_failed_connection_shows_no_password(server, tmp_path, caplog, user, password, database):
    with caplog.at_level(logging.DEBUG), pytest.raises(DataError, match="no connection") as caught:
        ingested(server.uri(user, password, database), tmp_path / "r")
    shown = f"{caught.value!r} {caught.value.__cause__!r} {caplog.text}"
    assert PASSWORD not in shown
    assert "p%40ss" not in shown


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://u:{PASSWORD}@[::1/x",
        f"postgres://u:{PASSWORD}@:x:/d?password={PASSWORD}",
        "postgresql://u:s3cret@host:s3cret/d",
        "postgresql://u:s3cret@host/d#s3cret",
    ],
)
def test_a_uri_that_cannot_be_read_shows_no_password(tmp_path, uri):
    with pytest.raises(DefinitionError, match="cannot be understood") as caught:
        ingested(uri, tmp_path / "r")
    assert "s3cret" not in f"{caught.value!r}"


def test_the_password_is_found_nowhere_in_what_is_written_or_said(server, tmp_path, capfd):
    asked = ["--cdm", server.uri(), "--schema", SCHEMA, "--outcome", "ALS=700", "--output", str(tmp_path / "r")]
    with pytest.raises(SystemExit) as left:
        main(["ingest", "omop", *asked])
    said = "".join(capfd.readouterr())
    assert left.value.code == 0, said
    assert "s3cret" not in said
    for file in (tmp_path / "r").rglob("*"):
        assert file.is_dir() or b"s3cret" not in file.read_bytes()


def test_nothing_is_written_to_the_server(server, tmp_path):
    with duckdb.connect() as staging, Server(server.uri(), SCHEMA).open(staging) as tables:
        assert "person" in tables.names
        with pytest.raises(DataError, match="read-only"):
            tables.fetch("CREATE TABLE public.left_behind AS SELECT 1")


def test_without_the_driver_the_extra_is_named(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "adbc_driver_postgresql.dbapi", None)
    with pytest.raises(DefinitionError, match=r"prodromal\[postgres\]"):
        ingested("postgresql://u@/x", tmp_path / "r")
