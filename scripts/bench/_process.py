"""Timed processes of a benchmark, and environments for other libraries."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Run:
    cpu: float
    wall: float
    answer: str

    @property
    def told(self) -> dict[str, float]:
        return json.loads(self.answer.splitlines()[-1])

    @property
    def peak_mb(self) -> float:
        """As the process tells it itself; a parent's peak would be counted otherwise."""
        return self.told["peak_mb"]


def run(
    command: list[object], *, cores: int = 1, threads: int | None = 1, environment: dict[str, str] | None = None
) -> Run:
    """Run a process on some cores, each library with so many threads (None: as many as it likes).

    Modules keep their compiled code, as those that pip installs do.
    """
    chosen = sorted(os.sched_getaffinity(0))[-cores:]
    named = ("OMP_NUM_THREADS", "POLARS_MAX_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_IO_THREADS")
    single = {} if threads is None else dict.fromkeys(named, str(threads))
    compiled = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    started = time.perf_counter()
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            ["taskset", "-c", ",".join(map(str, chosen)), *map(str, command)],
            stdout=out,
            env={**compiled, **single, "PYTHONPATH": str(HERE), **(environment or {})},
            cwd=HERE,
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            sys.exit(f"{' '.join(map(str, command))} ended with {process.returncode}")
        out.seek(0)
        return Run(usage.ru_utime + usage.ru_stime, wall, out.read().decode())


def median(runs: list[Run]) -> float:
    """Of the processes' CPU seconds."""
    return statistics.median(one.cpu for one in runs)


def peer_python(accepted: tuple[str, ...]) -> str:
    """An interpreter that all the other libraries have releases for: the first version found."""
    versions = Path.home() / ".pyenv" / "versions"
    names: list[str] = []
    for version in accepted:
        names += [f"python{version}", *map(str, sorted(versions.glob(f"{version}.*/bin/python")))]
    for name in names:
        try:
            asked = subprocess.run([name, "-c", "import ensurepip, venv"], check=False, capture_output=True)
        except OSError:
            continue
        if asked.returncode == 0:
            return name
    sys.exit(f"the other libraries need Python {' or '.join(accepted)}: none was found")


def environment(cache: Path, name: str, requirements: list[str], accepted: tuple[str, ...] = ("3.12", "3.11")) -> Path:
    """An environment of its own for another library, made once."""
    venv = cache / f"{name}-{'-'.join(requirements[0].split('==')[1:])}"
    if not (venv / "ready").exists():
        print(f"making {venv}", flush=True)
        subprocess.run([peer_python(accepted), "-m", "venv", "--clear", venv], check=True)
        pip = [venv / "bin" / "python", "-m", "pip", "install", "-qq", "--disable-pip-version-check"]
        subprocess.run([*pip, *requirements], check=True)
        (venv / "ready").touch()
    return venv
