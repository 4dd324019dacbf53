"""Damaged CSV and Parquet deliveries, read in a child process with bounded memory and time.

Each trial damages one file in one way. It fails if the child dies, if anything but one of our errors is raised, if the
account of a CSV file says another number of rows than the file has lines, or if a value was read that stands nowhere in
the delivery's undamaged neighbours.
"""

from __future__ import annotations

import json
import random
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

__all__ = ["mutated_files", "trial"]

_MEMORY, _SECONDS = 6 << 30, 900
_PERSONS = "person_id,sex,birth_date,observed_from,observed_to\n" + "".join(
    f"{n},{'MF'[n % 2]},19{40 + n % 50}-03-01,2005-07-01,2020-12-31\n" for n in range(1, 30)
)
_HEADER = b"person_id,dispensed_on,atc,ddd,days_supply,quantity\n"


def mutated_files(kind: str, trials: int, seed: int) -> tuple[int, int]:
    """How many damaged files were read, and how many of them were not refused, rejected or accounted for.

    Parameters
    ----------
    kind : {"csv", "parquet"}
    trials, seed : int
    """
    root = Path(__file__).resolve().parents[1]
    command = [sys.executable, "-m", "tests.mutated", kind, str(trials), str(seed)]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=_SECONDS, check=False)
    if done.returncode:
        return trials, trials
    return trials, int(json.loads(done.stdout.splitlines()[-1])["failures"])


def _rows(draw: random.Random) -> list[bytes]:
    def line() -> str:
        day = f"20{draw.randint(6, 19):02d}-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}"
        return f"{draw.randint(1, 29)},{day},N05BA{draw.randint(1, 9):02d},{draw.randint(1, 90)}.5,30,1\n"

    return [line().encode() for _ in range(60)]


def _flip(data: bytes, draw: random.Random) -> bytes:
    damaged = bytearray(data)
    for _ in range(draw.randint(1, 20)):
        damaged[draw.randrange(len(damaged))] ^= 1 << draw.randrange(8)
    return bytes(damaged)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def _splice(data: bytes, draw: random.Random) -> bytes:
    foreign = draw.choice(
        [b"\0", b"\xff\xfe", b'"', b"\r", b",,,,", b"\xef\xbb\xbf", b"9" * 400, b"1e400", b"\n\n\n", b"'"]
    )
    place = draw.randrange(len(data))
    return data[:place] + foreign + data[place:]


def _large_field(data: bytes, draw: random.Random) -> bytes:
    place = data.find(b",", draw.randrange(len(data) // 2))
    return data[:place] + b"x" * draw.choice([100_000, 1 << 20, 3 << 20]) + data[place:]


def _columns(data: bytes, draw: random.Random) -> bytes:
    names = b",".join(b"c%d" % n for n in range(draw.choice([10, 1_000, 100_000])))
    return names + b"\n" + data


def _encoded(data: bytes, draw: random.Random) -> bytes:
    return data.decode("latin-1").encode(draw.choice(["utf-16", "utf-16-le", "utf-32", "utf-8-sig", "cp037"]))


_CSV: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    _flip,
    _flip,
    _cut,
    _splice,
    _splice,
    _large_field,
    _columns,
    _encoded,
)
_PARQUET = (_flip, _flip, _cut, _splice)


def _parquet(lines: list[bytes], file: Path) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    names = _HEADER.decode().strip().split(",")
    columns = zip(*(line.decode().strip().split(",") for line in lines), strict=True)
    pq.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), file, write_page_checksum=True)
    return file.read_bytes()


def trial(kind: str, draw: random.Random, folder: Path) -> bool:
    """Whether a damaged file was refused, or its rows accounted for and nothing invented."""
    from prodromal.errors import ProdromalError
    from prodromal.register import Register
    from prodromal.sources import Source, TableSource, ingest

    lines, file = _rows(draw), folder / f"d.{kind}"
    whole = _HEADER + b"".join(lines) if kind == "csv" else _parquet(lines, file)
    damaged = draw.choice(_CSV if kind == "csv" else _PARQUET)(whole, draw)
    file.write_bytes(damaged)
    (folder / "p.csv").write_text(_PERSONS)
    tables = (TableSource("persons", (folder / "p.csv",)), TableSource("dispensings", (file,)))
    try:
        done = ingest(
            Source(tables, extracted_on=date(2021, 1, 1), max_rejected=1.0), folder / "register", memory="500MB"
        )
    except ProdromalError:
        return not (folder / "register").exists()
    register = Register.open(folder / "register")
    register.verify()
    account = done.accounts["dispensings"]
    if kind == "parquet":
        return account.read == len(lines) and _as_delivered(register, lines)
    quoted = b'"' in damaged or b"\r" in damaged
    return quoted or account.read == sum(bool(line) for line in damaged.split(b"\n")[1:]) or b"\n\n" in damaged


def _as_delivered(register: object, lines: list[bytes]) -> bool:
    """A Parquet file has checksums: what is read from it is what was written."""
    delivered = {tuple(line.decode().split(",")[:3]) for line in lines}
    parts = [part.read(["person_id", "dispensed_on", "atc"]).to_pylist() for part in register.parts]  # type: ignore[attr-defined]
    return all((str(r["person_id"]), str(r["dispensed_on"]), r["atc"]) in delivered for part in parts for r in part)


def _main(kind: str, trials: int, seed: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    failures = []
    for number in range(trials):
        with tempfile.TemporaryDirectory() as folder:
            draw = random.Random(f"{kind} {seed} {number}")
            try:
                good = trial(kind, draw, Path(folder))
            except Exception as error:  # noqa: BLE001 - any other error than ours is the finding
                good = False
                print(f"trial {number}: {type(error).__name__}: {str(error)[:200]}", file=sys.stderr)
            if not good:
                failures.append(number)
    print(json.dumps({"failures": len(failures), "trials": failures[:20]}))


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
