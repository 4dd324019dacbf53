"""One look at a whole dataset: its columns, codes and subjects, and whether it is laid out as MEDS demands."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from prodromal.errors import DataError
from prodromal.register.parquet import UNREADABLE, open_parquet
from prodromal.sources.meds.vocabulary import EXTENSIONS
from prodromal.sources.pages import verify_pages

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import numpy.typing as npt

__all__ = ["Survey", "survey"]

_BATCH_ROWS = 262_144
_ALWAYS = np.int64(-(2**63))
_DAY_US = 86_400_000_000
_TEXT = (pa.string(), pa.large_string(), pa.string_view())


@dataclass(frozen=True)
class Survey:
    """What a dataset holds.

    Parameters
    ----------
    files : tuple of Path
        In the order of their paths.
    subjects : pyarrow.Table
        ``subject_id``, ``file`` (place in `files`), ``row`` (1-based, of the first event); a row each.
    codes : mapping of str to int
        Events by code.
    columns : mapping of str to DataType
        All columns of all files.
    timed : bool
        Whether any event has a time of day.
    """

    files: tuple[Path, ...]
    subjects: pa.Table
    codes: Mapping[str, int]
    columns: Mapping[str, Any]
    timed: bool

    @property
    def events(self) -> int:
        """Rows in all files."""
        return sum(self.codes.values())

    def matching(self, asked: Iterable[str]) -> tuple[str, ...]:
        """Codes of the dataset that are asked for; one that ends in ``*`` asks for all that begin so."""
        wanted = tuple(asked)
        beginnings = tuple(code[:-1] for code in wanted if code.endswith("*"))
        return tuple(sorted(code for code in self.codes if code in wanted or code.startswith(beginnings)))


def survey(folder: Path) -> Survey:
    """Read the columns ``subject_id``, ``time`` and ``code`` of every file under ``data``.

    Raises
    ------
    DataError
        If there are no files, a column is missing or of another type, an id or code is missing, or a subject is in two
        files, not contiguous, or not sorted by time.
    """
    files = tuple(sorted((folder / "data").rglob("*.parquet")))
    if not files:
        raise DataError(f"{folder} is no MEDS dataset: it has no Parquet file under {folder / 'data'}")
    if patterns := sum(1 for file in files if set("*?[") & set(str(file))):
        raise DataError(f"{folder}: {patterns} paths of files hold *, ? or [, which may stand for others; rename them")
    columns: dict[str, Any] = {}
    codes: Counter[str] = Counter()
    starts, timed = [], False
    for number, file in enumerate(files):
        reading = _FileReading(file)
        columns |= reading.columns
        reading.read()
        codes += reading.codes
        timed |= reading.timed
        starts.append(reading.subjects(number))
    subjects = pa.concat_tables(starts)
    repeated = len(subjects) - len(pc.unique(subjects.column("subject_id")))
    if repeated:
        raise DataError(
            f"{folder}: {repeated} of {len(subjects) - repeated} subjects are in several files; MEDS keeps a subject "
            "in one file, so merge the files by subject_id"
        )
    return Survey(files, subjects, codes, columns, timed)


class _FileReading:
    def __init__(self, file: Path) -> None:
        self.file = file
        self.codes: Counter[str] = Counter()
        self.timed = False
        self._ids: list[npt.NDArray[np.int64]] = []
        self._rows: list[npt.NDArray[np.int64]] = []
        self._last: tuple[int, int] | None = None
        verify_pages(file)
        with open_parquet(file) as opened:
            schema = opened.schema_arrow
        self.columns = dict(zip(schema.names, schema.types, strict=True))
        if len(self.columns) < len(schema.names):
            raise DataError(f"{file} names a column twice")
        self._require("subject_id", (pa.int64(),), "int64")
        self._require("time", (pa.timestamp("us"),), "timestamp[us] without time zone")
        self._require("code", _TEXT, "string")
        number = self.columns.get("numeric_value", pa.float32())
        if not (pa.types.is_floating(number) or pa.types.is_integer(number) or pa.types.is_decimal(number)):
            raise DataError(f"{file}: column numeric_value is {number}; MEDS has float32")
        for name, fits in EXTENSIONS.items():
            kind = self.columns.get(name)
            if kind is not None and not any(fit(kind) for fit in fits):
                raise DataError(f"{file}: column {name} is {kind}, from which {name} cannot be read")

    def _require(self, name: str, types: Iterable[Any], wanted: str) -> None:
        kind = self.columns.get(name)
        if kind is None:
            raise DataError(f"{self.file}: no column {name}; it has {', '.join(list(self.columns)[:20])}")
        plain = kind.value_type if pa.types.is_dictionary(kind) else kind
        if plain not in types:
            raise DataError(f"{self.file}: column {name} is {kind}; MEDS has {wanted}")

    def read(self) -> None:
        try:
            self._look_through()
        except UNREADABLE as error:
            raise DataError(f"{self.file} is damaged: its events cannot be decoded") from error

    def _look_through(self) -> None:
        row, unsorted = 1, 0
        for batch in self._batches():
            if missing := batch.column("subject_id").null_count + batch.column("code").null_count:
                raise DataError(f"{self.file}: {missing} events have no subject_id or no code; MEDS allows neither")
            try:
                self.codes.update(_counts(batch.column("code")))
            except UnicodeDecodeError as error:
                raise DataError(f"{self.file} is damaged: a code is not UTF-8") from error
            ids = batch.column("subject_id").to_numpy()
            times = pc.fill_null(batch.column("time").cast(pa.int64()), int(_ALWAYS)).to_numpy()
            unsorted += self._follow(ids, times, row)
            row += len(ids)
        if unsorted:
            raise DataError(
                f"{self.file}: {unsorted} of {row - 1} events lie before the event above them; MEDS sorts the events "
                "of a subject by time, those without one first"
            )
        ids = np.concatenate([np.empty(0, np.int64), *self._ids])
        if split := len(ids) - len(np.unique(ids)):
            raise DataError(f"{self.file}: {split} times the events of a subject go on below those of another; sort it")

    def _batches(self) -> Iterable[pa.RecordBatch]:
        with open_parquet(self.file, dictionaries=["code"]) as opened:
            yield from opened.iter_batches(_BATCH_ROWS, columns=["subject_id", "time", "code"], use_threads=False)

    def _follow(self, ids: npt.NDArray[np.int64], times: npt.NDArray[np.int64], row: int) -> int:
        if not len(ids):
            return 0
        before_id = np.concatenate([ids[:1] if self._last is None else [self._last[0]], ids[:-1]])
        before = np.concatenate([times[:1] if self._last is None else [self._last[1]], times[:-1]])
        new = ids != before_id
        new[0] |= self._last is None
        self._ids.append(ids[new])
        self._rows.append(np.flatnonzero(new) + row)
        self._last = int(ids[-1]), int(times[-1])
        self.timed = self.timed or bool(((times != _ALWAYS) & (times % _DAY_US != 0)).any())
        return int((~new & (times < before)).sum())

    def subjects(self, number: int) -> pa.Table:
        ids, rows = (np.concatenate([np.empty(0, np.int64), *found]) for found in (self._ids, self._rows))
        return pa.table({"subject_id": ids, "file": np.full(len(ids), number, np.int32), "row": rows})


def _counts(codes: Any) -> dict[str, int]:
    counted = pc.value_counts(codes)
    values = counted.field("values")
    decoded = values.dictionary_decode() if pa.types.is_dictionary(values.type) else values
    return dict(zip(decoded.to_pylist(), counted.field("counts").to_pylist(), strict=True))
