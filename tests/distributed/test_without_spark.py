"""What can be said of the room without Java: envelopes, Delta logs, canonical buckets, tallies, advice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal import errors
from prodromal.distributed import guard
from prodromal.distributed.canonical import dispensings_of, persons_of
from prodromal.distributed.delta import delta_files
from prodromal.distributed.rows import read_rows
from prodromal.distributed.session import check_spark_version
from prodromal.errors import BundleError, DataError, DefinitionError, ProdromalError

OPEN_ENVELOPE = """
import pickle, sys
sys.path.insert(0, {path!r})
call = pickle.loads(open({file!r}, "rb").read())
assert not any(name.startswith("prodromal") for name in sys.modules)
try:
    call(0)
except RuntimeError as error:
    print(error)
"""


@pytest.mark.parametrize(
    ("content", "told"),
    [("raise ModuleNotFoundError('prodromal')", "prodromal missing"), ("__version__ = '0.0.1'", "prodromal 0.0.1")],
)
def test_an_executor_without_the_package_or_with_another_says_so(tmp_path, content, told):
    cloudpickle = pytest.importorskip("pyspark.cloudpickle")
    (tmp_path / "prodromal").mkdir()
    (tmp_path / "prodromal" / "__init__.py").write_text(content)
    envelope = tmp_path / "task"
    envelope.write_bytes(cloudpickle.dumps(guard.guarded("prodromal.distributed.risks:score_part", {})))
    script = OPEN_ENVELOPE.format(path=str(tmp_path), file=str(envelope))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=tmp_path)
    error = guard._translated(done.stdout)
    assert isinstance(error, DefinitionError)
    assert f"{told} instead of {guard.versions()['prodromal']}: install" in str(error)
    assert os.uname().nodename in str(error)


def test_errors_of_ours_come_back_as_they_were():
    def failing(job, position):
        raise BundleError(f"part {position} of {job['of']}\nis bad")

    guard_test = sys.modules[__name__]
    guard_test.failing = failing
    try:
        with pytest.raises(RuntimeError) as caught:
            guard.guarded(f"{__name__}:failing", {"of": 7})(3)
    finally:
        del guard_test.failing
    error = guard._translated(f"Traceback (most recent call last):\n  ...\nRuntimeError: {caught.value}\n\n")
    assert type(error) is BundleError
    assert str(error) == "part 3 of 7\nis bad"


@pytest.mark.parametrize(
    ("text", "kind", "words"),
    [
        ("[PYTHON_VERSION_MISMATCH] Python in worker has different version: 3.11 than that in driver: 3.13, PySpark",
         DefinitionError, "executors run Python 3.11, the driver Python 3.13"),
        ("ModuleNotFoundError: No module named 'pyarrow'", DefinitionError, "no Python package pyarrow"),
        ("SparkException: Python worker exited unexpectedly (crashed)", ProdromalError, "memoryOverhead"),
        ("ValueError: person 4711 is odd", ProdromalError, "spark.log.level=WARN"),
        ('RuntimeError: prodromal-error ["os.system", "x"]', ProdromalError, "x"),
    ],
)  # fmt: skip
def test_what_spark_says_becomes_one_sentence_without_values(text, kind, words):
    error = guard._translated(text)
    assert type(error) is kind
    assert words in str(error)
    assert "4711" not in str(error)


def test_every_error_of_the_house_can_come_back():
    for name in errors.__all__:
        assert type(guard._translated(f'RuntimeError: prodromal-error ["{name}", "x"]')).__name__ == name


def test_an_old_spark_is_refused():
    check_spark_version("4.0.1")
    with pytest.raises(DefinitionError, match=r"Spark 3\.5\.1 is too old: 4\.0"):
        check_spark_version("3.5.1")


def test_rows_are_read_across_row_groups_and_files(tmp_path):
    paths = [tmp_path / f"{i}.parquet" for i in range(2)]
    for path, low in zip(paths, (0, 10), strict=True):
        pq.write_table(pa.table({"x": np.arange(low, low + 10)}), path, row_group_size=3)
    for first in range(20):
        for count in range(1, 21 - first):
            assert read_rows(paths, first, count).column("x").to_pylist() == list(range(first, first + count))
    with pytest.raises(DataError, match="too few rows: 21"):
        read_rows(paths, 19, 2)


@pytest.fixture
def delta(tmp_path):
    """Writes a Delta folder from lists of actions, a commit each."""
    (tmp_path / "_delta_log").mkdir()

    def write(*commits, first=0):
        for number, actions in enumerate(commits, start=first):
            lines = "\n".join(json.dumps(action) for action in actions)
            (tmp_path / "_delta_log" / f"{number:020d}.json").write_text(lines)
        return tmp_path

    return write


def add(path, **more):
    return {"add": {"path": path, **more}}


def names(paths):
    return [path.name for path in paths]


def test_live_files_of_a_delta_folder(delta):
    first = [{"protocol": {"minReaderVersion": 1}}, add("a.parquet"), add("b%20c.parquet")]
    folder = delta(first, [{"remove": {"path": "a.parquet"}}, add("d.parquet")])
    assert names(delta_files(folder)) == ["b c.parquet", "d.parquet"]


def test_a_checkpoint_stands_for_the_commits_before_it(delta):
    folder = delta([{"remove": {"path": "a.parquet"}}, add("c.parquet")], first=11)
    rows = [{"add": {"path": name}, "remove": None} for name in ("a.parquet", "b.parquet")]
    entry = pa.struct([("path", pa.string())])
    checkpoint = pa.Table.from_pylist(rows, schema=pa.schema([("add", entry), ("remove", entry)]))
    pq.write_table(checkpoint, folder / "_delta_log" / f"{10:020d}.checkpoint.parquet")
    (folder / "_delta_log" / f"{12:020d}.checkpoint.0000000001.0000000002.parquet").write_bytes(b"half a checkpoint")
    assert names(delta_files(folder)) == ["b.parquet", "c.parquet"]


@pytest.mark.parametrize(
    ("actions", "kind", "words"),
    [
        ([add("a.parquet", deletionVector={"x": 1})], DefinitionError, "deletionVectors"),
        ([{"protocol": {"minReaderVersion": 3, "readerFeatures": ["v2Checkpoint"]}}], DefinitionError, "v2Checkpoint"),
        ([{"metaData": {"configuration": {"delta.columnMapping.mode": "name"}}}], DefinitionError, "columnMapping"),
        ([{"metaData": {"partitionColumns": ["sex"]}}, add("a.parquet")], DefinitionError, "sex in folder names"),
        ([add("../a.parquet")], DataError, "outside the folder"),
        ([add("%2Fetc/a.parquet")], DataError, "outside the folder"),
        ([add("s3://bucket/a.parquet")], DataError, "outside the folder"),
        ([{"add": {"size": 1}}], DataError, "no log of a Delta table"),
        ([], DataError, "no live file"),
    ],
)
def test_what_needs_more_than_files_is_refused(delta, actions, kind, words):
    with pytest.raises(kind, match=words):
        delta_files(delta(actions))


def test_a_delta_log_with_a_gap_is_refused(delta):
    folder = delta([add("a.parquet")], [add("b.parquet")], [add("c.parquet")])
    (folder / "_delta_log" / f"{1:020d}.json").unlink()
    with pytest.raises(DataError, match="has a gap"):
        delta_files(folder)


PERSONS = {
    "person_id": ["b", "a"],
    "sex": ["F", None],
    "birth_date": [date(1950, 1, 1), date(1940, 1, 1)],
    "observed_from": [date(2005, 7, 1)] * 2,
    "observed_to": [date(2015, 1, 1), date(2020, 12, 31)],
    "death_date": [date(2015, 1, 1), None],
}
DISPENSING = {"person_id": "a", "dispensed_on": date(2010, 1, 1), "atc": "N06AB04", "ddd": 1.0, "days_supply": 30}


def test_a_bucket_is_put_in_the_order_of_a_register():
    people = persons_of(pa.table(PERSONS))
    assert people.ids.tolist() == ["a", "b"]
    later = {**DISPENSING, "dispensed_on": date(2010, 1, 2)}
    more, unknown, other = ({**DISPENSING, **change} for change in ({"ddd": 2.0}, {"ddd": None}, {"person_id": "b"}))
    rows = [later, more, DISPENSING, DISPENSING, unknown, other]
    kept, counts = dispensings_of(pa.Table.from_pylist(rows), people)
    assert counts.tolist() == [4, 1]
    assert pa.Table.from_batches(kept).column("ddd").to_pylist() == [None, 1.0, 2.0, 1.0, 1.0]


def test_an_empty_bucket():
    people = persons_of(pa.table(PERSONS))
    kept, counts = dispensings_of(pa.Table.from_pylist([DISPENSING])[:0], people)
    assert counts.tolist() == [0, 0]
    assert sum(batch.num_rows for batch in kept) == 0
    nobody = persons_of(pa.table(PERSONS)[:0])
    with pytest.raises(DataError, match="unknown_person 1"):
        dispensings_of(pa.Table.from_pylist([DISPENSING]), nobody)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"person_id": "c"}, "unknown_person"),
        ({"person_id": None}, "missing_person_id"),
        ({"dispensed_on": None}, "undated_dispensed_on"),
        ({"dispensed_on": date(1930, 1, 1)}, "before_birth"),
        ({"person_id": "b", "dispensed_on": date(2015, 1, 2)}, "after_death"),
        ({"dispensed_on": date(2005, 6, 30)}, "outside_observation"),
        ({"dispensed_on": date(2021, 1, 1)}, "outside_observation"),
        ({"atc": None}, "malformed_atc"),
        ({"atc": "n06ab04"}, "malformed_atc"),
        ({"atc": "N06AB0"}, "malformed_atc"),
        ({"atc": "E06AB04"}, "malformed_atc"),
        ({"ddd": -1.0}, "return"),
        ({"days_supply": 0}, "implausible_days_supply"),
        ({"days_supply": 3651}, "implausible_days_supply"),
    ],
)
def test_a_dispensing_that_breaks_a_rule_is_counted(change, rule):
    people = persons_of(pa.table(PERSONS))
    rows = pa.Table.from_pylist([DISPENSING, {**DISPENSING, **change}])
    dispensings_of(pa.Table.from_pylist([DISPENSING]), people)
    with pytest.raises(DataError, match=rf"bucket of 2 .*{rule} 1") as caught:
        dispensings_of(rows, people)
    assert "E06" not in str(caught.value)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("person_id", "a", "repeated_person_id"),
        ("person_id", None, "missing_person_id"),
        ("sex", "X", "unknown_sex_code"),
        ("observed_from", None, "undated_observed_from"),
        ("observed_to", None, "undated_observed_to"),
        ("observed_to", date(2000, 1, 1), "never_observed"),
        ("observed_to", date(2016, 1, 1), "observed_after_death"),
        ("death_date", date(1949, 1, 1), "dead_before_birth"),
    ],
)
def test_a_person_who_breaks_a_rule_is_counted(column, value, rule):
    table = pa.table({**PERSONS, column: pa.array([value, PERSONS[column][1]])})
    with pytest.raises(DataError, match=f"{rule} 1"):
        persons_of(table)


def test_no_java_is_one_sentence_and_an_exit_code(tmp_path, register, bundle):
    pytest.importorskip("pyspark")
    line = f"spark score {register.folder} {bundle} --on 2015-01-01 --master local[1] --output {tmp_path / 'r.parquet'}"
    script = f"from prodromal.cli import main; main({line.split()!r})"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "JAVA_HOME": "/nonexistent"},
        cwd=Path(__file__).resolve().parents[2],
    )
    assert done.returncode == DefinitionError.exit_code, done.stderr
    assert "error: Spark could not start Java: install Java 17" in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []
