"""Killed, starved and doubled runs of scoring: the output of a run that nothing happened to, or none."""

from __future__ import annotations

import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from prodromal.errors import OutputError
from prodromal.files import sha256
from tests.torture.children import Job, run
from tests.torture.small import DAY, deliver, make_bundle, make_register

__all__ = ["full_disk", "killed_runs", "two_writers"]


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
    """The disk takes no file beyond a random size: an error or the whole output; the old one stays; then it goes on."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ground = _Ground.make(folder)
        for trial in range(trials):
            job = ground.fresh(folder, trial)
            job.output.write_text("the old output")
            code = run(replace(job, most_bytes=int(rng.uniform(0, 1.1 * ground.bytes))))
            if code == 0:
                failures += not ground.is_whole(job)
                continue
            intact = code == OutputError.exit_code and job.output.read_text() == "the old output"
            failures += not intact or run(job) != 0 or not ground.is_whole(job)
    return trials, failures


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
