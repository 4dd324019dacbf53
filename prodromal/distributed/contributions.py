"""Explanations on a cluster: a Parquet folder with the contributions to every score of each part."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from prodromal.distributed.feature_folder import matrices
from prodromal.distributed.folder import told, write_folder, write_part
from prodromal.distributed.parts import Shared, asked_of, id_type
from prodromal.distributed.sent_model import SentModel
from prodromal.explain import By, Explainer
from prodromal.risk import load
from prodromal.scoring import ScoringAccount
from prodromal.scoring.diagnosed import Diagnosed
from prodromal.scoring.refusal import last_day, refuse_of_part

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from prodromal.explain import Explanation
    from prodromal.features import IndexFile
    from prodromal.features.building import Builder
    from prodromal.features.index_dates import Everyone
    from prodromal.register import Register

__all__ = ["explain_on_spark", "explain_part"]


def explain_on_spark(
    spark: SparkSession,
    bundle: Path,
    register: Register,
    dates: Everyone | IndexFile,
    output: Path,
    *,
    by: By = By.CLASS,
    replace: bool = False,
    provenance: Mapping[str, str] | None = None,
) -> ScoringAccount:
    """Write exact contributions to every score, bit by bit those of ``prodromal.explain.explain``.

    Parameters
    ----------
    spark : SparkSession
    bundle : Path
        Folder of the model; the driver reads it, executors get its bytes.
    register : Register
        On storage that every executor sees.
    dates : Everyone or IndexFile
        Who is explained when.
    output : Path
        Folder: ``person_id, index_date, score, base`` and one column per label.
    by : By
        What contributions are summed by.
    replace : bool
        Whether an existing folder may be replaced.
    provenance : mapping, optional
        Written into every file's metadata.

    Returns
    -------
    ScoringAccount

    Raises
    ------
    DataError
        If a part of the register is damaged (the message names it), or contributions do not add up to the scores.
    NotEstimable
        If nobody can be explained.
    OutputError
        If the output exists or cannot be written.
    """
    model = load(bundle)
    sent = SentModel.of(bundle, model)
    return write_folder(
        spark,
        f"{__name__}:explain_part",
        {"sent": (sent.files, sent.fingerprint), "by": by.value},
        register,
        dates,
        output,
        replace=replace,
        facts=provenance or {},
        beside={},
    )


def explain_part(job: Mapping[str, Any], position: int) -> bytes:
    """Write the contributions of a part on an executor."""
    shared = Shared(**job["shared"])
    asked = asked_of(shared, job["slices"][position])
    register = shared.open()
    register.verify_part(asked.part)
    builder, explainer, outcome = _explainer(SentModel(*job["sent"]), job["by"])
    kept, refused = refuse_of_part(asked, Diagnosed.of(register, outcome), last_day(register))
    numbers = ((name, pa.float64()) for name in ("score", "base", *explainer.labels))
    keys = [("person_id", id_type(asked.people)), ("index_date", pa.timestamp("s"))]
    found = (explainer.explain(matrix, kept.people) for matrix in matrices(builder, kept))
    write_part(job, position, pa.schema([*keys, *numbers]), (_table(explanation) for explanation in found))
    return told(ScoringAccount(len(asked.day), len(kept.day), refused))


def _table(found: Explanation) -> pa.Table:
    matrix = found.matrix
    return pa.table(
        {
            "person_id": matrix.person_id,
            "index_date": matrix.index_date.astype("datetime64[s]"),
            "score": found.score,
            "base": [found.base] * len(found.score),
            **dict(zip(found.labels, found.values.T, strict=True)),
        }
    )


@lru_cache(maxsize=2)
def _explainer(sent: SentModel, by: str) -> tuple[Builder, Explainer, str]:
    scorer = sent.scorer(0)
    return scorer.builder, Explainer(scorer.model, by=By(by)), scorer.model.outcome.name
