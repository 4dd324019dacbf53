"""Work in a child process that can be killed, starved of disk, or held up, and says how it ended; scoring is one."""

from __future__ import annotations

import multiprocessing
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

__all__ = ["Ended", "Job", "Steps", "fill_disk", "follow", "score", "telling"]

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
class Ended:
    """How a child ended.

    Parameters
    ----------
    code : int
        Its exit code, negative for a signal.
    steps : int
        Changes of the output's folder, if it lived to count them.
    said : str
        The message of an error raised on purpose.
    place : str
        The functions of the package in which that error arose.
    seconds : float
        From the beginning of the work to the end.
    """

    code: int
    steps: int = 0
    said: str = ""
    place: str = ""
    seconds: float = 0.0


@dataclass
class Steps:
    """Counts the changes of a folder, as the interpreter's audit events tell them, and acts at one of them."""

    folder: Path
    due: int | None
    act: Callable[[], None]
    taken: int = 0

    def step(self) -> None:
        self.taken += 1
        if self.taken == self.due:
            self.act()

    def see(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in _STEPS and (event == "fcntl.flock" or str(arguments[0]).startswith(str(self.folder))):
            self.step()


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
    full_at_step : int, optional
        The write step from which on the disk takes no file beyond `most_bytes`.
    most_bytes : int
    wait_seconds : float
        Rest after each part.
    """

    register: Path
    bundle: Path
    output: Path
    day: int
    kill_at_step: int | None = None
    full_at_step: int | None = None
    most_bytes: int = 0
    wait_seconds: float = 0.0


def score(job: Job, *, kill_after: float | None = None) -> Ended:
    """Do a job in a process of its own, killed some seconds after its work began."""
    return follow(_score, job, kill_after=kill_after)


def follow(work: Callable[[Any, Connection], None], job: object, *, kill_after: float | None = None) -> Ended:
    """Call ``work(job, mouth)`` in a process of its own, in which `telling` says when it begins and how it ends."""
    ear, mouth = _FORK.Pipe(duplex=False)
    child = _FORK.Process(target=work, args=(job, mouth))
    child.start()
    mouth.close()
    with ear:
        _hear(ear)
        began = time.monotonic()
        child.join(kill_after)
        if child.is_alive() and kill_after is not None:
            os.kill(child.pid, signal.SIGKILL)
        child.join(120)
        assert child.exitcode is not None, "a child did not end within two minutes"
        seconds = time.monotonic() - began
        return Ended(child.exitcode, *_hear(ear), seconds)


def _hear(ear: Connection) -> tuple[int, str, str]:
    try:
        return ear.recv() or (0, "", "")
    except EOFError:
        return 0, "", ""


@contextmanager
def telling(mouth: Connection, steps: Steps) -> Iterator[None]:
    """Tell by the pipe, which no full disk closes, what became of the block; on its errors the process ends."""
    from prodromal.errors import ProdromalError

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    sys.addaudithook(steps.see)
    mouth.send(None)
    try:
        yield
    except ProdromalError as error:
        mouth.send((steps.taken, str(error), _place(error)))
        sys.exit(error.exit_code)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    mouth.send((steps.taken, "", ""))


def _place(error: BaseException) -> str:
    """The innermost functions of the package where the first cause arose, those for any file left away."""
    errors = [error]
    while (cause := errors[-1].__cause__) not in {None, *errors}:
        errors.append(cause)  # type: ignore[arg-type]
    for each in reversed(errors):
        codes = [frame.f_code for frame, _ in traceback.walk_tb(each.__traceback__)]
        own = [code for code in codes if "/prodromal/" in code.co_filename and "/files.py" not in code.co_filename]
        if own:
            return " > ".join(code.co_qualname for code in own[-3:])
    return ""


def fill_disk(most_bytes: int) -> None:
    """From now on no file of this process grows beyond a size."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


def _score(job: Job, mouth: Connection) -> None:
    from prodromal.features.index_dates import Everyone
    from prodromal.register import Register
    from prodromal.risk import load
    from prodromal.scoring import score_register

    register, model = Register.open(job.register), load(job.bundle)
    progress = (lambda *_: time.sleep(job.wait_seconds)) if job.wait_seconds else None
    if job.kill_at_step is not None:
        steps = Steps(job.output.parent, job.kill_at_step, lambda: os.kill(os.getpid(), signal.SIGKILL))
    else:
        steps = Steps(job.output.parent, job.full_at_step, lambda: fill_disk(job.most_bytes))
    with telling(mouth, steps):
        score_register(model, register, Everyone(job.day), job.output, reasons=2, threads=2, progress=progress)
