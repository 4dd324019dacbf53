"""A part of a shared register as an executor finds it: its persons, its index dates, and where to write."""

from __future__ import annotations

import platform
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import TYPE_CHECKING, Any

import numpy as np

from prodromal.distributed.rows import read_rows
from prodromal.errors import DataError, OutputError
from prodromal.features.index_dates import Asked, Everyone
from prodromal.files import sha256
from prodromal.register import Persons, Register
from prodromal.register.persons import UNKNOWN_DAY, to_days

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from prodromal.features import IndexFile

__all__ = ["Shared", "asked_of", "id_type", "new_attempts", "private_folder", "slices_of"]


@dataclass(frozen=True)
class Shared:
    """A register and index dates on storage that every executor sees, as plain values.

    Parameters
    ----------
    register, register_fingerprint : str
        Folder, and what it must be.
    day : int or None
        Everyone on this day, in days since 1970-01-01.
    dates, dates_sha256 : str
        Else the sorted file of index dates, and what it must be.
    attempts : str
        Folder for what tasks have not finished.
    """

    register: str
    register_fingerprint: str
    day: int | None
    dates: str
    dates_sha256: str
    attempts: str

    @classmethod
    def of(cls, register: Register, dates: Everyone | IndexFile, attempts: Path) -> Shared:
        """Describe what the driver has opened."""
        folder, place = str(register.folder.absolute()), str(attempts.absolute())
        if isinstance(dates, Everyone):
            return cls(folder, register.fingerprint, dates.day, "", "", place)
        return cls(folder, register.fingerprint, None, str(dates.path.absolute()), dates.fingerprint(), place)

    def open(self) -> Register:
        """The register, if it is the driver's; opened once for all parts of a worker."""
        return _opened(self.register, self.register_fingerprint)

    def dates_path(self) -> Path:
        """The file of index dates, if it is the driver's."""
        return _dates(self.dates, self.dates_sha256)


def slices_of(register: Register, dates: Everyone | IndexFile) -> list[tuple[int, int, int]]:
    """For each part with index dates: its place in the register, its first index date, and how many it has."""
    if isinstance(dates, Everyone):
        return [(n, part.first_person, part.persons) for n, part in enumerate(register.parts) if part.persons]
    places = {part.path: n for n, part in enumerate(register.parts)}
    return [(places[a.part.path], int(a.position[0]), len(a.position)) for a in dates.by_part(register)]


def asked_of(shared: Shared, slice_: tuple[int, int, int]) -> Asked:
    """The index dates of a part, as ``by_part`` of the dates gives them on one machine.

    Raises
    ------
    DataError
        If a table of the register or the index dates are missing, or differ from what the driver has.
    """
    number, first, count = slice_
    part = shared.open().parts[number]
    people = Persons.from_arrow(_table(shared, "persons", part.first_person, part.persons))
    counts = _table(shared, "rows_per_person", part.first_person, part.persons)
    rows = counts.column("dispensings").to_numpy()
    position = np.arange(first, first + count)
    if shared.day is not None:
        person, day = np.arange(len(people)), np.full(len(people), shared.day, dtype=np.int32)
        return Asked(part, people, rows, position, person, day)
    asked = read_rows((shared.dates_path(),), first, count, columns=["person_id", "index_date"])
    person = people.rows(asked.column("person_id").to_numpy())
    return Asked(part, people, rows, position, person, to_days(_days(asked.column("index_date")), UNKNOWN_DAY))


def id_type(people: Persons) -> pa.DataType:
    """The Arrow type of people's ids, also where there are none."""
    import pyarrow as pa

    return pa.int64() if people.ids.dtype.kind == "i" else pa.string()


def new_attempts(folder: Path) -> Path:
    """A folder for what tasks have not finished; its name is new, so that no task of an older job finds it."""
    return Path(mkdtemp(prefix=".attempts-", dir=folder))


@contextmanager
def private_folder(attempts: str) -> Iterator[Path]:
    """A folder that no other attempt at the same task writes to.

    Raises
    ------
    OutputError
        If the executor does not see the folder of attempts, or may not write there.
    """
    try:
        made = TemporaryDirectory(dir=attempts, ignore_cleanup_errors=True)
    except OSError as error:
        raise OutputError(
            f"executor {platform.node()} cannot write to {Path(attempts).parent} ({error.strerror}): the output must "
            "lie on storage that every executor may write to"
        ) from error
    with made as folder:
        yield Path(folder)


@lru_cache(maxsize=4)
def _opened(folder: str, fingerprint: str) -> Register:
    if not Path(folder).is_dir():
        raise DataError(
            f"executor {platform.node()} does not see {folder}: the register must lie on storage that all share"
        )
    register = Register.open(folder)
    if register.fingerprint != fingerprint:
        raise DataError(f"executor {platform.node()} sees another register in {folder} than the driver")
    return register


@lru_cache(maxsize=16)
def _verified(shared: Shared, name: str) -> tuple[Path, ...]:
    return tuple(shared.open().verified(name))


def _table(shared: Shared, name: str, first: int, count: int) -> pa.Table:
    return read_rows(_verified(shared, name), first, count)


@lru_cache(maxsize=4)
def _dates(path: str, fingerprint: str) -> Path:
    if not Path(path).is_file() or sha256(Path(path)) != fingerprint:
        raise DataError(f"executor {platform.node()} sees no {path}, or another one than the driver")
    return Path(path)


def _days(column: Any) -> Any:
    import pyarrow as pa

    return column.cast(pa.date32())
