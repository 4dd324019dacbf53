"""An ingest that was killed goes on where it stopped: nothing is lost, done twice, or taken from another job."""

from __future__ import annotations

import os
import shutil
from collections import Counter
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest

from prodromal.errors import DataError, OutputError
from prodromal.files import sha256
from prodromal.held import beside
from prodromal.register.writer import RegisterWriter
from prodromal.sources import Source, TableSource, work
from prodromal.sources.fhir import load
from prodromal.sources.job import job_of
from prodromal.sources.omop.server import Server
from prodromal.sources.staging import Staging
from prodromal.sources.steps import Steps
from tests.torture.interrupted import IngestJob, deliver, ingest_job

_MOST_STEPS = 30
FORMS = ("csv", "parquet", "fhir", "omop", "omop_duckdb", "meds")


@pytest.fixture(autouse=True)
def small_deliveries_are_worth_it(monkeypatch):
    monkeypatch.setattr(work, "_WORTH_KEEPING", 0)


def job(tmp_path, form="csv") -> IngestJob:
    (tmp_path / "delivery").mkdir()
    (tmp_path / "out").mkdir()
    deliver(form, tmp_path / "delivery")
    return IngestJob(form, tmp_path / "delivery", tmp_path / "out" / "register")


def undisturbed(job: IngestJob) -> dict[str, str]:
    other = replace(job, output=job.output.parent.with_name("whole") / "register")
    other.output.parent.mkdir(exist_ok=True)
    ingest_job(other)
    return digests(other.output)


def digests(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): sha256(file) for file in sorted(folder.rglob("*")) if file.is_file()}


def stopped(job: IngestJob, monkeypatch, *, after: int, torn: bool = False, **settings) -> tuple[str, ...]:
    """Stop behind so many further steps, if there are so many, or in the middle of the next; the names of the steps."""
    noted: list[str] = []
    note, once = Steps.note, Steps.once

    def stop_at_note(steps, name, *rest):
        if torn and len(noted) >= after:
            raise KeyboardInterrupt
        note(steps, name, *rest)
        noted.append(name)
        if not torn and len(noted) >= after and name.startswith(("part", "prepared")):
            raise KeyboardInterrupt

    def stop_at_once(steps, name, work):
        if not torn and len(noted) >= after and steps.told(name) is None:
            raise KeyboardInterrupt
        return once(steps, name, work)

    with monkeypatch.context() as patch:
        patch.setattr(Steps, "note", stop_at_note)
        patch.setattr(Steps, "once", stop_at_once)
        try:
            ingest_job(job, **settings)
        except KeyboardInterrupt:
            assert (beside(job.output) / "staged.duckdb").is_file()
    return tuple(noted)


def stop_behind(name: str, job: IngestJob, monkeypatch) -> None:
    for _ in range(_MOST_STEPS):
        if name in stopped(job, monkeypatch, after=1):
            return
    raise AssertionError(f"{name} is never done")


def stopped_at_all(job: IngestJob, monkeypatch, **settings) -> list[str]:
    """The names of all steps, each done in a run of its own."""
    steps: list[str] = []
    for _ in range(_MOST_STEPS):
        steps += stopped(job, monkeypatch, after=1, **settings)
        if job.output.exists():
            return steps
    raise AssertionError("it never ends")


def counting(monkeypatch) -> Counter[str]:
    """How often work is done that should be done once."""
    done: Counter[str] = Counter()

    def count(owner, method):
        right = getattr(owner, method)

        def counted(*arguments, **named):
            done[method] += 1
            return right(*arguments, **named)

        monkeypatch.setattr(owner, method, counted)

    count(Staging, "_insert")
    count(Staging, "_settle")
    count(load, "_store")
    count(RegisterWriter, "_write_part")
    return done


@pytest.mark.parametrize("torn", [False, True], ids=["behind", "within"])
@pytest.mark.parametrize("form", FORMS)
def test_stopped_at_every_step_the_register_is_the_same_to_the_byte(tmp_path, monkeypatch, form, torn):
    interrupted = job(tmp_path, form)
    whole = undisturbed(interrupted)
    steps = stopped_at_all(interrupted, monkeypatch, torn=torn)
    assert len(steps) == len(set(steps)) > 8
    assert sum(name.startswith("part: ") for name in steps) >= 3
    assert digests(interrupted.output) == whole
    assert [path.name for path in interrupted.output.parent.iterdir()] == ["register"]


def test_what_is_done_is_not_done_again(tmp_path, monkeypatch):
    interrupted = job(tmp_path)
    done = counting(monkeypatch)
    undisturbed(interrupted)
    once = Counter(done)
    assert once["_insert"] == 4
    done.clear()
    stopped_at_all(interrupted, monkeypatch, threads=1)
    assert done == once


def test_files_of_an_export_are_read_once(tmp_path, monkeypatch):
    interrupted = job(tmp_path, "fhir")
    done = counting(monkeypatch)
    undisturbed(interrupted)
    assert done["_store"] == 2
    stop_behind("read: fhir: 0", interrupted, monkeypatch)
    ingest_job(interrupted)
    assert done["_store"] == 2 * 2


def test_it_says_that_it_goes_on(tmp_path, monkeypatch):
    interrupted, said = job(tmp_path), []
    stop_behind("read: dispensings: 1", interrupted, monkeypatch)
    stop_behind("part: dispensings/part-00001.parquet", replace(interrupted, output=tmp_path / "second"), monkeypatch)
    ingest_job(interrupted, progress=said.append)
    assert said[0] == "going on where a killed run stopped: 3 of 4 files are read"
    ingest_job(replace(interrupted, output=tmp_path / "second"), progress=said.append)
    assert "going on where a killed run stopped: 4 of 4 files are read, 2 parts are written" in said
    said.clear()
    ingest_job(interrupted, progress=said.append)
    assert said[0] == "reading persons"


@pytest.mark.parametrize("settings", [{"threads": 1}, {"memory": "400MB"}], ids=str)
def test_threads_and_memory_make_no_other_job(tmp_path, monkeypatch, settings):
    interrupted = job(tmp_path, "fhir")
    stop_behind("settled: persons", interrupted, monkeypatch)
    done = counting(monkeypatch)
    ingest_job(interrupted, **settings)
    assert not done["_store"]


def another_file(folder):
    file = folder / "dispensings-0.csv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-3]))


def same_size_and_age(folder):
    file, state = folder / "dispensings-0.csv", (folder / "dispensings-0.csv").stat()
    file.write_bytes(file.read_bytes().replace(b"N05BA01", b"N05BA02"))
    os.utime(file, ns=(state.st_atime_ns, state.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (state.st_size, state.st_mtime_ns)


def one_more_file(folder):
    shutil.copyfile(folder / "dispensings-0.csv", folder / "dispensings-9.csv")


@pytest.mark.parametrize("change", [another_file, same_size_and_age, one_more_file])
def test_another_delivery_starts_anew(tmp_path, monkeypatch, change):
    interrupted, said = job(tmp_path), []
    stop_behind("part: dispensings/part-00000.parquet", interrupted, monkeypatch)
    change(interrupted.delivery)
    ingest_job(interrupted, progress=said.append)
    assert said[0].startswith("starting anew")
    assert digests(interrupted.output) == undisturbed(interrupted)


def test_other_parts_are_another_job(tmp_path, monkeypatch):
    interrupted, said = job(tmp_path), []
    stop_behind("part: dispensings/part-00000.parquet", interrupted, monkeypatch)
    ingest_job(interrupted, rows_per_part=60, progress=said.append)
    assert said[0].startswith("starting anew")


def test_a_part_that_was_damaged_is_written_again(tmp_path, monkeypatch):
    interrupted = job(tmp_path)
    stop_behind("part: dispensings/part-00002.parquet", interrupted, monkeypatch)
    part = beside(interrupted.output) / "register" / "dispensings" / "part-00001.parquet"
    part.write_bytes(part.read_bytes()[:-1] + b"x")
    (part.parent.parent / ".register.json.1.tmp").write_text("half of it")
    ingest_job(interrupted)
    assert digests(interrupted.output) == undisturbed(interrupted)


@pytest.mark.parametrize("damage", [b"", b"no database at all" * 1_000], ids=["cut", "overwritten"])
def test_a_damaged_database_starts_anew(tmp_path, monkeypatch, damage):
    interrupted = job(tmp_path)
    stop_behind("settled: persons", interrupted, monkeypatch)
    (beside(interrupted.output) / "staged.duckdb").write_bytes(damage)
    ingest_job(interrupted)
    assert digests(interrupted.output) == undisturbed(interrupted)


def test_a_file_that_changes_while_it_is_read_is_refused_and_nothing_stays(tmp_path):
    disturbed = job(tmp_path)

    def meddle(sentence):
        if sentence == "sorting and writing dispensings":
            os.utime(disturbed.delivery / "dispensings-0.csv")

    with pytest.raises(DataError, match="changed while it was read"):
        ingest_job(disturbed, progress=meddle)
    assert not list(disturbed.output.parent.iterdir())


def test_faulty_data_leave_nothing_behind(tmp_path):
    faulty = job(tmp_path)
    (faulty.delivery / "dispensings-1.csv").write_text("no,such,columns\n1,2,3\n")
    with pytest.raises(DataError):
        ingest_job(faulty)
    assert not list(faulty.output.parent.iterdir())


def test_a_small_delivery_is_not_written_down(tmp_path, monkeypatch):
    small = job(tmp_path)
    stop_behind("settled: persons", replace(small, output=tmp_path / "other"), monkeypatch)
    kept = []
    right = duckdb.connect
    monkeypatch.setattr(duckdb, "connect", lambda place=":memory:", **more: kept.append(place) or right(place, **more))
    tables = tuple(TableSource(n, tuple(small.delivery.glob(f"{n}*.csv"))) for n in ("persons", "dispensings"))
    monkeypatch.setattr(work, "_WORTH_KEEPING", 512 << 20)
    from prodromal.sources import ingest

    ingest(Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0), small.output)
    assert kept == [":memory:"]


def test_a_register_that_was_being_replaced_comes_back(tmp_path):
    replaced = job(tmp_path)
    ingest_job(replaced)
    before = digests(replaced.output)
    replaced.output.rename(replaced.output.with_name(".register.77.old"))
    with pytest.raises(OutputError, match="exists"):
        ingest_job(replaced, replace=False)
    assert digests(replaced.output) == before
    assert [path.name for path in replaced.output.parent.iterdir()] == ["register"]


def test_a_server_is_never_the_same_job(tmp_path):
    files = TableSource("persons", (tmp_path / "p.csv",)), TableSource("dispensings", (tmp_path / "d.csv",))
    source = Source(files, extracted_on=date(2021, 1, 1))
    assert job_of(source) == job_of(replace(source)) != job_of(replace(source, max_rejected=0.5))
    assert job_of(replace(source, settings={"from": Server("postgresql://somewhere/db", None)})) is None
