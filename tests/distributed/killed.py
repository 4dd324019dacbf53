"""Tasks that die once in the middle of writing their part, as executors import them."""

from __future__ import annotations

import os
from pathlib import Path

CHOSEN = 1


def score_part(job, position):
    import pyarrow.parquet as pq

    from prodromal.distributed.risks import score_part as sound

    marker = Path(job["marker"])
    if position == CHOSEN and not marker.exists():
        marker.write_text("")
        write = pq.ParquetWriter.write_table

        def die(self, *arguments, **named):
            write(self, *arguments, **named)
            os._exit(137)

        pq.ParquetWriter.write_table = die
    return sound(job, position)


def score_part_never(job, position):
    os._exit(137)


def ingest_bucket(job, rows):
    import shutil

    from prodromal.distributed.small_register import ingest_bucket as sound

    marker = Path(job["marker"])
    if not marker.exists():
        marker.write_text("")
        copy = shutil.copytree

        def die(*arguments, **named):
            copy(*arguments, **named)
            os._exit(137)

        shutil.copytree = die
    return sound(job, rows)
