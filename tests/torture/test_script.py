"""``scripts/torture`` counts what it says: promises kept by tests have trials, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_promises_kept_by_tests_and_by_trials_are_both_counted(tmp_path):
    told = tmp_path / "told.json"
    names = ["nothing_phones_home", "explanations_add_up"]
    command = [sys.executable, ROOT / "scripts" / "torture", "--quick", "--json", told, "--only", *names]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(told.read_text())
    assert found.keys() == set(names)
    assert all(one["trials"] > 0 and one["failures"] == 0 for one in found.values())
