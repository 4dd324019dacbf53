"""A child process with little memory and time that ingests mutated deliveries and says how each ended.

Run as ``python -m tests.torture.capped_ingest FORMAT FOLDER FIRST COUNT [SABOTAGE]``: ingests ``FOLDER/FIRST/delivery``
into ``FOLDER/FIRST/out/register``, then the next, and prints a line of JSON for each.
"""

from __future__ import annotations

import json
import math
import os
import resource
import select
import subprocess
import sys
import time
import traceback
from datetime import date
from pathlib import Path
from typing import Any

from tests.torture.people import OBSERVED

__all__ = ["outcomes"]

MEMORY_BYTES, CPU_SECONDS, WALL_SECONDS = 3 << 30, 20, 120
# A child whose address space has grown gives way to another, so that each trial has a gigabyte. Half of it is taken at
# once, by what its libraries reserve; an arena for each thread would take the rest.
_FULL, _FULL_BYTES = 75, 2 << 30
ROOT = Path(__file__).resolve().parents[2]
EXTRACTED = date(2021, 1, 1)


def outcomes(form: str, folder: Path, count: int, *, sabotage: str = "") -> list[dict[str, Any]]:
    """How the ingest of each of ``folder/0 .. folder/count-1`` ended; a child that dies is followed by another."""
    found: list[dict[str, Any]] = []
    while len(found) < count:
        command = [sys.executable, "-m", "tests.torture.capped_ingest", form, folder, len(found), count, sabotage]
        own = {"TMPDIR": str(folder / "tmp"), "HOME": str(folder / "tmp"), "MALLOC_ARENA_MAX": "1"}
        errors = (folder / "errors").open("w+")
        with (
            errors,
            subprocess.Popen(
                list(map(str, command)), cwd=ROOT, stdout=subprocess.PIPE, stderr=errors, env={**os.environ, **own}
            ) as child,
        ):
            found += _listen(child)
            if len(found) < count and child.returncode != _FULL:
                errors.seek(0)
                found.append({"ended": f"died ({child.returncode})", "traceback": errors.read()[-3000:]})
    return found


def _listen(child: subprocess.Popen[bytes]) -> list[dict[str, Any]]:
    """What a child says until it ends; one that is silent for too long is killed."""
    assert child.stdout is not None
    said = b""
    while select.select([child.stdout], [], [], WALL_SECONDS)[0]:
        more = os.read(child.stdout.fileno(), 1 << 16)
        if not more:
            break
        said += more
    else:
        child.kill()
    child.wait()
    return [json.loads(line) for line in said.split(b"\n")[:-1]]


def source_of(form: str, folder: Path) -> Any:
    """A delivery as the command line would read it; every row may be rejected, so that line damage refuses nothing."""
    from prodromal.sources import Source, TableSource

    settings = {"extracted_on": EXTRACTED, "max_rejected": 1.0}
    if form in {"csv", "parquet"}:
        files = {name: next(folder.glob(f"{name}.*")) for name in ("persons", "dispensings")}
        return Source(tuple(TableSource(name, (file,)) for name, file in files.items()), **settings)
    if form == "fhir":
        from prodromal.sources.fhir import Fhir, find_files

        observed = {"observed_from": OBSERVED[0], "observed_to": OBSERVED[1]}
        return Fhir(find_files([folder]), **settings, **observed).source()
    if form == "meds":
        from prodromal.sources.meds import Meds

        return Meds(folder, value="ddd", observed_from=OBSERVED[0], observed_to=OBSERVED[1], **settings).source()
    from prodromal.sources.omop import omop_source

    return omop_source(folder, [], quantity="ddd", **settings)


def _ingest(form: str, folder: Path) -> dict[str, str]:
    from prodromal.errors import ProdromalError
    from prodromal.sources import ingest

    try:
        ingest(source_of(form, folder / "delivery"), folder / "out" / "register", threads=1, memory="256MB")
    except ProdromalError as error:
        return {"ended": "refused", "message": str(error)[:3000]}
    except BaseException as error:  # noqa: BLE001  each is a finding
        return {"ended": f"raised {type(error).__name__}", "traceback": "".join(traceback.format_exc())[-3000:]}
    return {"ended": "published"}


def main() -> None:
    form, folder, first, count, *more = sys.argv[1:]
    if more and more[0]:
        from tests.torture.broken_readers import SABOTAGE

        SABOTAGE[more[0]]()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for number in range(int(first), int(count)):
        seconds = 1 if "hang" in more else CPU_SECONDS
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(time.process_time()) + seconds, resource.RLIM_INFINITY))
        started = time.process_time()
        said = _ingest(form, Path(folder) / str(number))
        print(json.dumps({**said, "seconds": round(time.process_time() - started, 3)}), flush=True)
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        if pages * resource.getpagesize() > _FULL_BYTES and number + 1 < int(count):
            sys.exit(_FULL)


if __name__ == "__main__":
    main()
