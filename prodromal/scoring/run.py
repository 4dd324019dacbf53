"""Scoring a register: parts side by side, each noted when it is done; then one file, with an account of everyone."""

from __future__ import annotations

import csv
import io
import math
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prodromal import __version__
from prodromal.errors import NotEstimable, OutputError
from prodromal.features.ahead import ahead, pool
from prodromal.features.arrow import column_of
from prodromal.features.index_dates import IndexDates
from prodromal.files import atomic_file, sweep, write_text
from prodromal.scoring.account import ScoringAccount
from prodromal.scoring.diagnosed import Diagnosed
from prodromal.scoring.drift import Drift, Seen, drift_table
from prodromal.scoring.journal import Journal, PartDone
from prodromal.scoring.refusal import last_day, refuse_of_part, refuse_unknown
from prodromal.scoring.scorer import Scorer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

    from prodromal.features.index_dates import Asked, Dates
    from prodromal.register import Register
    from prodromal.risk import RiskModel

__all__ = ["PartWork", "drift_beside", "score_register"]

_POSITION = "position"


def score_register(
    model: RiskModel,
    register: Register,
    dates: Dates,
    output: Path,
    *,
    reasons: int = 0,
    threads: int = 1,
    provenance: Mapping[str, str] | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> ScoringAccount:
    """Score people at index dates into a Parquet file.

    Parameters
    ----------
    model : RiskModel
        What scores.
    register : Register
        Whose people.
    dates : Dates
        Who is scored when; rows keep their order. ``Everyone`` and ``IndexFile`` need memory for a few parts only.
    output : Path
        File; appears complete or not at all. Until then finished parts wait in a folder beside it, and the same job
        started again makes only those that are missing. ``NAME.drift.csv`` beside it is ``drift_table``.
    reasons : int
        How many columns ``reason_1..`` stand beside each risk.
    threads : int
        Parts that are worked on at the same time; the bytes of the output do not depend on it.
    provenance : mapping, optional
        Written into the file's metadata.
    progress : callable, optional
        Called with parts done and in all.

    Returns
    -------
    ScoringAccount

    Raises
    ------
    DataError
        If a part of the register is damaged; the message names it.
    NotEstimable
        If nobody can be scored.
    OutputError
        If the output cannot be written, or another run is writing it.
    """
    facts = {f"prodromal.{name}": value for name, value in (provenance or {}).items()}
    unknown: dict[str, int] = {}
    is_ordered = not isinstance(dates, IndexDates)
    if isinstance(dates, IndexDates):
        asked_for = len(dates)
        dates, unknown = refuse_unknown(dates)
        if not len(dates):
            raise NotEstimable(f"none of the {asked_for} people asked for can be scored ({_list(unknown)})")
    work = PartWork(register, Scorer(model, reasons=reasons), with_position=not is_ordered)
    job = {
        "prodromal": __version__,
        "provenance": facts,
        "model": model.fingerprint,
        "register": register.fingerprint,
        "dates": dates.fingerprint(),
        "reasons": reasons,
    }
    with Journal.open(output, job) as journal:
        for path in (output, drift_beside(output)):
            sweep(path)
        parts = _score_parts(work, journal, dates, threads, progress)
        of_parts = [part.account for part in parts.values()]
        account = ScoringAccount.total([ScoringAccount(sum(unknown.values()), 0, unknown), *of_parts])
        if account.scored:
            _write_drift(work, [part.seen for part in parts.values()], account.scored, drift_beside(output))
            with_people = [number for number, part in parts.items() if part.account.scored]
            with pool(threads) as executor:
                tables = _in_order(journal, with_people, executor) if is_ordered else _by_position(journal, with_people)
                _publish(tables, output, facts)
        journal.drop()
    if not account.scored:
        raise NotEstimable(f"none of the {account.asked} people asked for can be scored ({_list(account.refused)})")
    return account


@dataclass(frozen=True)
class PartWork:
    """What it takes to score a part."""

    register: Register
    scorer: Scorer
    with_position: bool

    @cached_property
    def _diagnosed(self) -> Diagnosed | None:
        return Diagnosed.of(self.register, self.scorer.model.outcome.name)

    @cached_property
    def _last_day(self) -> int:
        return last_day(self.register)

    def score(self, journal: Journal, number: int, asked: Asked) -> PartDone:
        """Score a part into the journal."""
        self.register.verify_part(asked.part)
        kept, refused = refuse_of_part(asked, self._diagnosed, self._last_day)
        account = ScoringAccount(len(asked.day), len(kept.day), refused)
        with journal.writing(number, self._schema(kept)) as writer:
            seen = self._write(kept, writer)
        done = PartDone(account, seen)
        journal.finish_part(number, done)
        return done

    def _schema(self, kept: Asked) -> pa.Schema:
        schema = self.scorer.schema(pa.int64() if kept.people.ids.dtype.kind == "i" else pa.string())
        return schema.append(pa.field(_POSITION, pa.int64())) if self.with_position else schema

    def _write(self, kept: Asked, writer: pa.RecordBatchStreamWriter) -> Seen:
        whole = Seen.total(len(self.scorer.use_names), [])
        if not len(kept.day):
            return whole
        history = self.scorer.builder.reader.read(kept.part, kept.rows)
        row = 0
        for table, seen in self.scorer.score(kept.people, history, kept.person, kept.day):
            whole += seen
            places = column_of(kept.position[row : row + len(table)])
            writer.write_table(table.append_column(_POSITION, places) if self.with_position else table)
            row += len(table)
        return whole


def _score_parts(
    work: PartWork, journal: Journal, dates: Dates, threads: int, progress: Callable[[int, int], None] | None
) -> dict[int, PartDone]:
    parts = len(work.register.parts)
    finished: dict[int, PartDone] = {}
    with pool(threads) as executor:
        jobs = _jobs(work, journal, dates)
        for done, (number, part) in enumerate(ahead(executor, jobs, depth=threads), start=1):
            finished[number] = part
            if progress:
                progress(done, parts)
    return finished


def _jobs(work: PartWork, journal: Journal, dates: Dates) -> Iterator[Callable[[], tuple[int, PartDone]]]:
    for number, asked in enumerate(dates.by_part(work.register)):
        known = journal.done(number)
        yield partial(_numbered, number, known) if known else partial(_scored, work, journal, number, asked)


def _numbered(number: int, done: PartDone) -> tuple[int, PartDone]:
    return number, done


def _scored(work: PartWork, journal: Journal, number: int, asked: Asked) -> tuple[int, PartDone]:
    return number, work.score(journal, number, asked)


def drift_beside(output: Path) -> Path:
    """Where the drift table of an output stands."""
    return output.with_name(f"{output.stem}.drift.csv")


def _write_drift(work: PartWork, seen: list[Seen], scored: int, path: Path) -> None:
    names = work.scorer.use_names
    table = drift_table(work.scorer.model, work.register, names, Seen.total(len(names), seen), scored)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(Drift._fields)
    writer.writerows([_number(value) for value in row] for row in table)
    write_text(path, text.getvalue())


def _number(value: object) -> object:
    if isinstance(value, float):
        return "" if math.isnan(value) else f"{value:.6g}"
    return value


def _publish(tables: Iterator[pa.Table], output: Path, facts: Mapping[str, str]) -> None:
    with atomic_file(output) as path:
        first = next(tables)
        try:
            with _writer(path, first.schema.with_metadata(dict(facts))) as writer:
                writer.write_table(first)
                for table in tables:
                    writer.write_table(table)
        except pa.ArrowException as error:
            raise OutputError(f"cannot write {output}: {error}") from error


def _in_order(journal: Journal, parts: list[int], executor: ThreadPoolExecutor | None) -> Iterator[pa.Table]:
    return ahead(executor, (partial(journal.table, number) for number in parts), depth=1)


def _by_position(journal: Journal, parts: list[int]) -> Iterator[pa.Table]:
    """Everything, in the order asked; whoever holds the index dates in memory can hold their risks."""
    whole = pa.concat_tables([journal.table(number) for number in parts])
    order = np.argsort(whole.column(_POSITION).to_numpy(), kind="stable")
    yield whole.drop_columns([_POSITION]).unify_dictionaries().take(column_of(order))


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    texts = [field.name for field in schema if pa.types.is_dictionary(field.type)]
    return pq.ParquetWriter(
        path,
        schema,
        compression="zstd",
        use_dictionary=[*texts, "index_date"],
        write_statistics=[name for name in schema.names if name not in texts],
        write_page_checksum=True,
    )


def _list(refused: Mapping[str, int]) -> str:
    return ", ".join(f"{reason} {count}" for reason, count in refused.items()) or "nobody was asked for"
