"""The same people give the same bits, whatever the parts, threads, row order and surroundings; the future nothing."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.features.index_dates import Everyone
from prodromal.register import Persons, Register
from prodromal.risk import RiskModel, load
from prodromal.scoring import Scorer, score_register
from tests.torture.small import DAY, deliver, hashes, make_bundle, make_register

__all__ = ["future_cannot_leak", "scoring_is_identical"]

_ROWS_PER_PART = (1, 175, 2_500, 10_000_000)
# With a lower-case I of its own, and a decimal comma.
_TURKISH = "tr_TR.UTF-8"
_SURROUNDINGS = (
    {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": _TURKISH},
    {"PYTHONHASHSEED": "4294967295", "TZ": "America/St_Johns", "LC_ALL": "C", "PYTHONUTF8": "0"},
)
# As in a program that speaks its user's language.
_SPEAKING = """
import locale
from prodromal.cli import main
locale.setlocale(locale.LC_ALL, "")
main()
"""


def scoring_is_identical(trials: int, seed: int) -> tuple[int, int]:
    """Part size x threads x order of rows in the process; surroundings on the command line, from delivery to risks."""
    rng, failures = np.random.default_rng(seed), 0
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deliver(folder / "straight")
        register = make_register(folder / "straight", folder / "register")
        model = load(make_bundle(register, folder / "bundle"))
        expected = _risks(model, register, folder / "expected.parquet", threads=1)
        cases = list(product(_ROWS_PER_PART, (1, 2, 4)))
        for trial in range(trials):
            rows_per_part, threads = cases[trial % len(cases)]
            deliver(folder / f"d{trial}", order=1 + int(rng.integers(1000)))
            mixed = make_register(folder / f"d{trial}", folder / f"r{trial}", rows_per_part=rows_per_part)
            failures += not _risks(model, mixed, folder / f"{trial}.parquet", threads=threads).equals(expected)
        make_register(folder / "straight", folder / "again", rows_per_part=2_000_000)
        languages = _turkish(folder / "languages")
        for number, surroundings in enumerate(_SURROUNDINGS):
            own = folder / f"cli-{number}"
            _from_delivery(folder, own, {**os.environ, **surroundings, **(languages if not number else {})})
            same = hashes(own / "register") == hashes(folder / "again") and _plain(own / "risks.parquet").equals(
                expected
            )
            failures += not same
    return trials + len(_SURROUNDINGS), failures


def _turkish(folder: Path) -> dict[str, str]:
    """Surroundings in which Turkish is spoken, made where it is not installed; else C with UTF-8."""
    folder.mkdir()
    command: list[str | Path] = ["localedef", "-i", "tr_TR", "-f", "UTF-8", "--no-archive", folder / _TURKISH]
    if shutil.which("localedef") and subprocess.run(command, capture_output=True, check=False).returncode == 0:
        return {"LOCPATH": str(folder)}
    return {"LC_ALL": "C.UTF-8"}


def _from_delivery(folder: Path, own: Path, surroundings: dict[str, str]) -> None:
    """Ingest and score on the command line."""
    delivery = [f"--{name}={folder / 'straight' / name}.csv" for name in ("persons", "dispensings")]
    score = ["score", own / "register", folder / "bundle", "--on", "2018-01-01", "--output", own / "risks.parquet"]
    for command in (
        ["ingest", "csv", *delivery, "--extracted-on", "2021-01-01", "--output", own / "register"],
        [*score, "--explain", "2"],
    ):
        asked = list(map(str, command))
        subprocess.run([sys.executable, "-c", _SPEAKING, *asked], check=True, capture_output=True, env=surroundings)


def _risks(model: RiskModel, register: Register, output: Path, *, threads: int) -> pa.Table:
    score_register(model, register, Everyone(DAY), output, reasons=2, threads=threads)
    return _plain(output)


def _plain(output: Path) -> pa.Table:
    """Values without the dictionaries that differ from part to part."""
    table = pq.read_table(output).replace_schema_metadata()
    return table.cast(
        pa.schema([(f.name, pa.string() if pa.types.is_dictionary(f.type) else f.type) for f in table.schema])
    )


def future_cannot_leak(trials: int, seed: int) -> tuple[int, int]:
    """Dispensings on or after a person's index date, one trial a person: features, score and reasons stay."""
    rng = np.random.default_rng(seed)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        deliver(folder / "delivery", persons=100)
        scorer = Scorer(load(make_bundle(make_register(folder / "delivery", folder / "r"), folder / "b")), reasons=3)
    days = DAY + rng.integers(-1500, 700, trials).astype(np.int32)
    past = _dispensings(rng, trials, lambda who: days[who] - 1 - rng.integers(0, 3000, len(who)))
    future = _dispensings(rng, trials, lambda who: days[who] + rng.integers(0, 400, len(who)))
    before, after = (_score(scorer, frame, days, rng_seed=seed) for frame in (past, _joined(past, future)))
    differs = np.zeros(trials, dtype=bool)
    for one, other in zip(before, after, strict=True):
        differs |= ~_same(one, other)
    return trials, int(differs.sum())


_Rows = tuple[np.ndarray, np.ndarray, np.ndarray]


def _dispensings(rng: np.random.Generator, people: int, day_of) -> _Rows:
    who = np.sort(rng.integers(0, people, 8 * people))
    codes = np.array(["N05BA01", "N05CF01", "N06AB04", "N06AX11", "N05AH04", "A02BC01"])
    return who, day_of(who).astype(np.int32), rng.choice(codes, len(who))


def _joined(one: _Rows, other: _Rows) -> _Rows:
    return tuple(np.concatenate(pair) for pair in zip(one, other, strict=True))


def _score(scorer: Scorer, rows: _Rows, days: np.ndarray, *, rng_seed: int) -> list[np.ndarray]:
    who, day, code = rows
    order = np.lexsort((code, day, who))
    who, day, code = who[order], day[order], code[order]
    n = len(days)
    ages = np.random.default_rng(rng_seed).integers(40 * 365, 80 * 365, n)
    people = Persons(
        np.arange(n),
        (np.arange(n) % 2).astype(np.int8),
        (days - ages).astype(np.int32),
        (days - 4000).astype(np.int32),
        (days + 4000).astype(np.int32),
        np.full(n, 2**30, dtype=np.int32),
        np.ones(n),
        np.full(n, "", dtype=object),
    )
    batch = pa.RecordBatch.from_pydict(
        {
            "dispensed_on": pa.array(day).cast(pa.date32()),
            "atc": pa.array(code).dictionary_encode(),
            "ddd": pa.array(np.full(len(day), 10.0, dtype=np.float32)),
            "days_supply": pa.nulls(len(day), pa.int16()),
        }
    )
    history = scorer.builder.reader.gather([batch], np.bincount(who, minlength=n).astype(np.int32))
    matrix = scorer.builder.matrix(people, history, np.arange(n), days)
    table = pa.concat_tables(scorer.tables(people, history, np.arange(n), days))
    columns = [table.column(name).to_numpy(zero_copy_only=False) for name in table.column_names]
    return [*matrix.values.T, *columns]


def _same(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    missing = (one != one) & (other != other)  # noqa: PLR0124
    return (one == other) | missing
