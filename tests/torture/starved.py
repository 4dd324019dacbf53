"""An ingest in a child process whose disk is full from a step on."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from tests.torture.children import Ended, Steps, fill_disk, follow, telling
from tests.torture.interrupted import IngestJob, ingest_job

__all__ = ["Starved"]


@dataclass(frozen=True)
class Starved:
    """Ingest a delivery; the last fields are what goes wrong.

    Parameters
    ----------
    job : IngestJob
    is_kept : bool
        Whether the work is written down as it goes; otherwise the first files are those of the register.
    full_at_step : int, optional
        The change of the output's folder, or note of the journal, from which on the disk takes no file beyond
        `most_bytes`.
    most_bytes : int
    """

    job: IngestJob
    is_kept: bool
    full_at_step: int | None = None
    most_bytes: int = 0

    def run(self) -> Ended:
        """In a process of its own."""
        return follow(_ingest, self)


def _ingest(starved: Starved, mouth: Connection) -> None:
    from prodromal.sources.steps import Steps as Notes

    if not starved.is_kept:
        import_module("prodromal.sources.ingest").job_of = lambda *_, **__: None  # type: ignore[attr-defined]
    steps = Steps(starved.job.output.parent, starved.full_at_step, lambda: fill_disk(starved.most_bytes))
    note = Notes.note

    def noted(*arguments: Any) -> None:
        steps.step()
        note(*arguments)
        steps.step()

    Notes.note = noted  # type: ignore[method-assign,assignment]
    with telling(mouth, steps):
        ingest_job(starved.job)
