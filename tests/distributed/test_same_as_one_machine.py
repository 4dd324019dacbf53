"""What a cluster computes is what one machine computes, to the bit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

from prodromal.distributed import (
    explain_on_spark,
    features_on_spark,
    read_index_dates,
    read_spark_table,
    risks,
    score_on_spark,
    score_tables,
)
from prodromal.distributed.dispatch import run_tasks
from prodromal.errors import DataError, DefinitionError, NotEstimable, OutputError, ProdromalError
from prodromal.explain import By, explain
from prodromal.features import FeaturePlan, IndexFile, build
from prodromal.features.index_dates import Everyone, IndexDates
from prodromal.risk import load
from prodromal.scoring import drift_beside, run, score_register
from prodromal.scoring.journal import Journal
from tests.distributed.conftest import DAY

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
EVERYONE = Everyone(DAY)
FACTS = {"seed": "1"}


@pytest.fixture(scope="module")
def alone(register, bundle, tmp_path_factory):
    """Risks of one machine: account and file."""
    path = tmp_path_factory.mktemp("alone") / "risks.parquet"
    return score_register(load(bundle), register, EVERYONE, path, reasons=2, provenance=FACTS), path


def left_over(folder):
    return [file.name for file in folder.iterdir() if file.name.startswith(".")]


def on_spark(spark, bundle, register, path, **options):
    return score_on_spark(spark, bundle, register, EVERYONE, path, **{"reasons": 2, "provenance": FACTS, **options})


@pytest.fixture
def idle_driver(monkeypatch):
    """A driver on which no score can be computed."""

    def refuse(*_):
        raise AssertionError("the driver scored a part itself")

    monkeypatch.setattr(run.PartWork, "score", refuse)


def test_the_register_has_several_parts(register):
    assert len(register.parts) >= 3


def test_the_file_of_risks_is_the_same_and_executors_made_all_of_it(
    spark, register, bundle, alone, tmp_path, idle_driver
):
    account, path = alone
    assert on_spark(spark, bundle, register, tmp_path / "r.parquet") == account
    assert (tmp_path / "r.parquet").read_bytes() == path.read_bytes()
    assert (tmp_path / "r.drift.csv").read_bytes() == drift_beside(path).read_bytes()
    assert left_over(tmp_path) == []


def test_index_dates_of_a_file(spark, register, bundle, tmp_path):
    rng = np.random.default_rng(1)
    rows = np.sort(rng.integers(0, len(register.persons), 700))
    days = DAY + rng.integers(-900, 900, 700)
    order = np.lexsort((days, rows))
    table = pa.table({"person_id": register.persons.ids[rows], "index_date": days[order].astype("datetime64[D]")})
    pq.write_table(table, tmp_path / "dates.parquet", row_group_size=100)
    dates = IndexFile(tmp_path / "dates.parquet")
    alone = score_register(load(bundle), register, dates, tmp_path / "alone.parquet")
    assert score_on_spark(spark, bundle, register, dates, tmp_path / "r.parquet") == alone
    assert (tmp_path / "r.parquet").read_bytes() == (tmp_path / "alone.parquet").read_bytes()


def test_a_task_that_is_killed_while_it_writes_changes_nothing(spark, register, bundle, alone, tmp_path, monkeypatch):
    def with_a_kill(session, _, job, number):
        return run_tasks(session, "tests.distributed.killed:score_part", {**job, "marker": str(marker)}, number)

    marker = tmp_path / "killed"
    monkeypatch.setattr(risks, "run_tasks", with_a_kill)
    assert on_spark(spark, bundle, register, tmp_path / "r.parquet") == alone[0]
    assert marker.exists()
    assert (tmp_path / "r.parquet").read_bytes() == alone[1].read_bytes()
    assert left_over(tmp_path) == []


def test_workers_that_die_every_time_end_the_job_with_advice(spark, register, bundle, tmp_path, monkeypatch):
    monkeypatch.setattr(
        risks, "run_tasks", lambda s, _, job, n: run_tasks(s, "tests.distributed.killed:score_part_never", job, n)
    )
    with pytest.raises(ProdromalError, match="memoryOverhead"):
        on_spark(spark, bundle, register, tmp_path / "r.parquet")
    assert not (tmp_path / "r.parquet").exists()


def test_a_job_goes_on_with_the_parts_that_are_missing(
    spark, register, bundle, alone, tmp_path, monkeypatch, idle_driver
):
    made = []

    def only_two(session, task, job, _):
        run_tasks(session, task, job, 2)
        raise KeyboardInterrupt

    def counted(session, task, job, number):
        made.append([number for number, *_ in job["left"]])
        return run_tasks(session, task, job, number)

    monkeypatch.setattr(risks, "run_tasks", only_two)
    with pytest.raises(KeyboardInterrupt):
        on_spark(spark, bundle, register, tmp_path / "r.parquet")
    monkeypatch.setattr(risks, "run_tasks", counted)
    on_spark(spark, bundle, register, tmp_path / "r.parquet")
    assert made == [list(range(2, len(register.parts)))]
    assert (tmp_path / "r.parquet").read_bytes() == alone[1].read_bytes()


@pytest.fixture
def task(register, bundle, tmp_path):
    """The job of the first part, without Spark."""
    for name in ("attempts", "journal"):
        (tmp_path / name).mkdir()
    sent = risks.SentModel.of(bundle, load(bundle))
    return {
        "shared": risks.asdict(risks.Shared.of(register, EVERYONE, tmp_path / "attempts")),
        "sent": (sent.files, sent.fingerprint),
        "reasons": 1,
        "journal": str(tmp_path / "journal"),
        "left": [(0, *risks.slices_of(register, EVERYONE)[0])],
    }


def test_a_task_done_twice_leaves_the_same_files(task, tmp_path):
    journal, seen = Journal(tmp_path / "journal"), []
    for _ in range(2):
        risks.score_part(task, 0)
        assert journal.done(0) is not None
        seen.append({file.name: file.read_bytes() for file in journal.folder.iterdir()})
    assert seen[0] == seen[1]
    assert list((tmp_path / "attempts").iterdir()) == []


def test_a_task_left_over_from_a_job_that_failed_writes_nothing(task, tmp_path):
    (tmp_path / "attempts").rmdir()
    with pytest.raises(OutputError, match=r"executor \S+ cannot write to"):
        risks.score_part(task, 0)
    assert list((tmp_path / "journal").iterdir()) == []


def test_an_executor_that_sees_another_register_or_none_says_so(task, tmp_path):
    shared = {**task["shared"], "register_fingerprint": "0" * 16}
    with pytest.raises(DataError, match="sees another register"):
        risks.score_part({**task, "shared": shared}, 0)
    with pytest.raises(DataError, match="storage that all share"):
        risks.score_part({**task, "shared": {**shared, "register": str(tmp_path / "nowhere")}}, 0)


def test_a_changed_part_fails_the_job_and_is_named(spark, damaged, bundle, tmp_path):
    register, name = damaged
    output = tmp_path / "out"
    output.mkdir()
    with pytest.raises(DataError, match=rf"{name} differs from the manifest") as caught:
        on_spark(spark, bundle, register, output / "r.parquet")
    assert len(str(caught.value).splitlines()) == 1
    with pytest.raises(DataError, match=name):
        features_on_spark(spark, FeaturePlan.psychiatric(), register, EVERYONE, output / "features")
    assert not (output / "r.parquet").exists()
    assert not (output / "features").exists()


def test_features_and_contributions(spark, register, bundle, tmp_path):
    model = load(bundle)
    assert features_on_spark(spark, model.plan, register, EVERYONE, tmp_path / "f") == len(register.persons)
    everyone = IndexDates.on(np.arange(len(register.persons)), DAY)
    matrix = build(model.plan, register, everyone)
    found = ds.dataset(tmp_path / "f").to_table()
    assert found.column("person_id").to_pylist() == matrix.person_id.tolist()
    values = np.column_stack([found.column(name).to_numpy() for name in model.plan.names])
    assert values.tobytes() == np.ascontiguousarray(matrix.values).tobytes()

    account = explain_on_spark(spark, bundle, register, EVERYONE, tmp_path / "e", by=By.WINDOW, provenance=FACTS)
    told = ds.dataset(tmp_path / "e").to_table()
    assert told.num_rows == account.scored
    rows = register.persons.rows(told.column("person_id").to_numpy())
    expected = explain(model, matrix.take(rows), register.persons, by="window")
    for column, label in enumerate(expected.labels):
        assert told.column(label).to_numpy().tobytes() == np.ascontiguousarray(expected.values[:, column]).tobytes()  # noqa: PD011
    assert told.column("score").to_numpy().tobytes() == expected.score.tobytes()
    assert pq.read_schema(tmp_path / "e" / "part-00000.parquet").metadata[b"prodromal.seed"] == b"1"


def test_tables_give_the_risks_of_their_register(spark, register, bundle, alone, tmp_path):
    persons = read_spark_table(spark, "persons", str(register.folder / "persons.parquet"))
    dispensings = read_spark_table(spark, "dispensings", str(register.folder / "dispensings"))
    # Shuffled, and every row twice: as a register has it, repeated rows count once.
    twice = dispensings.union(dispensings).repartition(3)
    account = score_tables(bundle, persons, twice, DAY, tmp_path / "r", buckets=3, reasons=2, provenance=FACTS)
    assert account == alone[0]
    found, expected = ds.dataset(tmp_path / "r").to_table().sort_by("person_id"), pq.read_table(alone[1])
    for name in expected.column_names:
        assert bits(found.column(name)) == bits(expected.column(name)), name


def bits(column):
    if pa.types.is_dictionary(column.type):
        return column.cast(pa.string()).to_pylist()
    return column.to_numpy().tobytes()


def test_tables_at_index_dates(spark, register, bundle, tmp_path):
    rng = np.random.default_rng(2)
    ids = rng.choice(np.append(register.persons.ids, [-5, -7]), 900)
    days = DAY + rng.integers(-4000, 900, 900)
    dates = pd.DataFrame({"person_id": ids, "index_date": days.astype("datetime64[D]").astype("datetime64[s]")})
    dates = pd.concat([dates, dates[:50]])
    alone = score_register(load(bundle), register, IndexDates.of(register, dates), tmp_path / "alone.parquet")
    assert min(alone.refused.values()) > 0
    assert set(alone.refused) >= {"unknown_person", "not_yet_observed"}
    pq.write_table(pa.Table.from_pandas(dates, preserve_index=False), tmp_path / "dates.parquet")
    persons = read_spark_table(spark, "persons", str(register.folder / "persons.parquet"))
    dispensings = read_spark_table(spark, "dispensings", str(register.folder / "dispensings"))
    asked = read_index_dates(spark, str(tmp_path / "dates.parquet"))
    assert score_tables(bundle, persons, dispensings, asked, tmp_path / "r", buckets=3) == alone
    by = [("person_id", "ascending"), ("index_date", "ascending")]
    found = ds.dataset(tmp_path / "r").to_table().sort_by(by)
    expected = pq.read_table(tmp_path / "alone.parquet").sort_by(by)
    for name in expected.column_names:
        assert bits(found.column(name)) == bits(expected.column(name)), name
    written = pa.table({"person_id": register.persons.ids[:3], "index_date": ["2012-01-01", "soon", None]})
    pq.write_table(written, tmp_path / "undated.parquet")
    undated = read_index_dates(spark, str(tmp_path / "undated.parquet"))
    with pytest.raises(DataError, match=r"index dates: 2 of 3 rows of a bucket have no index_date"):
        score_tables(bundle, persons, dispensings, undated, tmp_path / "u", buckets=1)
    with pytest.raises(DataError, match="have no column index_date"):
        read_index_dates(spark, str(register.folder / "persons.parquet"))


def test_rows_that_break_a_rule_are_counted_and_nothing_is_published(spark, register, bundle, tmp_path):
    persons = read_spark_table(spark, "persons", str(register.folder / "persons.parquet"))
    dispensings = read_spark_table(spark, "dispensings", str(register.folder / "dispensings"))
    few = persons.limit(700)
    with pytest.raises(DataError, match=r"unknown_person \d+"):
        score_tables(bundle, few, dispensings, DAY, tmp_path / "r", buckets=2)
    named = persons.withColumn("person_id", persons.person_id.cast("string"))
    with pytest.raises(DataError, match="person_id is string in persons and bigint in dispensings"):
        score_tables(bundle, named, dispensings, DAY, tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_nobody_to_score_and_outputs_that_are_there(spark, register, bundle, tmp_path):
    early = Everyone(int(np.datetime64("1800-01-01").astype(int)))
    with pytest.raises(NotEstimable, match="not_born"):
        score_on_spark(spark, bundle, register, early, tmp_path / "r.parquet")
    with pytest.raises(NotEstimable):
        explain_on_spark(spark, bundle, register, early, tmp_path / "e")
    (tmp_path / "there").mkdir()
    with pytest.raises(OutputError, match="exists"):
        features_on_spark(spark, FeaturePlan.psychiatric(), register, EVERYONE, tmp_path / "there")
    assert [file.name for file in tmp_path.iterdir()] == ["there"]


def test_an_executor_with_other_versions_names_itself_and_the_difference(
    spark, register, bundle, tmp_path, monkeypatch
):
    from prodromal.distributed import guard

    known = guard.versions()
    monkeypatch.setattr(guard, "versions", lambda: {**known, "prodromal": "9.9"})
    with pytest.raises(DefinitionError, match=rf"executor \S+ has prodromal {known['prodromal']} instead of 9\.9"):
        on_spark(spark, bundle, register, tmp_path / "r.parquet")


def test_a_table_of_spark_by_name(spark, register):
    spark.read.parquet(str(register.folder / "persons.parquet")).createOrReplaceTempView("people")
    assert "person_id" in read_spark_table(spark, "persons", "people").columns
    with pytest.raises(DataError, match="no column dispensed_on, atc"):
        read_spark_table(spark, "dispensings", "people")
    with pytest.raises(DataError, match="neither a file or folder nor a Spark table"):
        read_spark_table(spark, "persons", "nowhere")
