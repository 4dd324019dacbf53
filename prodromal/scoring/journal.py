"""The journal of a run: which parts are done, so that a killed run goes on where it stopped, and two cannot mix."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prodromal.errors import DataError
from prodromal.files import atomic_file, sha256, write_text
from prodromal.held import LOCK, beside, drop, held
from prodromal.scoring.account import ScoringAccount
from prodromal.scoring.drift import Seen

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Journal", "PartDone"]

_JOB = "job.json"


@dataclass(frozen=True)
class PartDone:
    """Who of a part was scored, and what was seen of them."""

    account: ScoringAccount
    seen: Seen


@dataclass(frozen=True)
class Journal:
    """A folder beside the output that holds finished parts until all are there.

    Parameters
    ----------
    folder : Path
        ``.NAME.run`` beside the output NAME.
    """

    folder: Path

    @classmethod
    @contextmanager
    def open(cls, output: Path, job: Mapping[str, Any]) -> Iterator[Journal]:
        """Hold the journal of an output; parts of another job are thrown away.

        Parameters
        ----------
        output : Path
            What the run will write.
        job : mapping
            Everything that the parts depend on: version, fingerprints, who is asked for.

        Raises
        ------
        OutputError
            If another run holds it, or it cannot be written.
        """
        with held(beside(output)) as folder:
            journal = cls(folder)
            journal._settle(job)
            yield journal

    def part(self, number: int) -> Path:
        """The file of a part."""
        return self.folder / f"part-{number:05d}.arrow"

    def table(self, number: int) -> pa.Table:
        """Read a part that was noted as done.

        Raises
        ------
        DataError
            If it is missing, or was changed since.
        """
        file = self.part(number)
        try:
            held, noted = file.read_bytes(), json.loads(self._entry(number).read_text("utf-8"))["sha256"]
        except OSError as error:
            raise DataError(f"{file} cannot be read: {error.strerror}; give the same command again") from error
        if _sha256(held) != noted:
            raise DataError(f"{file} was changed since it was made; give the same command again")
        with pa.ipc.open_stream(held) as stream:
            return stream.read_all()

    def done(self, number: int) -> PartDone | None:
        """What is known of a part that an earlier run finished; None if there is none, or its file was changed."""
        entry, file = self._entry(number), self.part(number)
        if not entry.is_file() or not file.is_file():
            return None
        facts = json.loads(entry.read_text("utf-8"))
        if sha256(file) != facts["sha256"]:
            return None
        return PartDone(ScoringAccount(**facts["account"]), Seen.from_dict(facts["seen"]))

    @contextmanager
    def writing(self, number: int, schema: pa.Schema) -> Iterator[pa.RecordBatchStreamWriter]:
        """Yield what writes a part, plainly: it is soon read again. It is there when the block ends without error."""
        with (
            atomic_file(self.part(number)) as path,
            pa.OSFile(str(path), "wb") as file,
            pa.ipc.new_stream(file, schema) as writer,
        ):
            yield writer

    def finish_part(self, number: int, done: PartDone) -> None:
        """Note a part as done; without the note it would be made again."""
        facts = {"account": asdict(done.account), "seen": done.seen.to_dict(), "sha256": sha256(self.part(number))}
        write_text(self._entry(number), json.dumps(facts, sort_keys=True))

    def drop(self) -> None:
        """Remove the folder, once the output is published."""
        drop(self.folder)

    def _entry(self, number: int) -> Path:
        return self.folder / f"part-{number:05d}.json"

    def _settle(self, job: Mapping[str, Any]) -> None:
        text = json.dumps(job, sort_keys=True)
        path = self.folder / _JOB
        same = path.is_file() and path.read_text("utf-8", errors="replace") == text
        for file in self.folder.iterdir():
            if file.name not in {LOCK, _JOB} and not (same and file.name.startswith("part-")):
                file.unlink()
        if not same:
            write_text(path, text)


def _sha256(held: bytes) -> str:
    return hashlib.sha256(held).hexdigest()
