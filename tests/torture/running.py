"""Killed, starved and doubled runs of scoring and ingest: the output of a run that nothing happened to, or none."""

from __future__ import annotations

import shutil
import signal
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from prodromal.errors import OutputError
from prodromal.files import sha256
from prodromal.held import beside
from prodromal.scoring.run import drift_beside
from tests.torture import interrupted
from tests.torture.children import Ended, Job, score
from tests.torture.interrupted import IngestJob
from tests.torture.small import DAY, deliver, hashes, make_bundle, make_register
from tests.torture.starved import Starved

__all__ = ["full_disk", "killed_ingests", "killed_runs", "two_writers"]

_FORMS = ("csv", "fhir", "csv", "omop")
# From so many trials on, this many places must have been struck, and one more for each 20; scoring, and ingesting.
_TRIALS_OF_PLACES, _FEWEST_PLACES = 5, 2
# Larger than most files that are made of so few people.
_MOST_BYTES = 30_000


@dataclass(frozen=True)
class _Ground:
    """A folder with a register, a bundle, and the output of an undisturbed run."""

    job: Job
    whole: str
    steps: int
    seconds: float

    @classmethod
    def make(cls, folder: Path) -> _Ground:
        deliver(folder / "delivery")
        register = make_register(folder / "delivery", folder / "register")
        job = Job(folder / "register", make_bundle(register, folder / "bundle"), folder / "first" / "r.parquet", DAY)
        job.output.parent.mkdir()
        ended = score(job)
        assert ended.code == 0
        return cls(job, sha256(job.output), ended.steps, ended.seconds)

    def fresh(self, folder: Path, number: int) -> Job:
        own = folder / f"trial-{number}"
        shutil.rmtree(own, ignore_errors=True)
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
        return cls(job, hashes(job.output), int((folder / "steps").read_text()), seconds)

    def fresh(self, folder: Path, number: int) -> IngestJob:
        """Where an older register stands."""
        output = folder / f"ingest-{number}" / "register"
        shutil.rmtree(output.parent, ignore_errors=True)
        output.mkdir(parents=True)
        (output / "old").write_text("the old output")
        return replace(self.job, output=output)

    def is_whole(self, job: IngestJob) -> bool:
        """The right bytes, and nothing beside them."""
        return [path.name for path in job.output.parent.iterdir()] == ["register"] and hashes(job.output) == self.whole


def _spread(rng: np.random.Generator, trial: int, trials: int, steps: int) -> int:
    """A step, from 1 on, at random in the trial's own share of all."""
    return 1 + int((trial + rng.random()) * steps / trials)


def killed_ingests(trials: int, seed: int) -> tuple[int, int]:
    """Killed at a step (in turn) or at a random time, once or twice, then started again."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        grounds = {form: _Delivered.make(form, folder / form) for form in sorted(set(_FORMS))}
        for trial in range(trials):
            ground = grounds[_FORMS[trial % len(_FORMS)]]
            job = ground.fresh(folder, trial)

            def kill(job: IngestJob, ground: _Delivered = ground, *, timed: bool = trial % 3 == 2) -> int:
                if timed:
                    return interrupted.run(job, kill_after=float(rng.uniform(0, ground.seconds)))
                return interrupted.run(replace(job, kill_at_step=int(rng.integers(ground.steps))))

            while kill(job) != -signal.SIGKILL:
                assert trial % 3 == 2, "an ingest outlived the step at which it was to be killed"
                job = ground.fresh(folder, trial)
            if rng.random() < 0.5:
                kill(job)
            failures += interrupted.run(job) != 0 or not ground.is_whole(job)
    return trials, failures


def killed_runs(trials: int, seed: int) -> tuple[int, int]:
    """Killed at a write step (in turn, first to last) or at a random time, once or twice, then started again."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ground = _Ground.make(folder)
        for trial in range(trials):
            job = ground.fresh(folder, trial)
            if trial % 2:
                while score(job, kill_after=float(rng.uniform(0, ground.seconds))).code != -signal.SIGKILL:
                    job = ground.fresh(folder, trial)
            else:
                step = _spread(rng, trial // 2, (trials + 1) // 2, ground.steps)
                assert score(replace(job, kill_at_step=step)).code == -signal.SIGKILL, step
            failed = job.output.exists() and sha256(job.output) != ground.whole
            if rng.random() < 0.3:
                score(replace(job, kill_at_step=int(rng.integers(1, ground.steps))))
            failures += failed or score(job).code != 0 or not ground.is_whole(job)
    return trials, failures


def full_disk(trials: int, seed: int) -> tuple[int, int]:
    """From some step on the disk takes nothing more, or little: an error with the path; then it goes on.

    Each trial is one of scoring and one of ingest, with its work written down or not.
    """
    rng, failures = np.random.default_rng(seed), 0
    struck: tuple[set[str], set[str]] = set(), set()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ground, delivered = _Ground.make(folder), _Delivered.make("csv", folder / "csv")
        ingests = {kept: _steps_of(Starved(delivered.fresh(folder, -kept), kept)) for kept in (False, True)}
        for trial in range(trials):
            most, kept = int(rng.integers(_MOST_BYTES)) * int(trial % 4 == 3), trial % 2 == 0
            step = _spread(rng, trial, trials, ground.steps)
            scored = _scored_on_full_disk(ground, ground.fresh(folder, trial), step, most, struck[0])
            step = _spread(rng, trial // 2, (trials + kept) // 2, ingests[kept])
            starved = Starved(delivered.fresh(folder, trial), kept, step, most)
            failures += not (_ingested_on_full_disk(delivered, starved, struck[1]) and scored)
    assert trials < _TRIALS_OF_PLACES or min(map(len, struck)) >= _FEWEST_PLACES + trials // 20, struck
    return trials, failures


def _steps_of(starved: Starved) -> int:
    ended = starved.run()
    assert ended.code == 0
    return ended.steps


def _scored_on_full_disk(ground: _Ground, job: Job, step: int, most: int, struck: set[str]) -> bool:
    job.output.write_text("the old output")
    ended = score(replace(job, full_at_step=step, most_bytes=most))
    if ended.code == 0:
        return ground.is_whole(job)
    struck.add(_struck(ended, job.output))
    intact = job.output.read_bytes() == b"the old output"
    tells = _tells(ended, job.output, drift_beside(job.output))
    return intact and tells and score(job).code == 0 and ground.is_whole(job)


def _ingested_on_full_disk(ground: _Delivered, starved: Starved, struck: set[str]) -> bool:
    job, ended = starved.job, starved.run()
    if ended.code == 0:
        return ground.is_whole(job)
    struck.add(_struck(ended, job.output))
    intact = [path.name for path in job.output.iterdir()] == ["old"]
    tells = _tells(ended, job.output)
    return intact and tells and Starved(job, starved.is_kept).run().code == 0 and ground.is_whole(job)


def _struck(ended: Ended, output: Path) -> str:
    """The functions that could not write, and what they say they could not."""
    return f"{ended.place}: {ended.said.replace(str(output.parent), '')}"


def _tells(ended: Ended, output: Path, *beside_it: Path) -> bool:
    """Whether the error is that of an output, and names it, a file that belongs to it, or its folder of work."""
    names = (output, beside(output), *beside_it)
    return ended.code == OutputError.exit_code and any(str(path) in ended.said for path in names)


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
                first = pool.submit(score, slow)
                time.sleep(float(rng.uniform(0, 0.3)))
                codes = [pool.submit(score, slow).result().code, first.result().code]
            failures += sorted(codes) != [0, OutputError.exit_code] or not ground.is_whole(job)
    return trials, failures
