"""Peak memory of scoring with ten times the people."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from tests.torture.small import deliver, make_bundle, make_register

__all__ = ["memory_is_bounded"]

_PEOPLE, _ROWS_PER_PERSON, _ROWS_PER_PART = 30_000, 8, 20_000
_MOST_GROWTH, _MOST_MB = 1.10, 600
_PEAK = """
import sys
from pathlib import Path
from prodromal.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
status = Path("/proc/self/status").read_text().splitlines()
print(next(line for line in status if line.startswith("VmHWM")).split()[1])
"""


def memory_is_bounded(trials: int, seed: int) -> tuple[int, int]:
    """Everyone scored and explained on the command line: at most 1.10 times the peak, and below 600 MB."""
    failures = 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for size in (1, 10):
            deliver(folder / f"d{size}", persons=_PEOPLE * size, rows_per_person=_ROWS_PER_PERSON, seed=seed)
            make_register(folder / f"d{size}", folder / f"r{size}", rows_per_part=_ROWS_PER_PART)
        bundle = make_bundle(make_register(folder / "d1", folder / "again", rows_per_part=_ROWS_PER_PART), folder / "b")
        for trial in range(trials):
            one, ten = (_peak_mb(folder / f"r{size}", bundle, folder / f"{trial}-{size}.parquet") for size in (1, 10))
            failures += ten > _MOST_GROWTH * one or ten > _MOST_MB
    return trials, failures


def _peak_mb(register: Path, bundle: Path, output: Path) -> float:
    asked = ["score", register, bundle, "--on", "2018-01-01", "--explain", "3", "--output", output, "--threads", "2"]
    done = subprocess.run([sys.executable, "-c", _PEAK, *map(str, asked)], check=True, capture_output=True, text=True)
    return int(done.stdout.splitlines()[-1]) / 1024
