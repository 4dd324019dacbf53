"""The persons of one part and how many dispensings each has: cut from memory, or read as far as the part goes."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from prodromal.errors import DataError
from prodromal.features.arrow import identifiers, numbers
from prodromal.register.parquet import read_batches
from prodromal.register.persons import NEVER, SEXES, UNKNOWN_DAY, Persons

if TYPE_CHECKING:
    from collections.abc import Iterator

    from prodromal.register import Part, Register

__all__ = ["people_of", "stream_people"]

_READ = ("person_id", "sex", "birth_date", "observed_from", "observed_to", "death_date")
_UNKNOWN_SEX = SEXES.index("U")


def people_of(register: Register, part: Part) -> tuple[Persons, npt.NDArray[np.int32]]:
    """The persons of a part and the dispensings of each, cut from all of them."""
    rows = slice(part.first_person, part.first_person + part.persons)
    columns: dict[str, Any] = {field.name: getattr(register.persons, field.name)[rows] for field in fields(Persons)}
    return Persons(**columns), register.rows_per_person[rows]


def stream_people(register: Register) -> Iterator[tuple[Part, Persons, npt.NDArray[np.int32]]]:
    """Each part that has persons, with them and the dispensings of each.

    Only what features need is read: no weights or regions.

    Raises
    ------
    DataError
        If a table is damaged or has fewer rows than the parts need.
    """
    parts = [part for part in register.parts if part.persons]
    sizes = [part.persons for part in parts]
    persons = _pieces(register, "persons", _READ, sizes)
    counts = _pieces(register, "rows_per_person", ("dispensings",), sizes)
    for part, people, rows in zip(parts, persons, counts, strict=True):
        yield part, _persons(people), numbers(_one(rows.column("dispensings")), np.int32, 0)


def _pieces(register: Register, name: str, columns: tuple[str, ...], sizes: list[int]) -> Iterator[pa.Table]:
    """A table cut into pieces of given sizes, read as far as each needs."""
    batches = (batch for path in register.verified(name) for batch in read_batches(path, columns))
    held: list[pa.RecordBatch] = []
    for size in sizes:
        while (rows := sum(batch.num_rows for batch in held)) < size:
            batch = next(batches, None)
            if batch is None:
                raise DataError(f"{register.folder}: table {name} has {size - rows} rows too few")
            held.append(batch)
        table = pa.Table.from_batches(held)
        yield table.slice(0, size).combine_chunks()
        held = table.slice(size).to_batches()


def _persons(table: pa.Table) -> Persons:
    rows = table.num_rows
    column = {name: _one(table.column(name)) for name in table.column_names}
    sexes = column["sex"] if pa.types.is_dictionary(column["sex"].type) else column["sex"].dictionary_encode()
    places = np.array([*(SEXES.index(word) for word in sexes.dictionary.to_pylist()), _UNKNOWN_SEX], dtype=np.int8)
    codes = numbers(sexes.indices.cast(pa.int32()), np.int32, -1)
    return Persons(
        ids=identifiers(column["person_id"]),
        sex=places[codes],
        birth=numbers(column["birth_date"], np.int32, int(UNKNOWN_DAY)),
        observed_from=numbers(column["observed_from"], np.int32, int(UNKNOWN_DAY)),
        observed_to=numbers(column["observed_to"], np.int32, int(NEVER)),
        death=numbers(column["death_date"], np.int32, int(NEVER)),
        weight=np.ones(rows),
        region=np.full(rows, "", dtype=object),
    )


def _one(column: pa.ChunkedArray) -> pa.Array:
    whole = column.combine_chunks()
    return whole if isinstance(whole, pa.Array) else whole.chunk(0)
