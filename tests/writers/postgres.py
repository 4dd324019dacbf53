"""A PostgreSQL server of one's own: made under a folder, listening on a socket in it, gone at the end."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest

__all__ = ["Postgres", "postgres"]

_PLACES = ("/usr/lib/postgresql/*/bin", "/usr/local/pgsql/bin", "/opt/homebrew/opt/postgresql*/bin")
PASSWORD = "s3cret/p@ss"


def _tools() -> Path:
    if found := shutil.which("initdb"):
        return Path(found).parent
    for pattern in _PLACES:
        root = Path("/")
        for place in sorted(root.glob(pattern[1:]), reverse=True):
            if (place / "initdb").is_file():
                return place
    pytest.skip("no PostgreSQL server is installed (initdb)")


class Postgres:
    """A running server."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket

    def uri(self, user: str = "owner", password: str = PASSWORD, database: str = "postgres") -> str:
        return f"postgresql://{quote(user)}:{quote(password, safe='')}@/{database}?host={self.socket}"


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Start a server with password authentication; skip where there is none."""
    pytest.importorskip("adbc_driver_postgresql")
    tools = _tools()
    # A path to a socket has at most about 100 characters; a folder of pytest's may be longer.
    with tempfile.TemporaryDirectory(prefix="pg", dir="/tmp") as name:
        folder = Path(name)
        run = _as_nobody(folder)
        (folder / "password").write_text(PASSWORD)
        (folder / "password").chmod(0o644)
        data = folder / "data"
        run([tools / "initdb", "-D", data, "-U", "owner", "-A", "scram-sha-256", "--pwfile", folder / "password", "-N"])
        options = f"-k {folder} -c listen_addresses= -c fsync=off"
        run([tools / "pg_ctl", "-D", data, "-l", folder / "log", "-w", "-o", options, "start"])
        try:
            yield Postgres(folder)
        finally:
            run([tools / "pg_ctl", "-D", data, "-m", "immediate", "stop"])


def _as_nobody(folder: Path):
    """How to run the tools: the server refuses to run as root."""
    prefix = []
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("PostgreSQL does not run as root, and there is no setpriv")
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
        os.chown(folder, 65534, 65534)

    def run(command: list[str | Path]) -> None:
        done = subprocess.run(
            [*prefix, *map(str, command)],
            capture_output=True,
            text=True,
            check=False,
            cwd=folder,
            timeout=60,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout + done.stderr

    return run
