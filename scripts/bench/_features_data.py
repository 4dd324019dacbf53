"""Registers of the law of the peers' common job: skewed numbers of dispensings, favourite codes, uniform days."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from prodromal.register.writer import RegisterWriter
from prodromal.tables import TABLES

HISTORY_DAYS = 15 * 365 + 4
FIRST_DAY = date(2008, 1, 1)
_PSYCHIATRIC = {"N05A": 0.012, "N05B": 0.018, "N05C": 0.030, "N06A": 0.045}
_CHUNK = 100_000
# 300 codes, roughly from most to least dispensed: those of the groups first, fillers behind.
_FREQUENT = """
C10AA01 C10AA05 N02BE01 A02BC01 A02BC02 B01AC06 C07AB02 C08CA01 C09AA02 C09AA05 C09CA01 C09CA06 C09CA03 H03AA01
A10BA02 R03AC02 N05BA04 N05CF01 N06AB10 N06AB04 C03CA01 C03AA03 B03BB01 B03BA01 M01AE01 M01AB05 R06AE07 R06AX27
N06AX11 N06AB06 J01CE02 J01CA08 A12AX00 G03CA03 B01AF02 B01AF01 B01AA03 R01AD09 R03AK07 R03BA02 D07AC01 S01ED01
N02AA05 N02AX02 A11CC05 G04BE03 G04CB01 G04CA02 N05CF02 N05CH01 N05BB01 N05BA01 N05BA06 N05BA12 N05AH04 N05AH03
N05AX08 N05AD01 N05AN01 N05AA02 N05AB04 N05AL05 N05AX12 N05AF05 N05CD02 N05CM06 N06AA10 N06AA04 N06AB03 N06AB05
N06AB08 N06AX03 N06AX16 N06AX21 N06AX12 N02AA01 N02AB03 N02AE01 N02AJ06 M01AC06 M01AH01 M01AH05 M01AE02 M01AX05
A02BC03 A02BC05 C10AA07""".split()  # noqa: SIM905  a page of codes
_FILLERS = [
    f"{a}{b:02d}{c}{d}{e:02d}" for a in "BDGJLRSV" for b in (1, 3) for c in "AB" for d in "AB" for e in range(1, 5)
]
CODES = list(dict.fromkeys([*_FREQUENT, *_FILLERS]))[:300]


def _shares() -> np.ndarray:
    share = 1.0 / (np.arange(len(CODES)) + 8.0) ** 1.05
    prefix = np.array([code[:4] for code in CODES])
    psychiatric = np.isin(prefix, list(_PSYCHIATRIC))
    share[~psychiatric] *= (1 - sum(_PSYCHIATRIC.values())) / share[~psychiatric].sum()
    for name, target in _PSYCHIATRIC.items():
        share[prefix == name] *= target / share[prefix == name].sum()
    return share / share.sum()


def _dispensings(first: int, persons: int, rows_per_person: int, seed: int) -> pa.RecordBatch:
    rng = np.random.default_rng([seed, first])
    share, rows = _shares(), persons * rows_per_person
    weight = rng.gamma(0.9, 1.0, persons)
    who = np.repeat(np.arange(persons, dtype=np.int32), rng.multinomial(rows, weight / weight.sum()))
    favourites = rng.choice(len(CODES), (persons, 12), p=share).astype(np.int16)
    habit = rng.random(rows) < 0.8
    code = np.where(habit, favourites[who, rng.integers(0, 12, rows)], rng.choice(len(CODES), rows, p=share))
    day = rng.integers(0, HISTORY_DAYS, rows).astype(np.int32)
    supply = rng.choice(
        np.array([7, 10, 14, 28, 30, 60, 90, 100], np.int16), rows, p=[0.05, 0.07, 0.06, 0.12, 0.2, 0.1, 0.25, 0.15]
    )
    ddd = (supply * rng.choice(np.array([0.5, 0.66, 1, 1, 1, 1.33, 2], np.float32), rows)).astype(np.float32)
    order = np.argsort(who.astype(np.int64) * HISTORY_DAYS + day, kind="stable")
    origin = (FIRST_DAY - date(1970, 1, 1)).days
    return pa.RecordBatch.from_pydict(
        {
            "person_id": _ids(first, persons)[who],
            "dispensed_on": pa.array(day[order] + origin, pa.int32()).cast(pa.date32()),
            "atc": pa.DictionaryArray.from_arrays(code[order].astype(np.int32), CODES),
            "ddd": ddd[order],
            "days_supply": supply[order],
            "quantity": pa.nulls(rows, pa.float32()),
            "fingerprint": np.arange(rows, dtype=np.uint64),
            "repairs": np.zeros(rows, dtype=np.int32),
        }
    )


def _ids(first: int, persons: int) -> np.ndarray:
    return 10_000_000 + 5 * np.arange(first, first + persons, dtype=np.int64)


def _births(first: int, persons: int) -> np.ndarray:
    """Days of birth spread over the years 1922 to 1999."""
    since = (date(1922, 1, 1) - date(1970, 1, 1)).days
    return (since + np.arange(first, first + persons) * 7_919 % (78 * 365)).astype(np.int32)


def _persons(first: int, persons: int) -> pa.RecordBatch:
    columns = {
        "person_id": pa.array(_ids(first, persons)),
        "sex": pa.array(["F", "M"] * (persons // 2) + ["F"] * (persons % 2)),
        "birth_date": pa.array(_births(first, persons), pa.int32()).cast(pa.date32()),
        "observed_from": pa.array([FIRST_DAY]).take(pa.array(np.zeros(persons, np.int64))),
        "observed_to": pa.array([FIRST_DAY + timedelta(HISTORY_DAYS)]).take(pa.array(np.zeros(persons, np.int64))),
        "death_date": pa.nulls(persons, pa.date32()),
        "region": pa.nulls(persons, pa.string()),
        "sampling_weight": pa.nulls(persons, pa.float32()),
        "fingerprint": pa.array(np.arange(persons, dtype=np.uint64)),
        "repairs": np.zeros(persons, dtype=np.int32),
    }
    return pa.RecordBatch.from_pydict(columns)


def _index_dates(first: int, persons: int, seed: int) -> pa.RecordBatch:
    day = np.random.default_rng([seed, first, 1]).integers(int(HISTORY_DAYS * 0.35), HISTORY_DAYS, persons)
    origin = (FIRST_DAY - date(1970, 1, 1)).days
    return pa.RecordBatch.from_pydict(
        {
            "person_id": _ids(first, persons),
            "index_date": pa.array((day + origin).astype(np.int32), pa.int32()).cast(pa.date32()),
        }
    )


def make_register(
    folder: Path, persons: int, rows_per_person: int, *, rows_per_part: int = 2_000_000, seed: int = 1
) -> Path:
    """Write a register with an ``index_dates.parquet`` of one date per person, unless it is there already."""
    if (folder / "done.json").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    chunks = [(first, min(_CHUNK, persons - first)) for first in range(0, persons, _CHUNK)]
    writer = RegisterWriter(folder, rows_per_part=rows_per_part)
    writer.write(TABLES["persons"], (_persons(*chunk) for chunk in chunks), person_id="BIGINT")
    dispensings = (_dispensings(*chunk, rows_per_person, seed) for chunk in chunks)
    writer.write(TABLES["dispensings"], dispensings, person_id="BIGINT")
    writer.finish(accounts={}, sources=[], settings={"synthetic": True})
    pq.write_table(
        pa.Table.from_batches([_index_dates(*chunk, seed) for chunk in chunks]),
        folder / "index_dates.parquet",
        compression="zstd",
        row_group_size=100_000,
    )
    (folder / "done.json").write_text(json.dumps({"persons": persons, "rows": persons * rows_per_person}))
    return folder
