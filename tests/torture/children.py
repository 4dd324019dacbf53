"""Scoring in a child process that can be killed, starved of disk, or held up."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Job", "run"]

_FORK = multiprocessing.get_context("forkserver")
_FORK.set_forkserver_preload(
    [
        "xgboost",
        "prodromal.scoring.run",
        "prodromal.features.kernels",
        "prodromal.explain.kernels",
        "prodromal.trees.descend",
    ]
)
# What changes a folder, as the interpreter's audit events call it.
_STEPS = {"open", "os.rename", "os.mkdir", "os.remove", "os.rmdir", "shutil.rmtree", "fcntl.flock"}


@dataclass(frozen=True)
class Job:
    """Score everyone of a register by a bundle; the last fields are what goes wrong.

    Parameters
    ----------
    register, bundle, output : Path
    day : int
        Index day of everyone.
    kill_at_step : int, optional
        The write step at which the process kills itself.
    count_steps : Path, optional
        Where to write how many write steps there were.
    most_bytes : int, optional
        Largest file that the disk takes.
    wait_seconds : float
        Rest after each part.
    """

    register: Path
    bundle: Path
    output: Path
    day: int
    kill_at_step: int | None = None
    count_steps: Path | None = None
    most_bytes: int | None = None
    wait_seconds: float = 0.0


def run(job: Job, *, kill_after: float | None = None) -> int:
    """Do a job in a process of its own; its exit code, negative for a signal."""
    child = _FORK.Process(target=_score, args=(job,))
    child.start()
    child.join(kill_after)
    if child.is_alive() and kill_after is not None:
        os.kill(child.pid, signal.SIGKILL)
    child.join(120)
    assert child.exitcode is not None, "a child did not end within two minutes"
    return child.exitcode


def _score(job: Job) -> None:
    from prodromal.errors import ProdromalError
    from prodromal.features.index_dates import Everyone
    from prodromal.register import Register
    from prodromal.risk import load
    from prodromal.scoring import score_register

    register, model = Register.open(job.register), load(job.bundle)
    steps = _watch(job)
    if job.most_bytes is not None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (job.most_bytes, job.most_bytes))
    try:
        progress = (lambda *_: time.sleep(job.wait_seconds)) if job.wait_seconds else None
        score_register(model, register, Everyone(job.day), job.output, reasons=2, threads=2, progress=progress)
    except ProdromalError as error:  # not told: the error stream may be a file, to which the limit applies, too
        sys.exit(error.exit_code)
    if job.count_steps is not None:
        job.count_steps.write_text(str(steps[0]))


def _watch(job: Job) -> list[int]:
    """Count the write steps below the output's folder from here on, and die at the one that is asked for."""
    folder, steps = str(job.output.parent), [0]

    def see(event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS and (event == "fcntl.flock" or str(arguments[0]).startswith(folder)):
            steps[0] += 1
            if steps[0] == job.kill_at_step:
                os.kill(os.getpid(), signal.SIGKILL)

    if job.kill_at_step is not None or job.count_steps is not None:
        sys.addaudithook(see)
    return steps
