"""Build the wheel and check that it holds the package and nothing else."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        (wheel,) = Path(folder).glob("*.whl")
        names = set(zipfile.ZipFile(wheel).namelist())
    packed = {name for name in names if not name.split("/")[0].endswith(".dist-info")}
    tracked = subprocess.run(["git", "ls-files", "prodromal"], cwd=ROOT, check=True, capture_output=True, text=True)
    expected = set(tracked.stdout.split())
    if packed != expected:
        sys.exit(f"the wheel lacks {sorted(expected - packed)[:5]} and has extra {sorted(packed - expected)[:5]}")
    print(f"wheel: {len(packed)} files, prodromal alone")


if __name__ == "__main__":
    main()
