"""`prodromal evaluate` writes what other tools read, on request."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.cli.app import main
from prodromal.design import write_cohort

OHDSI = {
    "evaluationStatistics",
    "thresholdSummary",
    "calibrationSummary",
    "demographicSummary",
    "predictionDistribution",
    "covariateSummary",
}


@pytest.fixture
def evaluated(world, tmp_path):
    """Risks of any model, here the table's, in a CSV file; gives the folder of the evaluation."""
    frame = world.cohort.frame
    write_cohort(world.cohort, tmp_path / "cohort.parquet", register=world.register.fingerprint)
    risks = frame[["person_id", "index_date"]].assign(risk=np.where(frame["age_years"] > 60, 2e-4, 5e-5))
    risks.to_csv(tmp_path / "risks.csv", index=False)

    def run(*flags):
        out = tmp_path / "out"
        files = [str(tmp_path / name) for name in ("risks.csv", "cohort.parquet")]
        with pytest.raises(SystemExit) as left:
            main(["evaluate", *files, "--replicates", "10", "--output", str(out), *flags])
        assert left.value.code == 0
        return out

    return run


def test_nothing_more_than_asked(evaluated):
    out = evaluated()
    assert not (out / "ohdsi").exists()
    assert not (out / "meds_predictions.parquet").exists()


def test_exports_for_ohdsi_and_meds(evaluated, world):
    out = evaluated("--ohdsi", "--meds")
    assert {path.stem for path in (out / "ohdsi").glob("*.csv")} == OHDSI
    assert len(pd.read_csv(out / "ohdsi" / "evaluationStatistics.csv"))
    meds = pq.read_table(out / "meds_predictions.parquet")
    frame, horizon = world.cohort.frame, world.question.horizon_days
    censored = (frame["event"] == 0) & (frame["time_days"] < horizon)
    assert meds.num_rows == len(frame) - censored.sum() < len(frame)
    assert meds.schema.field("subject_id").type == pa.int64()
    assert meds.column("boolean_value").null_count == 0
