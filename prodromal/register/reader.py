"""Reading a register: persons whole, dispensings part by part, everything verifiable against the manifest."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prodromal.errors import DataError
from prodromal.files import sha256
from prodromal.register.manifest import MANIFEST, read_manifest
from prodromal.register.parquet import open_parquet, read_table
from prodromal.register.persons import Persons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date

    import numpy.typing as npt
    import pandas as pd
    import pyarrow.parquet as pq

__all__ = ["Part", "Register"]


@dataclass(frozen=True)
class Part:
    """Dispensings of consecutive persons.

    Parameters
    ----------
    path : Path
        Parquet file sorted by person and date.
    rows : int
        Dispensings in it.
    first_person, persons : int
        Row of the first person in the persons table, and number of persons, those without a dispensing included.
    sha256 : str
        Of the file, as the manifest has it.
    """

    path: Path
    rows: int
    first_person: int
    persons: int
    sha256: str

    def read(self, columns: Sequence[str]) -> pa.Table:
        """Read columns, ATC codes as dictionaries."""
        return read_table(self.path, columns, dictionaries=["atc"])


class Register:
    """A register on disk; open one with ``Register.open(folder)``.

    Attributes
    ----------
    folder : Path
        Where it lies.
    manifest : dict
        ``register.json``: files, account of every row, sources, settings; without the codes and months of each part,
        which stand summed up in `codes` and `months`.
    """

    def __init__(self, folder: Path, manifest: dict[str, Any]) -> None:
        self.folder = folder
        self.manifest = manifest
        parts = manifest.get("files", {}).get("dispensings", [])
        self._codes, self._months = (_taken(parts, name) for name in ("codes", "months"))

    @classmethod
    def open(cls, folder: str | Path) -> Register:
        """Open a register.

        Parameters
        ----------
        folder : str or Path
            Folder that holds ``register.json``.

        Raises
        ------
        DataError
            If there is no register, or its manifest is not one of ours or damaged.
        """
        manifest = read_manifest(Path(folder))
        for entry in (entry for files in manifest["files"].values() for entry in files):
            if Path(entry["path"]).is_absolute() or ".." in Path(entry["path"]).parts:
                raise DataError(f"{Path(folder) / MANIFEST} names a file outside the register")
        return cls(Path(folder), manifest)

    @cached_property
    def persons(self) -> Persons:
        """All persons as columns, in the order of their ids."""
        return Persons.from_arrow(self.table("persons"))

    @cached_property
    def rows_per_person(self) -> npt.NDArray[np.int32]:
        """Dispensings of each person, in the order of the persons table."""
        counts: npt.NDArray[np.int32] = self.table("rows_per_person").column("dispensings").to_numpy()
        return counts

    @property
    def parts(self) -> tuple[Part, ...]:
        """The parts of the dispensings, in the order of their persons."""
        return tuple(
            Part(self.folder / e["path"], e["rows"], e["first_person"], e["persons"], e["sha256"])
            for e in self.manifest["files"]["dispensings"]
        )

    @property
    def fingerprint(self) -> str:
        """First 16 hexadecimal digits of the SHA-256 of the manifest, which names the SHA-256 of every file."""
        return sha256(self.folder / MANIFEST)[:16]

    @property
    def codes(self) -> Mapping[str, int]:
        """Dispensings by ATC code, in the order of codes."""
        return self._codes

    @cached_property
    def months(self) -> Mapping[str, int]:
        """Dispensings by month (YYYY-MM), from the first to the last, those without any included."""
        found = self._months
        if not found:
            return found
        first, last = np.datetime64(min(found), "M"), np.datetime64(max(found), "M")
        return {str(month): found.get(str(month), 0) for month in np.arange(first, last + np.timedelta64(1, "M"))}

    @property
    def simulated(self) -> bool:
        """Whether its people are simulated; models trained on it say so in every output."""
        return bool(self.manifest["settings"].get("simulated", False))

    @cached_property
    def is_extract(self) -> bool:
        """Whether people stand for different numbers of others, as the sampling weights of the persons table say."""
        return len(set(self._ends("sampling_weight"))) > 1

    @cached_property
    def last_observed(self) -> date | None:
        """The last day on which anybody was observed; None if nobody was."""
        return max(self._ends("observed_to"), default=None)

    def _ends(self, name: str) -> list[Any]:
        """Smallest and largest value of a column of the persons table in each piece of it, which the file names."""
        found = [one for column, one in self._statistics if column == name and one is not None and one.has_min_max]
        return [end for one in found for end in (one.min, one.max)]

    @cached_property
    def _statistics(self) -> list[tuple[str, pq.Statistics | None]]:
        """What the files of the persons table say of their columns, read once."""
        groups = [group for path in self.verified("persons") for group in _row_groups(path)]
        columns = [group.column(i) for group in groups for i in range(group.num_columns)]
        return [(column.path_in_schema, column.statistics) for column in columns]

    def has(self, table: str) -> bool:
        """Whether the register holds a table."""
        return table in self.manifest["files"]

    def table(self, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a table whole.

        Raises
        ------
        DataError
            If the register does not hold it.
        """
        if not self.has(name):
            raise DataError(f"{self.folder} holds no table {name}; give one to 'prodromal ingest'")
        return pa.concat_tables([read_table(path, columns) for path in self.verified(name)])

    def verified(self, name: str) -> list[Path]:
        """Paths of a table's files, after their size and SHA-256 were found as the manifest has them.

        Raises
        ------
        DataError
            Naming the first file that differs.
        """
        entries = self.manifest["files"][name]
        for entry in entries:
            self._verify(entry)
        return [self.folder / entry["path"] for entry in entries]

    def frame(self, name: str) -> pd.DataFrame:
        """Read a table as a pandas frame."""
        frame: pd.DataFrame = self.table(name).to_pandas(date_as_object=False)
        return frame

    def of_outcome(self, outcome: str) -> pa.Table:
        """Columns ``person_id, outcome, diagnosed_on`` of one outcome, a row a diagnosis.

        Raises
        ------
        DataError
            If the register holds no outcomes.
        """
        table = self.table("outcomes", ["person_id", "outcome", "diagnosed_on"])
        return table.filter(pc.equal(table.column("outcome").cast(pa.string()), outcome))

    def diagnoses(self, outcome: str) -> tuple[Any, Any]:
        """First diagnosis of each person who has the outcome.

        Returns
        -------
        rows : ndarray of int64, shape (n_cases,)
            Rows of the persons table, ascending.
        days : ndarray of int32, shape (n_cases,)
            Days since 1970-01-01.

        Raises
        ------
        DataError
            If nobody has the outcome.
        """
        chosen = self.of_outcome(outcome)
        if not chosen.num_rows:
            known = self.table("outcomes", ["outcome"]).column("outcome")
            names = sorted(known.cast(pa.string()).unique().to_pylist())[:10]
            named = ", ".join(names) or "none"
            raise DataError(f"no person has the outcome '{outcome}'; the register has {named}: name it with --outcome")
        return self.persons.first_days(chosen.column("person_id"), chosen.column("diagnosed_on"))

    def history(self, person_row: int) -> pd.DataFrame:
        """All dispensings of one person, in order: ``dispensed_on, atc, ddd, days_supply, quantity``."""
        part = next(p for p in self.parts if p.first_person <= person_row < p.first_person + p.persons)
        columns = ["dispensed_on", "atc", "ddd", "days_supply", "quantity"]
        table = part.read(["person_id", *columns])
        mine = pc.equal(table.column("person_id"), pa.scalar(_plain(self.persons.ids[person_row])))
        frame: pd.DataFrame = table.filter(mine).select(columns).to_pandas(date_as_object=False)
        return frame

    def verify(self) -> None:
        """Check the size and SHA-256 of every file against the manifest.

        Raises
        ------
        DataError
            Naming the first file that differs.
        """
        for entry in (entry for files in self.manifest["files"].values() for entry in files):
            self._verify(entry)

    def verify_part(self, part: Part) -> None:
        """Check a part of the dispensings against the manifest.

        Raises
        ------
        DataError
            Naming the part, if it is missing or differs.
        """
        if not part.path.is_file():
            raise DataError(f"{part.path} is missing from the register")
        try:
            found = sha256(part.path)
        except OSError as error:
            raise DataError(f"{part.path} cannot be read: {error.strerror}") from error
        if found != part.sha256:
            raise DataError(f"{part.path} differs from the manifest: it was changed or damaged after ingest")

    def _verify(self, entry: Mapping[str, Any]) -> None:
        path = self.folder / entry["path"]
        if not path.is_file():
            raise DataError(f"{path} is missing from the register")
        if path.stat().st_size != entry["bytes"] or sha256(path) != entry["sha256"]:
            raise DataError(f"{path} differs from the manifest: it was changed or damaged after ingest")


def _row_groups(path: Path) -> list[pq.RowGroupMetaData]:
    with open_parquet(path) as file:
        return [file.metadata.row_group(i) for i in range(file.metadata.num_row_groups)]


def _plain(value: Any) -> Any:
    return value.item() if hasattr(value, "item") else value


def _taken(parts: list[dict[str, Any]], name: str) -> dict[str, int]:
    """Counts of all parts together, taken out of each: a nation's parts would hold many megabytes."""
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part.pop(name, {}))
    return dict(sorted(total.items()))
