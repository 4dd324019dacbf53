"""Readers that are wrong on purpose, each in one way that the trials of malformed files must find."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import prodromal.sources.ingest  # noqa: F401  as a module; the package names a function so
from prodromal.sources import columns, staging
from prodromal.tables import Account

__all__ = ["SABOTAGE"]


def _drop_rejected() -> None:
    """Rejected rows vanish from the account."""
    count = staging.verdicts.count

    def silent(*arguments: Any, **named: Any) -> Account:
        account = count(*arguments, **named)
        lost = sum(account.rejected.values())
        return Account(account.table, account.read - lost, account.kept, account.duplicate, left_out=account.left_out)

    staging.verdicts.count = silent  # type: ignore[assignment]


@contextmanager
def _careless(path: Path, *, replace: bool = False) -> Iterator[Path]:
    path.mkdir(parents=True)
    yield path


def _publish_on_refusal() -> None:
    """A register that was begun appears although it was refused."""
    sys.modules["prodromal.sources.ingest"].atomic_folder = _careless  # type: ignore[attr-defined]


def _lose_rows() -> None:
    """The reader skips a line in a hundred."""
    insert = staging.insert
    staging.insert = lambda *a, **k: insert(*a, **k) + " LIMIT 95"  # type: ignore[assignment]


def _misread() -> None:
    """Numbers come out other than they went in."""
    read = columns.as_number
    columns.as_number = lambda source: f"({read(source)} + 1)"


def _die() -> None:
    staging.find_columns = lambda *_: os.abort()  # type: ignore[assignment]


def _hang() -> None:
    staging.find_columns = lambda *_: [0 for _ in iter(int, 1)]  # type: ignore[assignment]


SABOTAGE: dict[str, Callable[[], None]] = {
    "drop rejected": _drop_rejected,
    "publish on refusal": _publish_on_refusal,
    "lose rows": _lose_rows,
    "misread": _misread,
    "die": _die,
    "hang": _hang,
}
