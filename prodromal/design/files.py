"""Cohorts as files: Parquet with the question and the attrition in its metadata."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.design.cohort import Cohort, Origin, Outcome
from prodromal.errors import DataError
from prodromal.files import atomic_file
from prodromal.register.parquet import UNREADABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["read_cohort", "read_origin", "write_cohort"]

_KEY = b"prodromal.cohort"
_NEEDED = ("person_id", "person_row", "index_date", "sex", "age_years", "event", "time_days", "weight", "family")


def write_cohort(
    cohort: Cohort, path: Path, *, register: str, simulated: bool = False, splits: Mapping[str, str] | None = None
) -> None:
    """Write a cohort.

    Parameters
    ----------
    cohort : Cohort
    path : Path
    register, simulated, splits
        Where its people come from, see ``Origin``.
    """
    facts = {
        "outcome": asdict(cohort.outcome),
        "attrition": cohort.attrition.to_dict("records"),
        "register": register,
        **({"simulated": True} if simulated else {}),
        **({"splits": dict(splits)} if splits else {}),
    }
    table = pa.Table.from_pandas(cohort.frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEY: json.dumps(facts).encode()})
    with atomic_file(path) as partial:
        pq.write_table(table, partial, compression="zstd", write_page_checksum=True)


def read_cohort(path: Path, *, register: str | None = None) -> Cohort:
    """Read a cohort.

    Parameters
    ----------
    path : Path
        File from ``write_cohort``.
    register : str, optional
        Fingerprint of the register that it must have been drawn from.

    Raises
    ------
    DataError
        If the file is missing, no cohort, or was drawn from another register.
    """
    try:
        table = pq.read_table(path, page_checksum_verification=True)
    except UNREADABLE as error:
        raise DataError(f"{path} is missing or no readable Parquet file") from error
    facts = _facts(table.schema, path)
    if missing := [name for name in _NEEDED if name not in table.column_names]:
        raise DataError(f"{path}: the cohort has no column {', '.join(missing)}")
    if register is not None and facts["register"] != register:
        raise DataError(f"{path} was drawn from another register ({facts['register']}, this one is {register})")
    import pandas as pd

    return Cohort(table.to_pandas(), Outcome(**facts["outcome"]), pd.DataFrame(facts["attrition"]), Origin.of(facts))


def read_origin(path: Path) -> Origin:
    """Read where the people of a cohort come from.

    Raises
    ------
    DataError
        If the file is missing or no cohort.
    """
    try:
        schema = pq.read_schema(path)
    except UNREADABLE as error:
        raise DataError(f"{path} is missing or no readable Parquet file") from error
    return Origin.of(_facts(schema, path))


def _facts(schema: pa.Schema, path: Path) -> dict[str, Any]:
    try:
        facts: dict[str, Any] = json.loads((schema.metadata or {})[_KEY])
    except (KeyError, ValueError) as error:
        raise DataError(f"{path} is no cohort; make one with 'prodromal cohort'") from error
    return facts
