"""Killed, starved and doubled runs of scoring and ingest: the output of a run that nothing happened to, or none."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from prodromal.errors import OutputError
from prodromal.files import sha256
from tests.torture import interrupted
from tests.torture.children import Job, run
from tests.torture.interrupted import IngestJob
from tests.torture.small import DAY, deliver, make_bundle, make_register

__all__ = ["full_disk", "killed_ingests", "killed_runs", "two_writers"]

_FORMS = ("csv", "fhir", "csv", "omop")
# More than any file takes that an ingest of the few people writes.
_INGEST_BYTES = 30_000


@dataclass(frozen=True)
class _Ground:
    """A folder with a register, a bundle, and the output of an undisturbed run."""

    job: Job
    whole: str
    bytes: int
    steps: int
    seconds: float

    @classmethod
    def make(cls, folder: Path) -> _Ground:
        deliver(folder / "delivery")
        register = make_register(folder / "delivery", folder / "register")
        job = Job(folder / "register", make_bundle(register, folder / "bundle"), folder / "first" / "r.parquet", DAY)
        job.output.parent.mkdir()
        assert run(replace(job, count_steps=folder / "steps")) == 0
        started = time.monotonic()
        assert run(replace(job, output=folder / "first" / "again.parquet")) == 0
        seconds = time.monotonic() - started
        whole, size = sha256(job.output), job.output.stat().st_size
        return cls(job, whole, size, int((folder / "steps").read_text()), seconds)

    def fresh(self, folder: Path, number: int) -> Job:
        own = folder / f"trial-{number}"
        own.mkdir()
        return replace(self.job, output=own / "r.parquet")

    def is_whole(self, job: Job) -> bool:
        """The right bytes, and nothing beside them."""
        there = sorted(path.name for path in job.output.parent.iterdir())
        return there == ["r.drift.csv", "r.parquet"] and sha256(job.output) == self.whole


@dataclass(frozen=True)
class _Delivered:
    """A folder with a delivery, and the register of an undisturbed ingest."""

    job: IngestJob
    whole: dict[str, str]
    steps: int
    seconds: float

    @classmethod
    def make(cls, form: str, folder: Path) -> _Delivered:
        (folder / "delivery").mkdir(parents=True)
        (folder / "first").mkdir()
        interrupted.deliver(form, folder / "delivery")
        job = IngestJob(form, folder / "delivery", folder / "first" / "register")
        started = time.monotonic()
        assert interrupted.run(replace(job, count_steps=folder / "steps")) == 0
        seconds = time.monotonic() - started
        return cls(job, _hashes(job.output), int((folder / "steps").read_text()), seconds)

    def fresh(self, folder: Path, number: int) -> IngestJob:
        """Where an older register stands."""
        output = folder / f"ingest-{number}" / "register"
        output.mkdir(parents=True)
        (output / "old").write_text("the old output")
        return replace(self.job, output=output)

    def is_whole(self, job: IngestJob) -> bool:
        """The right bytes, and nothing beside them."""
        return [path.name for path in job.output.parent.iterdir()] == ["register"] and _hashes(job.output) == self.whole


def _hashes(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): sha256(file) for file in folder.rglob("*") if file.is_file()}


def killed_ingests(trials: int, seed: int) -> tuple[int, int]:
    """Killed at a step (in turn) or at a random time, once or twice, then started again."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grounds = {form: _Delivered.make(form, folder / form) for form in sorted(set(_FORMS))}
        for trial in range(trials):
            ground = grounds[_FORMS[trial % len(_FORMS)]]
            job = ground.fresh(folder, trial)
            for _ in range(1 + int(rng.random() < 0.5)):
                if trial % 3 == 2:
                    interrupted.run(job, kill_after=float(rng.uniform(0, ground.seconds)))
                else:
                    interrupted.run(replace(job, kill_at_step=int(rng.integers(ground.steps))))
            failures += interrupted.run(job) != 0 or not ground.is_whole(job)
    return trials, failures


def killed_runs(trials: int, seed: int) -> tuple[int, int]:
    """Killed at a write step (in turn) or at a random time, once or twice, then started again."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ground = _Ground.make(folder)
        for trial in range(trials):
            job = ground.fresh(folder, trial)
            for _ in range(1 + int(rng.random() < 0.3)):
                if trial % 2:
                    run(job, kill_after=float(rng.uniform(0, ground.seconds)))
                else:
                    run(replace(job, kill_at_step=1 + (trial // 2 + int(rng.integers(2))) % ground.steps))
            failures += run(job) != 0 or not ground.is_whole(job)
    return trials, failures


def full_disk(trials: int, seed: int) -> tuple[int, int]:
    """The disk takes no file beyond a random size: an error or the whole output; the old one stays; then it goes on.

    Each trial is one of scoring and one of ingest.
    """
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ground, delivered = _Ground.make(folder), _Delivered.make("csv", folder / "csv")
        for trial in range(trials):
            scored = _scored_on_full_disk(ground, ground.fresh(folder, trial), rng)
            failures += not (scored and _ingested_on_full_disk(delivered, delivered.fresh(folder, trial), rng))
    return trials, failures


def _scored_on_full_disk(ground: _Ground, job: Job, rng: np.random.Generator) -> bool:
    job.output.write_text("the old output")
    code = run(replace(job, most_bytes=int(rng.uniform(0, 1.1 * ground.bytes))))
    if code == 0:
        return ground.is_whole(job)
    intact = code == OutputError.exit_code and job.output.read_text() == "the old output"
    return intact and run(job) == 0 and ground.is_whole(job)


def _ingested_on_full_disk(ground: _Delivered, job: IngestJob, rng: np.random.Generator) -> bool:
    code = interrupted.run(replace(job, most_bytes=int(rng.uniform(0, _INGEST_BYTES))))
    if code == 0:
        return ground.is_whole(job)
    intact = code == OutputError.exit_code and [path.name for path in job.output.iterdir()] == ["old"]
    return intact and interrupted.run(job) == 0 and ground.is_whole(job)


def two_writers(trials: int, seed: int) -> tuple[int, int]:
    """Two processes on one output: one goes on, the other ends with its own exit code."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ground = _Ground.make(folder)
        for trial in range(trials):
            job = ground.fresh(folder, trial)
            slow = replace(job, wait_seconds=0.5)
            with ThreadPoolExecutor(2) as pool:
                first = pool.submit(run, slow)
                time.sleep(float(rng.uniform(0, 0.3)))
                codes = [pool.submit(run, slow).result(), first.result()]
            failures += sorted(codes) != [0, OutputError.exit_code] or not ground.is_whole(job)
    return trials, failures
