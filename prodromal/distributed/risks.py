"""Risks on a cluster: tasks fill the journal that a run on one machine keeps, and that run finds every part done."""

from __future__ import annotations

import shutil
from dataclasses import asdict, dataclass
from glob import escape
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING, Any

from prodromal.distributed.dispatch import run_tasks
from prodromal.distributed.parts import Shared, asked_of, private_folder, slices_of
from prodromal.distributed.sent_model import SentModel
from prodromal.risk import load
from prodromal.scoring import score_register
from prodromal.scoring.journal import Journal
from prodromal.scoring.run import PartWork

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pyspark.sql import SparkSession

    from prodromal.features import IndexFile
    from prodromal.features.index_dates import Asked, Everyone
    from prodromal.register import Register
    from prodromal.scoring import ScoringAccount

__all__ = ["score_on_spark", "score_part"]


def score_on_spark(
    spark: SparkSession,
    bundle: Path,
    register: Register,
    dates: Everyone | IndexFile,
    output: Path,
    *,
    reasons: int = 0,
    provenance: Mapping[str, str] | None = None,
) -> ScoringAccount:
    """Score people at index dates into a Parquet file, whose bytes are those that ``score_register`` writes.

    Parameters
    ----------
    spark : SparkSession
    bundle : Path
        Folder of the model; the driver reads it, executors get its bytes.
    register : Register
        On storage that every executor sees.
    dates : Everyone or IndexFile
        Who is scored when; an index file too must lie on shared storage.
    output : Path
        File, on shared storage. A job that was killed goes on where it stopped, on Spark or without it.
    reasons : int
        How many columns ``reason_1..`` stand beside each risk.
    provenance : mapping, optional
        Written into the file's metadata.

    Returns
    -------
    ScoringAccount

    Raises
    ------
    DataError
        If a part of the register is damaged (the message names it), or an executor sees another register.
    DefinitionError
        If an executor lacks the package, or has other versions than the driver.
    NotEstimable
        If nobody can be scored.
    OutputError
        If the output cannot be written, or another run is writing it.
    """
    model = load(bundle)
    sent = SentModel.of(bundle, model)
    scored_before = _ScoredBefore(dates, spark, sent, reasons, output)
    try:
        return score_register(model, register, scored_before, output, reasons=reasons, provenance=provenance)
    finally:
        _clear_attempts(output)


@dataclass(frozen=True)
class _ScoredBefore:
    """Index dates whose parts are scored on the cluster before they are handed out.

    ``score_register`` asks for the dates once it holds its journal, and leaves alone the parts that it finds done.
    """

    dates: Everyone | IndexFile
    spark: SparkSession
    sent: SentModel
    reasons: int
    output: Path

    def fingerprint(self) -> str:
        return self.dates.fingerprint()

    def by_part(self, register: Register) -> Iterator[Asked]:
        journal = Journal(self.output.with_name(f".{self.output.name}.run"))
        slices = slices_of(register, self.dates)
        left = [(number, *slice_) for number, slice_ in enumerate(slices) if journal.done(number) is None]
        _clear_attempts(self.output)
        # Of a name of its own, so that a task left over from a job that failed finds no place to write to.
        attempts = Path(mkdtemp(prefix=_attempts_of(self.output), dir=self.output.parent))
        job = {
            "shared": asdict(Shared.of(register, self.dates, attempts)),
            "sent": (self.sent.files, self.sent.fingerprint),
            "reasons": self.reasons,
            "journal": str(journal.folder.absolute()),
            "left": left,
        }
        run_tasks(self.spark, f"{__name__}:score_part", job, len(left))
        yield from self.dates.by_part(register)


def _attempts_of(output: Path) -> str:
    return f".{output.name}.attempts-"


def _clear_attempts(output: Path) -> None:
    for folder in output.parent.glob(f"{escape(_attempts_of(output))}*"):
        shutil.rmtree(folder, ignore_errors=True)


def score_part(job: Mapping[str, Any], position: int) -> bytes:
    """Score a part on an executor into the journal; done twice, it leaves the same files."""
    shared = Shared(**job["shared"])
    number, *slice_ = job["left"][position]
    asked = asked_of(shared, (slice_[0], slice_[1], slice_[2]))
    work = PartWork(shared.open(), SentModel(*job["sent"]).scorer(job["reasons"]), with_position=False)
    with private_folder(shared.attempts) as folder:
        work.score(Journal(folder), number, asked)
        # The part before the note that it is done.
        for file in sorted(folder.iterdir(), key=lambda path: path.suffix == ".json"):
            file.replace(Path(job["journal"]) / file.name)
    return b"done"
