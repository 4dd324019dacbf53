"""Scoring a register in streamed blocks, with an account of everyone who was asked for."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.errors import DataError, NotEstimable
from prodromal.features import FeatureMatrix, iterate
from prodromal.features.index_dates import IndexDates
from prodromal.files import atomic_file
from prodromal.register.persons import UNKNOWN_DAY

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from prodromal.register import Register
    from prodromal.risk.model import RiskModel

__all__ = ["ScoringAccount", "score_register"]

Reasons = Callable[[FeatureMatrix], "pd.DataFrame"]


@dataclass(frozen=True)
class ScoringAccount:
    """``asked = scored + sum(refused.values())``, checked at construction."""

    asked: int
    scored: int
    refused: dict[str, int]

    def __post_init__(self) -> None:
        if self.scored + sum(self.refused.values()) != self.asked:
            raise DataError(f"{self.asked} rows were asked for, but {self.scored} scored and {self.refused} refused")


def score_register(
    model: RiskModel,
    register: Register,
    dates: IndexDates,
    output: Path,
    *,
    reasons: Reasons | None = None,
    provenance: dict[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScoringAccount:
    """Score people at index dates into a Parquet file, block by block.

    Parameters
    ----------
    model : RiskModel
        What scores.
    register : Register
        Whose people.
    dates : IndexDates
        Who is scored when.
    output : Path
        File; it appears complete or not at all. Rows come in the order of persons, then index dates.
    reasons : callable, optional
        Makes columns ``reason_1..k`` from a matrix.
    provenance : dict, optional
        Written into the file's metadata.
    progress : callable, optional
        Called with rows done and in all.

    Returns
    -------
    ScoringAccount

    Raises
    ------
    NotEstimable
        If nobody can be scored.
    """
    asked = len(dates)
    chosen, refused = refuse(register, dates)
    if not len(chosen):
        raise NotEstimable(f"none of the {asked} people asked for can be scored ({_list(refused)})")
    done = 0
    with atomic_file(output) as partial:
        writer: pq.ParquetWriter | None = None
        try:
            for _, matrix in iterate(model.plan, register, chosen):
                frame = model.score(matrix, register.persons)
                if reasons is not None:
                    frame = frame.join(reasons(matrix))
                table = pa.Table.from_pandas(frame, preserve_index=False)
                if writer is None:
                    schema = table.schema.with_metadata({f"prodromal.{k}": v for k, v in (provenance or {}).items()})
                    writer = pq.ParquetWriter(partial, schema, compression="zstd", write_page_checksum=True)
                writer.write_table(table.cast(writer.schema))
                done += len(frame)
                if progress:
                    progress(done, len(chosen))
        finally:
            if writer is not None:
                writer.close()
    return ScoringAccount(asked, done, refused)


def refuse(register: Register, dates: IndexDates) -> tuple[IndexDates, dict[str, int]]:
    """Split off those who cannot be scored: unknown, unborn, dead, without birth date, or not yet observed."""
    people = register.persons
    rows = np.maximum(dates.person_row, 0)
    checks: tuple[tuple[str, npt.NDArray[np.bool_]], ...] = (
        ("unknown_person", dates.person_row < 0),
        ("no_birth_date", people.birth[rows] == UNKNOWN_DAY),
        ("not_born", people.birth[rows] > dates.day),
        ("dead", people.death[rows] <= dates.day),
        ("not_observed", people.observed_from[rows] >= dates.day),
    )
    remaining = np.ones(len(dates), dtype=bool)
    refused = {}
    for reason, mask in checks:
        if count := int((remaining & mask).sum()):
            refused[reason] = count
        remaining &= ~mask
    return IndexDates(dates.person_row[remaining], dates.day[remaining]), refused


def _list(refused: dict[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in refused.items()) or "nobody was asked for"
