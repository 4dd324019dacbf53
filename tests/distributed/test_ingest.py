"""A register made on a cluster is the one that a machine makes, file for file; and sabotage that must show."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from prodromal.cli import main
from prodromal.cli.ingest.shared import account_line
from prodromal.distributed import dealing, ingest_on_spark, joined, small_register, staged
from prodromal.distributed.dealing import BUCKET, Buckets
from prodromal.distributed.delivered import FILE, PLACE_BITS, ROW, Delivered, places
from prodromal.errors import DataError, DefinitionError, OutputError, ProdromalError
from prodromal.register import Register
from prodromal.register.writer import RegisterWriter
from prodromal.tables import TABLES, Account
from tests.distributed.faulty import EXTRACTED, ROWS_PER_PART, faulty

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])


@pytest.fixture(scope="module", params=["numbers", "text"])
def faults(request, delivery, tmp_path_factory):
    """A faulty delivery, and the register that one machine makes of it."""
    folder = tmp_path_factory.mktemp(request.param)
    made = faulty(delivery, folder, people=90, as_text=request.param == "text", seed=3)
    made.ingested(folder / "register")
    return made, Register.open(folder / "register")


def on_spark(spark, places, output, **options):
    return ingest_on_spark(
        spark,
        places,
        output,
        extracted_on=EXTRACTED,
        **{"rows_per_part": ROWS_PER_PART, "max_rejected": 1.0, **options},
    )


def without_source(register):
    settings = {k: v for k, v in register.manifest["settings"].items() if k not in {"source", "csv", "spark"}}
    return {**register.manifest, "settings": settings}


def test_the_delivery_has_faults_of_every_kind(faults):
    _, alone = faults
    account = alone.manifest["account"]["dispensings"]
    assert len(alone.parts) > 3
    assert account["duplicate"] > 100
    assert set(account["rejected"]) == {
        *("malformed_atc", "unknown_atc", "undated_dispensed_on", "placeholder_dispensed_on", "future"),
        *("unknown_person", "before_birth", "outside_observation", "return", "returned", "unmatched_return"),
    }
    assert set(account["repaired"]) == {"atc_repaired", "days_supply_implausible"}


def test_every_file_is_that_of_one_machine(spark, faults, tmp_path, capsys):
    made, alone = faults
    places = made.places
    line = ["spark", "ingest", places["persons"], places["dispensings"], "--rows-per-part", str(ROWS_PER_PART)]
    line += ["--outcomes", places["outcomes"], "--relatives", places["relatives"], "--max-rejected", "100%"]
    with pytest.raises(SystemExit) as ended:
        main([*line, "--extracted-on", EXTRACTED.isoformat(), "--output", str(tmp_path / "register")])
    assert ended.value.code == 0
    register = Register.open(tmp_path / "register")
    register.verify()
    assert without_source(register) == without_source(alone)
    told = capsys.readouterr()
    assert account_line(Account("dispensings", **alone.manifest["account"]["dispensings"])) in told.out
    assert told.err.count("dispensings") == 2
    assert register.manifest["settings"]["spark"]["tables"]["dispensings"] == "dispensings"
    assert [path.name for path in tmp_path.iterdir()] == ["register"]


@pytest.mark.parametrize("faults", ["numbers"], indirect=True)
def test_a_worker_that_dies_and_tables_by_name(spark, faults, tmp_path, monkeypatch):
    made, alone = faults
    views = {}
    for name, where in made.places.items():
        views[name] = f"view_of_{name}"
        spark.read.parquet(where).createOrReplaceTempView(views[name])
    monkeypatch.setattr(staged, "_TASK", "tests.distributed.killed:ingest_bucket")
    original = staged.guarded
    marker = {"marker": str(tmp_path / "killed")}
    monkeypatch.setattr(staged, "guarded", lambda task, job: original(task, {**job, **marker}))
    on_spark(spark, views, tmp_path / "register")
    assert (tmp_path / "killed").exists()
    register = Register.open(tmp_path / "register")
    for name in ("persons", "dispensings", "outcomes", "relatives", "rows_per_person"):
        assert register.manifest["files"][name] == alone.manifest["files"][name]
    assert register.manifest["account"] == alone.manifest["account"]
    rejected, expected = register.table("rejected"), alone.table("rejected")
    assert set(rejected.column("file").to_pylist()) == set(views.values())
    assert rejected.column("row").null_count == rejected.num_rows
    assert sorted(rejected.column("raw").to_pylist()) == sorted(expected.column("raw").to_pylist())
    assert {"table": "persons", "spark_table": "view_of_persons"} in register.manifest["sources"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["killed", "register"]


@pytest.mark.parametrize("faults", ["numbers"], indirect=True)
def test_outputs_that_are_there_and_deliveries_that_are_no_good(spark, faults, tmp_path):
    made, alone = faults
    with pytest.raises(OutputError, match="exists"):
        on_spark(spark, made.places, alone.folder)
    with pytest.raises(DefinitionError, match="no table given for dispensings"):
        on_spark(spark, {"persons": made.places["persons"]}, tmp_path / "r")
    with pytest.raises(DataError, match=r"persons: 1 of 91 rows would be rejected \(never_observed 1\)"):
        on_spark(spark, made.places, tmp_path / "r", max_rejected=0.001)
    two = {name: made.places[name] for name in ("persons", "dispensings")}
    with pytest.raises(
        DataError, match=r"dispensings: \d+ of \d+ rows would be rejected \(\w+ \d+, .*, more than the 5 % allowed"
    ):
        on_spark(spark, two, tmp_path / "r", max_rejected=0.05)
    with pytest.raises(
        DataError, match="table persons has no column sex, birth_date, observed_from, observed_to; rename"
    ):
        on_spark(spark, {**made.places, "persons": made.places["dispensings"]}, tmp_path / "r")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("faults", ["numbers"], indirect=True)
def test_a_damaged_file_of_the_delivery_is_named(spark, faults, tmp_path):
    made, _ = faults
    (tmp_path / "d").mkdir()
    for file in made.place("dispensings").iterdir():
        data = bytearray(file.read_bytes())
        if file.name == "part-1.parquet":
            data[len(data) // 2] ^= 1
        (tmp_path / "d" / file.name).write_bytes(data)
    with pytest.raises(DataError, match=r"part-1\.parquet is damaged"):
        on_spark(spark, {**made.places, "dispensings": str(tmp_path / "d")}, tmp_path / "r")
    assert [path.name for path in tmp_path.iterdir()] == ["d"]


@pytest.fixture
def by_hand(faults, tmp_path):
    """The parts of a delivery made as executors make them, without Spark; compared with those of one machine."""
    made, alone = faults

    def compare():
        for name in ("staged", "attempts", "folder", "folder/dispensings"):
            (tmp_path / name).mkdir()
        ids, delivered = (
            alone.table("persons").column("person_id"),
            Delivered.find("dispensings", made.places["dispensings"]),
        )
        files = tuple(map(str, delivered.files))
        batches = [with_places(number, file) for number, file in enumerate(delivered.files)]
        buckets = Buckets.of(len(ids), 5)
        job = {
            "first_ids": [ids[row].as_py() for row in buckets.first_rows],
            "files": files,
            "persons": str(alone.folder / "persons.parquet"),
            "slices": [buckets.slice_(bucket) for bucket in range(5)],
            "witness": staged._witness(ids),
            "extracted_on": EXTRACTED.isoformat(),
            "memory": "300MB",
            "attempts": str(tmp_path / "attempts"),
            "staged": str(tmp_path / "staged"),
        }
        # As a shuffle leaves them: from the last file to the first.
        rows = pa.Table.from_batches([dealing.deal(job, batch) for batch in reversed(batches)])
        accounts = {}
        for bucket in range(5):
            found = small_register.ingest_bucket(job, rows.filter(pc.equal(rows.column(BUCKET), bucket)))
            accounts[bucket] = Account("dispensings", **json.loads(found.column("found")[0].as_py()))
        assert staged.total("dispensings", accounts.values()).to_dict() == alone.manifest["account"]["dispensings"]
        counts = staged._rows(tmp_path / "staged", buckets, accounts, job["witness"])
        assert counts.tolist() == alone.rows_per_person.tolist()
        first = joined.first_people(counts, ROWS_PER_PART)
        assert first == [part.first_person for part in alone.parts]
        of_parts = [int(part.sum()) for part in np.split(counts, first[1:])]
        join = {
            "pieces": joined.pieces(of_parts, [account.kept for account in accounts.values()]),
            **{name: str(tmp_path / name) for name in ("staged", "attempts", "folder")},
        }
        for position, part in enumerate(alone.parts):
            assert json.loads(joined.join_part(join, position))["sha256"] == part.sha256

    return compare


def with_places(number, file):
    table = pq.read_table(file).combine_chunks()
    address = "file://" + str(file).replace("%", "%25").replace(" ", "%20")
    whole = table.append_column(FILE, pa.array([address] * len(table)))
    return whole.append_column(ROW, pa.array(np.arange(len(table)))).to_batches()[0]


def test_the_parts_that_executors_make(by_hand):
    by_hand()


def broken(by_hand):
    with pytest.raises((AssertionError, ProdromalError)):
        by_hand()


@pytest.mark.parametrize("faults", ["text"], indirect=True)
def test_ids_told_to_be_numbers_where_some_are_text_are_seen(by_hand, monkeypatch):
    monkeypatch.setattr(staged, "_witness", lambda ids: None)
    broken(by_hand)


def test_people_dealt_to_two_buckets_are_seen(by_hand, monkeypatch):
    original = dealing._buckets

    def torn(ids, first_ids):
        found = original(ids, first_ids)
        return np.where(np.arange(len(found)) % 7 == 0, (found + 1) % len(first_ids), found)

    monkeypatch.setattr(dealing, "_buckets", torn)
    broken(by_hand)


def test_blanks_around_ids_left_in_are_seen(monkeypatch):
    ids, first = pa.array([" 31", "31\u00a0", "4", None, "x"]), [1, 20, 30]
    assert dealing._buckets(ids, first).tolist() == [2, 2, 0, 0, 0]
    assert dealing._buckets(ids, ["1", "30", "4"]).tolist() == [1, 1, 2, 0, 2]
    monkeypatch.setattr(dealing, "_BLANKS", "")
    assert dealing._buckets(ids, first).tolist() != [2, 2, 0, 0, 0]


def test_rows_in_the_order_of_the_shuffle_are_seen(by_hand, monkeypatch):
    monkeypatch.setattr(small_register, "_publish", sabotaged_order(small_register._publish))
    broken(by_hand)


def sabotaged_order(publish):
    def backwards(made, private, target):
        part = made / "dispensings" / "part-00000.parquet"
        table = pq.read_table(part)
        pq.write_table(table.take(np.arange(len(table))[::-1]), part)
        publish(made, private, target)

    return backwards


def test_places_of_rows_tell_their_file_and_number():
    files = ("/a b/1%.parquet", "/a b/2.parquet")
    file = pa.array(["file:///a%20b/2.parquet", "file:/a%20b/1%25.parquet"])
    assert places(files, file, pa.array([6, 0])).tolist() == [(1 << PLACE_BITS) + 7, 1]


def test_parts_are_cut_where_the_writer_cuts_them(tmp_path):
    rng = np.random.default_rng(11)
    for trial in range(60):
        people = int(rng.integers(1, 30))
        counts = (rng.integers(0, 9, people) * (rng.random(people) < 0.7)).astype(np.int32)
        rows_per_part = int(rng.integers(1, 25))
        assert joined.first_people(counts, rows_per_part) == by_the_writer(tmp_path / str(trial), counts, rows_per_part)


def by_the_writer(folder, counts, rows_per_part):
    folder.mkdir()
    writer = RegisterWriter(folder, rows_per_part=rows_per_part)
    people = pa.table({"person_id": np.arange(len(counts))})
    rows = pa.table({"person_id": np.repeat(np.arange(len(counts)), counts)})
    writer.write(TABLES["persons"], staged_rows(TABLES["persons"], people), person_id="BIGINT")
    writer.write(TABLES["dispensings"], staged_rows(TABLES["dispensings"], rows), person_id="BIGINT")
    writer.finish(accounts={}, sources=[], settings={})
    return [part.first_person for part in Register.open(folder).parts]


def staged_rows(table, rows):
    count = len(rows)
    given = {
        "dispensed_on": pa.array(np.arange(count), pa.int32()).cast(pa.date32()),
        "atc": pa.array(["N"] * count),
        "fingerprint": pa.array(np.zeros(count, dtype=np.uint64)),
        "repairs": pa.array(np.zeros(count, dtype=np.uint16)),
    }
    names = (*table.names[1:], "fingerprint", "repairs")
    columns = {name: given.get(name, pa.nulls(count)) for name in names}
    return pa.table({"person_id": rows.column("person_id"), **columns}).to_batches()


def test_pieces_of_parts_cover_all_buckets_once():
    rng = np.random.default_rng(5)
    for _ in range(100):
        buckets = rng.integers(0, 6, rng.integers(1, 9))
        cuts = np.sort(rng.integers(0, buckets.sum() + 1, 3))
        parts = np.diff([0, *cuts, buckets.sum()]).tolist()
        taken = joined.pieces(parts, buckets.tolist())
        assert [sum(count for *_, count in part) for part in taken] == parts
        rows = [(b, row) for part in taken for b, first, count in part for row in range(first, first + count)]
        assert rows == [(b, row) for b, size in enumerate(buckets) for row in range(size)]


def test_where_the_files_of_a_table_are(tmp_path):
    for name in ("b.parquet", "a.parquet", "_SUCCESS", ".hidden.parquet"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "year=2010").mkdir()
    (tmp_path / "year=2010" / "c.parquet").write_bytes(b"")

    def names(where):
        return [file.name for file in Delivered.find("dispensings", str(where)).files]

    assert names(tmp_path) == ["a.parquet", "b.parquet", "c.parquet"]
    assert names(tmp_path / "a.parquet") == ["a.parquet"]
    assert names("catalog.dispensings") == []
    assert Delivered.find("dispensings", "catalog.dispensings").name == "catalog.dispensings"
    (tmp_path / "_delta_log").mkdir()
    (tmp_path / "_delta_log" / f"{0:020d}.json").write_text(json.dumps({"add": {"path": "b.parquet"}}))
    assert names(tmp_path) == ["b.parquet"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds no Parquet file of table dispensings"):
        names(tmp_path / "empty")


def test_a_delivery_of_simulated_people_is_known_by_the_account_beside_it(tmp_path):
    (tmp_path / "dispensings").mkdir()
    (tmp_path / "dispensings" / "part.parquet").write_bytes(b"")
    assert not Delivered.find("dispensings", str(tmp_path / "dispensings")).is_simulated
    (tmp_path / "simulation.json").write_text("{}")
    assert Delivered.find("dispensings", str(tmp_path / "dispensings")).is_simulated


def test_ids_that_are_neither_whole_numbers_nor_text_are_refused():
    frame = SimpleNamespace(dtypes=[("person_id", "double")])
    with pytest.raises(DefinitionError, match="person_id of dispensings is double; cast it to bigint or string"):
        dealing.dealt(frame, [1], ())
