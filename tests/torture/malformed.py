"""Mutated deliveries: each is read truly or refused, and nothing is left behind.

A dispensing is *owed* if everything that it depends on stands in the mutated file as it stood before; a register that
is published must hold all that is owed, nothing that the delivery does not say, and an account that is true.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd

from prodromal.errors import ProdromalError
from prodromal.register import Register
from tests.torture.capped_ingest import outcomes
from tests.torture.delivered import Format, formats
from tests.torture.mutations import Must, Mutation
from tests.torture.mutations_csv import CSV
from tests.torture.mutations_json import NDJSON
from tests.torture.mutations_parquet import PARQUET
from tests.torture.people import PEOPLE, Bought
from tests.torture.said import Said

__all__ = [
    "Finding",
    "findings",
    "malformed_csv",
    "malformed_fhir",
    "malformed_meds",
    "malformed_omop",
    "malformed_parquet",
]

_BATCH = 50
_MUTATIONS = {"csv": CSV, "parquet": PARQUET, "fhir": NDJSON, "omop": CSV, "omop_parquet": PARQUET, "meds": PARQUET}


@dataclass(frozen=True)
class Finding:
    """A trial that failed: the mutation, the file, and everything that was wrong."""

    trial: int
    mutation: str
    file: str
    wrong: tuple[str, ...]
    told: dict[str, Any]


@dataclass(frozen=True)
class _Trial:
    number: int
    mutation: Mutation
    file: str
    folder: Path

    @property
    def delivery(self) -> Path:
        return self.folder / "delivery"

    @property
    def register(self) -> Path:
        return self.folder / "out" / "register"


def malformed_csv(trials: int, seed: int) -> tuple[int, int]:
    """Trials and failures for CSV."""
    return trials, len(findings("csv", trials, seed))


def malformed_parquet(trials: int, seed: int) -> tuple[int, int]:
    """Trials and failures for Parquet."""
    return trials, len(findings("parquet", trials, seed))


def malformed_fhir(trials: int, seed: int) -> tuple[int, int]:
    """Trials and failures for FHIR bulk exports."""
    return trials, len(findings("fhir", trials, seed))


def malformed_meds(trials: int, seed: int) -> tuple[int, int]:
    """Trials and failures for MEDS datasets."""
    return trials, len(findings("meds", trials, seed))


def malformed_omop(trials: int, seed: int) -> tuple[int, int]:
    """Trials and failures for OMOP common data models, two of three in CSV and one in Parquet."""
    parquet = trials // 3
    failed = len(findings("omop", trials - parquet, seed)) + len(findings("omop_parquet", parquet, seed))
    return trials, failed


def findings(form: str, trials: int, seed: int, *, sabotage: str = "", only: str = "") -> list[Finding]:
    """What goes wrong in trials of mutations in turn, drawn anew each time.

    Parameters
    ----------
    form : str
        One of ``formats()``.
    sabotage : str
        Name of a reader that is wrong on purpose.
    only : str
        Name of a mutation, to try no other.
    """
    found = []
    with tempfile.TemporaryDirectory(dir=_memory_disk()) as name:
        ground = _Ground.make(formats()[form], Path(name))
        chosen = [mutation for mutation in _MUTATIONS[form] if only in {"", mutation.name}]
        order = Random(seed).sample(chosen, len(chosen))
        for first in range(0, trials, _BATCH):
            numbers = range(first, min(first + _BATCH, trials))
            found += list(ground.try_all(numbers, order, seed, sabotage))
    return found


def _memory_disk() -> str | None:
    """A folder in memory, where there is one: the trials are small, and each is synced to the disk."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


@dataclass(frozen=True)
class _Ground:
    """The delivery that nothing happened to, and what its files say."""

    form: Format
    folder: Path
    said: dict[str, Said]

    @classmethod
    def make(cls, form: Format, folder: Path) -> _Ground:
        sound = folder / "sound"
        sound.mkdir()
        form.write(sound)
        said = {}
        for file in form.files:
            read = form.read(sound / file)
            assert read is not None
            said[file] = read
        return cls(form, folder, said)

    def try_all(self, numbers: range, order: list[Mutation], seed: int, sabotage: str) -> Iterator[Finding]:
        batch = self.folder / "batch"
        (batch / "tmp").mkdir(parents=True)
        drawn = ((n, order[n % len(order)], Random(f"{seed} {n}")) for n in numbers)
        trials = [self._mutated(*one, batch / str(place)) for place, one in enumerate(drawn)]
        before = [_listing(trial.delivery) for trial in trials]
        told = outcomes(self.form.name, batch, len(trials), sabotage=sabotage)
        for trial, files, said in zip(trials, before, told, strict=True):
            wrong = [*self._judge(trial, said)]
            if _listing(trial.delivery) != files:
                wrong.append("the delivery was changed")
            if wrong:
                yield Finding(trial.number, trial.mutation.name, trial.file, tuple(wrong), said)
        if left := _listing(batch / "tmp"):
            yield Finding(numbers[-1], "any of a batch", "", ("temporary files were left behind",), {"left": left[:5]})
        shutil.rmtree(batch)

    def _mutated(self, number: int, mutation: Mutation, draw: Random, folder: Path) -> _Trial:
        shutil.copytree(self.folder / "sound", folder / "delivery")
        (folder / "out").mkdir()
        file = draw.choice(list(self.form.files))
        mutation.change(folder / "delivery" / file, draw)
        return _Trial(number, mutation, file, folder)

    def _judge(self, trial: _Trial, told: dict[str, Any]) -> Iterator[str]:
        ended, left = told["ended"], sorted(path.name for path in (trial.folder / "out").iterdir())
        if ended not in {"published", "refused"}:
            yield ended
            return
        if left != (["register"] if ended == "published" else []):
            yield f"{ended}, and {left} was left"
            return
        if any(str(person) in told.get("message", "") for person in PEOPLE.ids):
            yield "a message names a person"
        may_refuse = self.form.name.startswith("omop") and trial.file.startswith("person")
        if ended == "refused" and trial.mutation.must is Must.READ and not may_refuse:
            yield "was to be read"
        if ended == "published" and trial.mutation.must is Must.REFUSE:
            yield "was to be refused"
        if ended == "published":
            try:
                register = Register.open(trial.register)
                register.verify()
                yield from _false_account(register)
                yield from self._false_rows(trial, register)
            except ProdromalError as error:
                yield f"a register that cannot be read: {error}"

    def _false_rows(self, trial: _Trial, register: Register) -> Iterator[str]:
        there = next(trial.delivery.glob(f"{trial.file}*"))
        now, before = self.form.read(there), self.said[trial.file]
        found = _rows_of(register)
        if now is None:
            if found != Counter(PEOPLE.bought):
                yield "a file that nobody else can read was read as something else"
            return
        yield from self._false_counts(trial.file, now, register)
        texts = Counter(unit.text for unit in now.units), Counter(unit.text for unit in before.units)
        disturbed = "\n".join([*(texts[0] - texts[1]), *(texts[1] - texts[0])])
        owed = [row for row in PEOPLE.bought if not any(key in disturbed for key in self.form.keys(trial.file, row))]
        if lost := Counter(owed) - found:
            yield f"{lost.total()} of {len(owed)} rows that nothing happened to are not there"
        told = {*PEOPLE.bought, *(unit.bought for unit in now.units if unit.bought)}
        codes = {row[2] for row in found} if trial.file.startswith("concept") else set()
        if invented := [row for row in found if not _is_told(row, told, codes)]:
            yield f"{len(invented)} rows say what the file does not: {invented[:2]}"
        people = {str(person) for person in register.persons.ids}
        if lost_people := {str(person) for person in PEOPLE.ids if str(person) not in disturbed} - people:
            yield f"{len(lost_people)} persons whom nothing happened to are not there"

    def _false_counts(self, file: str, now: Said, register: Register) -> Iterator[str]:
        accounts = register.manifest["account"]
        said = {**self.said, file: now}
        read: dict[str, int]
        if self.form.name == "fhir":
            counted = {"resources": sum(one.rows for one in said.values())}
            read = {"resources": sum(register.manifest["settings"]["fhir"]["read"].values())}
        elif self.form.name == "meds":
            counted = {"events": sum(one.rows for one in said.values())}
            read = {"events": register.manifest["settings"]["meds"]["events"]["read"]}
        else:
            tables = [table for table in ("persons", "dispensings") if table in self.form.files.values()]
            counted = {t: sum(said[f].rows for f, table in self.form.files.items() if table == t) for t in tables}
            read = {table: accounts[table]["read"] for table in tables}
        if read != counted:
            yield f"{read} were read, and there are {counted}"


def _false_account(register: Register) -> Iterator[str]:
    rejected = Counter(register.table("rejected", ["table"]).column(0).to_pylist())
    for name, account in register.manifest["account"].items():
        out = account["duplicate"] + sum(account["rejected"].values()) + sum(account["left_out"].values())
        if account["read"] + account["expanded"] != account["kept"] + out:
            yield f"the account of {name} does not add up: {account}"
        listed = sum(file["rows"] for file in register.manifest["files"][name])
        stored = register.table(name).num_rows
        if not account["kept"] == listed == stored:
            yield f"{name}: {account['kept']} kept, {listed} listed, {stored} there"
        if sum(account["rejected"].values()) != rejected[name]:
            yield f"{name}: {account['rejected']} rejected, {rejected[name]} in rejected.parquet"


def _rows_of(register: Register) -> Counter[Bought]:
    frame = register.frame("dispensings")
    days = frame["dispensed_on"].dt.strftime("%Y-%m-%d")
    cells = zip(frame["person_id"], days, frame["atc"], frame["ddd"], frame["days_supply"], strict=True)
    return Counter(
        (str(who), day, str(code), *(None if pd.isna(n) else kind(n) for n, kind in ((ddd, float), (supply, int))))
        for who, day, code, ddd, supply in cells
    )


def _is_told(row: Bought, told: set[Bought], codes: set[str]) -> bool:
    """Whether the file says so, but for numbers that were implausible, and for `codes` that a vocabulary may change."""
    return row in told or any(
        other[:2] == row[:2]
        and (row[2] == other[2] or row[2] in codes)
        and _same(row[3], other[3])
        and row[4] in {None, other[4]}
        for other in told
    )


def _same(mine: float | None, theirs: float | None) -> bool:
    return mine is None or (theirs is not None and abs(mine - theirs) <= 1e-6 * abs(theirs))


def _listing(folder: Path) -> list[tuple[str, int]]:
    return sorted((str(path.relative_to(folder)), path.stat().st_size) for path in folder.rglob("*") if path.is_file())


def main() -> None:
    """Say what goes wrong: ``python -m tests.torture.malformed FORMAT TRIALS SEED [MUTATION]``."""
    form, trials, seed, *only = sys.argv[1:]
    for found in findings(form, int(trials), int(seed), only=only[0] if only else ""):
        print(f"{found.trial} {found.mutation} | {found.file}\n    {'; '.join(found.wrong)}\n    {found.told}")


if __name__ == "__main__":
    main()
