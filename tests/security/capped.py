"""A child process with little memory and time that loads bundles nobody vouches for and says how each ended.

Run as ``python -m tests.security.capped FOLDER FIRST``: loads ``FOLDER/FIRST``, ``FOLDER/FIRST+1``, ... and prints a
line for each: refused, harmless (it loads, we and XGBoost score it alike, every score is finite), or what else it did.
"""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path

import numpy as np

__all__ = ["outcomes"]

MEMORY_BYTES, CPU_SECONDS = 4 << 30, 300
ROOT = Path(__file__).resolve().parents[2]


def outcomes(folder: Path, count: int) -> list[str]:
    """How the loading of each of ``folder/0 .. folder/count-1`` ended; a child that dies is followed by another."""
    found: list[str] = []
    while len(found) < count:
        command = [sys.executable, "-m", "tests.security.capped", str(folder), str(len(found))]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=CPU_SECONDS + 60, check=False)
        found += done.stdout.splitlines()
        if len(found) < count:
            found.append(f"died ({done.returncode})")
    return found


def _load(bundle: Path, rows) -> str:
    from prodromal.errors import BundleError
    from prodromal.risk import load
    from prodromal.trees import code_rows

    try:
        model = load(bundle)
    except BundleError:
        return "refused"
    if len(model.plan.features) != rows.shape[1]:
        return "another number of features"
    margin = model.booster.inplace_predict(rows, predict_type="margin")
    if model.predictor is not None:
        own = model.predictor.margins(code_rows(model.predictor.book, rows, once=True))
        if own.tobytes() != margin.tobytes():
            return "read by us otherwise than by XGBoost"
    score = model.slope * margin.astype(float)
    score += model.offset(np.full(len(rows), 60), np.arange(len(rows)) % 3)
    years = {"age_years": np.full(len(rows), 60), "sex": np.arange(len(rows)) % 3}
    risk = model.population.risk(
        score, **years, lag_days=model.outcome.lag_days, horizon_days=model.outcome.horizon_days
    )
    fine = np.isfinite(score).all() and np.isfinite(np.exp(score)).all() and ((risk >= 0) & (risk <= 1)).all()
    return "harmless" if fine else "scores that are no numbers"


def main() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    folder, number = Path(sys.argv[1]), int(sys.argv[2])
    rng = np.random.default_rng(0)
    rows = rng.integers(-5, 400, (200, 236)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.3] = np.nan
    rows[:2] = [[np.inf], [-np.inf]]
    while (folder / str(number)).exists():
        try:
            end = _load(folder / str(number), rows)
        except Exception as error:  # noqa: BLE001  every end is told
            end = f"{type(error).__name__}: {error}".splitlines()[0]
        print(end, flush=True)
        number += 1


if __name__ == "__main__":
    main()
