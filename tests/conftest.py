"""What every test is held to: no global random state, no connection even if swallowed, seeded examples."""

from __future__ import annotations

import random
import socket
import sys
import tempfile
from ipaddress import ip_address
from pathlib import Path

import numpy as np
import pytest
import pytest_socket
import rich.style  # noqa: F401  it draws from the global random module when imported
from hypothesis import HealthCheck, settings

settings.register_profile(
    "suite", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
settings.load_profile("suite")

SHARED = Path(__file__).resolve().parents[2] / "shared"


_CALLS: list[str] = []
_NAME = socket.gethostname()


def _is_here(host) -> bool:
    """Whether an address is of this machine; None is."""
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else host
    try:
        return text in (None, "", "localhost", _NAME) or ip_address(text.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _listen(event: str, arguments: tuple) -> None:
    if event in {"socket.connect", "socket.sendto"}:
        address = arguments[1]
        # The address of a unix socket is a path.
        if isinstance(address, tuple) and isinstance(address[0], str) and not _is_here(address[0]):
            _CALLS.append(f"{event} {address[0]}")
    elif event in {"socket.getaddrinfo", "socket.gethostbyname"} and not _is_here(arguments[0]):
        _CALLS.append(f"{event} {arguments[0]}")


def _noted(refuse):
    def refuse_and_note(error, *args, **options):
        _CALLS.append(f"a socket, and was refused: {args}")
        refuse(error, *args, **options)

    return refuse_and_note


# The hook hears what passes ``--disable-socket``; what that stops reaches no hook.
sys.addaudithook(_listen)
for _error in (pytest_socket.SocketBlockedError, pytest_socket.SocketConnectBlockedError):
    _error.__init__ = _noted(_error.__init__)


@pytest.fixture(autouse=True)
def nobody_is_called():
    """Fails after an attempt to reach another machine, even one that was refused and swallowed."""
    yield
    called = _CALLS.copy()
    _CALLS.clear()
    assert not called, f"the test, its fixtures or the code under test asked for {called[:5]}"


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
