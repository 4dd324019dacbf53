"""What every test is held to: no global random state, no sockets, seeded examples."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import numpy as np
import pytest
import rich.style  # noqa: F401  it draws from the global random module when imported
from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("suite")

SHARED = Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(autouse=True)
def global_random_state_is_untouched():
    before = random.getstate(), np.random.get_state()  # noqa: NPY002
    yield
    after = random.getstate(), np.random.get_state()  # noqa: NPY002
    assert before[0] == after[0], "a test or the code under test drew from the global random module"
    assert all(np.array_equal(x, y) for x, y in zip(before[1], after[1], strict=True)), "numpy's global state moved"


@pytest.fixture
def shared():
    """The folder of inputs made by strangers; the test skips where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("no folder 'shared' beside the repository")
    return SHARED


@pytest.fixture(autouse=True, scope="session")
def temporary_files_go_with_the_session(tmp_path_factory):
    tempfile.tempdir = str(tmp_path_factory.mktemp("scratch"))
    yield
    tempfile.tempdir = None


@pytest.fixture(scope="session")
def world(tmp_path_factory):
    """Two million simulated people with strong effects, of whom the cases and a few others are in the register."""
    from tests.world import World

    return World.make(tmp_path_factory.mktemp("world"), persons=2_000_000, noncase_fraction=0.005)
