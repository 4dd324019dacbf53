"""One timed process of the features benchmark: ours, or only decoding the columns that it needs.

_features_job.py ours|decode|decode_whole|decode_unbuffered REGISTER THREADS [CELLS.npy]
"""

import json
import sys
from pathlib import Path

THREADS = int(sys.argv[3])
folder = Path(sys.argv[2])


def peak_mb() -> float:
    peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(peak.split()[1]) / 1024


def ours() -> dict[str, object]:
    import numpy as np
    from _features_law import GROUPS, WINDOWS

    from prodromal.atc import AtcGroup
    from prodromal.features.building import iterate
    from prodromal.features.index_file import IndexFile
    from prodromal.features.plan import FeaturePlan
    from prodromal.register import Register
    from prodromal.windows import Window

    groups = tuple(AtcGroup(name, name, (name,), name, allow_leaky=True) for name in GROUPS)
    windows = tuple(Window(1, (days or 20_000) + 1) for days in WINDOWS)
    # The peers count what is there; so one observed day is enough.
    plan = FeaturePlan("job", groups, windows, ("count", "ddd"), ("days_since_last",), (), min_coverage=1e-9)
    dates = IndexFile(folder / "index_dates.parquet")
    checksum = rows = 0
    kept = []
    for _, block in iterate(plan, Register.open(folder), dates, rows_per_block=4096, threads=THREADS):
        checksum = (checksum + int(block.values.view(np.uint64).sum())) % 2**64
        rows += len(block)
        if len(sys.argv) > 4:
            kept.append(block.values)
    if kept:
        np.save(sys.argv[4], np.concatenate(kept))
    return {"rows": rows, "checksum": checksum}


def decode() -> dict[str, object]:
    import pyarrow.parquet as pq

    rows, ahead = 0, sys.argv[1] != "decode_unbuffered"  # ahead is the library's default
    for path in sorted((folder / "dispensings").glob("*.parquet")):
        with pq.ParquetFile(path, read_dictionary=["atc"], page_checksum_verification=True, pre_buffer=ahead) as file:
            columns = ["person_id", "dispensed_on", "atc", "ddd"]
            if sys.argv[1] != "decode_whole":
                rows += sum(batch.num_rows for batch in file.iter_batches(columns=columns, use_threads=False))
            else:
                rows += file.read(columns=columns, use_threads=False).num_rows
    return {"rows": rows}


print(json.dumps({**(ours() if sys.argv[1] == "ours" else decode()), "peak_mb": peak_mb()}))
