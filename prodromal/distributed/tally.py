"""What an evaluation needs of many people, counted part by part on a cluster and added up."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from prodromal.design import read_cohort
from prodromal.distributed.dispatch import run_tasks
from prodromal.distributed.parts import Shared, asked_of, slices_of
from prodromal.distributed.rows import read_rows
from prodromal.distributed.sent_model import SentModel
from prodromal.features import IndexFile
from prodromal.register.persons import SEXES
from prodromal.risk import load
from prodromal.scoring.refusal import refuse_of_part

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from pyspark.sql import SparkSession

    from prodromal.register import Register

__all__ = ["Tally", "tally_on_spark", "tally_part"]

_KEYS = ("sex", "age_band", "risk_bin", "event", "time_days")
_SUMS = ("n", "weight", "expected")
AGE_EDGES = (0, 50, 60, 70, 80)
_BINS_PER_TENFOLD = 32
_LOWEST_RISK = 1e-8


@dataclass(frozen=True)
class Tally:
    """People of equal sex, age band, bin of risk, and end of follow-up, taken together.

    As rows of an evaluation (``rows``) they give the same overall and age-sex numbers as the people one by one,
    censoring included; what ranks people within a bin is gone.

    Parameters
    ----------
    table : Table
        ``sex`` (place in M, F, U), ``age_band`` (lower edge in years), ``risk_bin``, ``event`` (0 censored, 1 outcome,
        2 death), ``time_days`` (at most the horizon), and the sums ``n`` (int64, people), ``weight`` and ``expected``
        (float64: weights, and weight times risk). Sorted by the first five.
    """

    table: pa.Table

    @classmethod
    def of(cls, people: Mapping[str, Any], risk: np.ndarray[Any, np.dtype[np.float64]], *, horizon_days: int) -> Tally:
        """Count people.

        Parameters
        ----------
        people : mapping of str to ndarray, each of shape (n_rows,)
            ``sex, age_years, event, time_days, weight`` of a cohort; rows without weight are left out.
        risk : ndarray of float64, shape (n_rows,)
            Predicted probability of the outcome within the horizon.
        horizon_days : int
            Follow-up ends here.
        """
        counted = people["weight"] > 0
        weight, beyond = people["weight"][counted], people["time_days"][counted] > horizon_days
        age = np.clip(people["age_years"][counted], 0, None)
        keys = {
            "sex": people["sex"][counted],
            "age_band": np.asarray(AGE_EDGES)[np.searchsorted(AGE_EDGES, age, side="right") - 1],
            "risk_bin": np.floor(_BINS_PER_TENFOLD * np.log10(np.maximum(risk[counted], _LOWEST_RISK))),
            "event": np.where(beyond, 0, people["event"][counted]),
            "time_days": np.where(beyond, horizon_days, people["time_days"][counted]),
        }
        sums = {"n": np.ones(len(weight), dtype=np.int64), "weight": weight, "expected": weight * risk[counted]}
        return _added({**{name: values.astype(np.int64) for name, values in keys.items()}, **sums})

    @classmethod
    def total(cls, tallies: Iterable[Tally]) -> Tally:
        """The sum of several, added in the order given."""
        whole = pa.concat_tables([tally.table for tally in tallies])
        return _added({name: whole.column(name).to_numpy() for name in (*_KEYS, *_SUMS)})

    def rows(self) -> pa.Table:
        """Rows for an evaluation: ``risk, event, time_days, weight, sex, age_years``; the mean risk stands for all."""
        sexes = pa.array([SEXES[code] for code in self.table.column("sex").to_pylist()])
        weight, expected = (self.table.column(name).to_numpy() for name in ("weight", "expected"))
        return pa.table(
            {
                "risk": expected / weight,
                **{name: self.table.column(name) for name in ("event", "time_days", "weight")},
                "sex": sexes,
                "age_years": self.table.column("age_band"),
            }
        )


def tally_on_spark(spark: SparkSession, bundle: Path, register: Register, cohort: Path) -> Tally:
    """Score a cohort on a cluster and count, without writing a risk.

    Parameters
    ----------
    spark : SparkSession
    bundle : Path
        Folder of the model.
    register : Register
        On storage that every executor sees.
    cohort : Path
        Landmark cohort with outcomes, sorted by person and date as ``prodromal cohort landmark`` writes it, on shared
        storage.

    Returns
    -------
    Tally
        The same whatever the cluster: parts are added in the order of the register.

    Raises
    ------
    DataError
        If the cohort is of another register or not sorted, or a part of the register is damaged.
    """
    question = read_cohort(cohort, register=register.fingerprint).outcome
    sent = SentModel.of(bundle, load(bundle))
    dates = IndexFile(cohort)
    slices = slices_of(register, dates)
    job = {
        "shared": asdict(Shared.of(register, dates, cohort)),
        "slices": slices,
        "sent": (sent.files, sent.fingerprint),
        "horizon_days": question.horizon_days,
    }
    found = run_tasks(spark, f"{__name__}:tally_part", job, len(slices))
    return Tally.total(Tally(pa.ipc.open_stream(data).read_all()) for data in found)


def tally_part(job: Mapping[str, Any], position: int) -> bytes:
    """Score and count a part on an executor; gives an Arrow stream."""
    shared, slice_ = Shared(**job["shared"]), job["slices"][position]
    asked = asked_of(shared, slice_)
    shared.open().verify_part(asked.part)
    kept, _ = refuse_of_part(asked, None)
    scorer = SentModel(*job["sent"]).scorer(0)
    history = scorer.builder.reader.read(kept.part, kept.rows)
    tables = scorer.tables(kept.people, history, kept.person, kept.day)
    risk = np.concatenate([np.empty(0), *(table.column("risk").to_numpy() for table in tables)])
    followed = read_rows((shared.dates_path(),), slice_[1], slice_[2], columns=["event", "time_days", "weight"])
    of_kept = kept.position - slice_[1]
    people = {name: followed.column(name).to_numpy()[of_kept] for name in followed.column_names}
    people["sex"], people["age_years"] = kept.people.sex[kept.person], kept.people.age_years(kept.person, kept.day)
    return _stream(Tally.of(people, risk, horizon_days=job["horizon_days"]).table)


def _added(columns: Mapping[str, Any]) -> Tally:
    order = np.lexsort([columns[name] for name in reversed(_KEYS)])
    ordered = {name: values[order] for name, values in columns.items()}
    changes = np.any([np.diff(ordered[name], prepend=-1 - ordered[name][:1]) != 0 for name in _KEYS], axis=0)
    first = np.flatnonzero(changes)
    keys = {name: ordered[name][first] for name in _KEYS}
    # One after the other, in their order: pairs as numpy adds them would depend on the place in memory.
    code = np.cumsum(changes) - 1
    add = partial(np.bincount, code, minlength=len(first))
    sums = {name: add(weights=ordered[name]) for name in ("weight", "expected")}
    return Tally(pa.table({**keys, "n": np.add.reduceat(ordered["n"], first) if len(first) else ordered["n"], **sums}))


def _stream(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())
