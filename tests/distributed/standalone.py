"""A Spark cluster of one master and two workers, each a process of its own, on loopback."""

from __future__ import annotations

import os
import re
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_WAIT_SECONDS = 120


@dataclass(frozen=True)
class Standalone:
    """The address of a master, and its workers."""

    master: str
    workers: tuple[subprocess.Popen, ...]

    def executors(self) -> list[int]:
        """Process ids of the executors that the workers have started."""
        found = []
        for worker in self.workers:
            children = Path(f"/proc/{worker.pid}/task/{worker.pid}/children")
            found += [int(pid) for task in children.parents[1].glob("*/children") for pid in task.read_text().split()]
        return sorted(found)


@contextmanager
def standalone(folder: Path, *, workers: int = 2, cores: int = 1):
    """Start the processes, and end each of them when the block ends."""
    import pyspark

    home = Path(pyspark.__file__).parent
    running: list[subprocess.Popen] = []

    def start(name: str, *arguments: str) -> Path:
        log = folder / f"{name}.log"
        environment = {**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"}
        command = [str(home / "bin" / "spark-class"), *arguments]
        with log.open("wb") as stream:
            running.append(subprocess.Popen(command, stdout=stream, stderr=stream, env=environment))
        return log

    try:
        of_master = "org.apache.spark.deploy.master.Master"
        log = start("master", of_master, "--host", "127.0.0.1", "--port", "0", "--webui-port", "0")
        address = _seen(log, r"Starting Spark master at (spark://\S+)")
        for number in range(workers):
            limits = ("--cores", str(cores), "--memory", "1g", "--work-dir", str(folder / f"work{number}"))
            of_worker = "org.apache.spark.deploy.worker.Worker"
            start(f"worker{number}", of_worker, "--host", "127.0.0.1", "--webui-port", "0", *limits, address)
        for number in range(workers):
            _seen(folder / f"worker{number}.log", "(Successfully registered with master)")
        yield Standalone(address, tuple(running[1:]))
    finally:
        for process in reversed(running):
            process.terminate()
        for process in running:
            process.wait(_WAIT_SECONDS)


def _seen(log: Path, pattern: str) -> str:
    end = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < end:
        if found := re.search(pattern, log.read_text(errors="replace")):
            return found[1]
        time.sleep(0.5)
    raise TimeoutError(f"{log.name} does not say '{pattern}':\n{log.read_text(errors='replace')[-2000:]}")
