"""Run a benchmark in the repository's own environment, whatever Python the shell found."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def reexec() -> None:
    python = ROOT / ".venv" / "bin" / "python"
    if not python.exists():
        sys.exit("no .venv in the repository: run scripts/test once, which makes it")
    if Path(sys.prefix).resolve() != (ROOT / ".venv").resolve():
        os.execv(python, [str(python), *sys.argv])  # noqa: S606 - the interpreter that scripts/setup made
