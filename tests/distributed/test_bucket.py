"""A bucket scored as an executor scores it, without Spark; and sabotage that must show."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from prodromal.distributed import canonical, tables
from prodromal.distributed.sent_model import SentModel
from prodromal.errors import BundleError, ProdromalError
from prodromal.features.index_dates import Everyone
from prodromal.risk import load
from prodromal.scoring import score_register
from tests.distributed.conftest import DAY


@pytest.fixture(scope="module")
def alone(register, bundle, tmp_path_factory):
    path = tmp_path_factory.mktemp("alone") / "risks.parquet"
    score_register(load(bundle), register, Everyone(DAY), path)
    return pq.read_table(path)


@pytest.fixture(scope="module")
def sent(bundle):
    return SentModel.of(bundle, load(bundle))


def with_ids(table, id_type):
    return table.set_column(0, "person_id", table.column("person_id").cast(id_type))


@pytest.fixture
def scored(register, sent, tmp_path):
    """Scores the register's own rows, shuffled and half of them repeated, as one bucket."""

    def shuffled(table, seed):
        rows = np.random.default_rng(seed).permutation(table.num_rows)
        return table.take(rows).append_column(tables._BUCKET, pa.array(np.full(table.num_rows, 7)))

    def score(id_type=None):
        persons = register.table("persons")
        dispensings = pa.concat_tables([part.read(None) for part in register.parts]).unify_dictionaries()
        if id_type is not None:
            persons, dispensings = (
                t.set_column(0, "person_id", t.column(0).cast(id_type)) for t in (persons, dispensings)
            )
        twice = pa.concat_tables([dispensings, dispensings.slice(0, dispensings.num_rows // 2)])
        (tmp_path / "attempts").mkdir(exist_ok=True)
        job = {"sent": (sent.files, sent.fingerprint), "day": DAY, "reasons": 0, "facts": {}}
        places = {"folder": str(tmp_path), "attempts": str(tmp_path / "attempts")}
        found = tables.score_bucket({**job, **places}, shuffled(persons, 1), shuffled(twice, 2))
        account = json.loads(found.column("found")[0].as_py())
        return account, pq.read_table(tmp_path / "part-00007.parquet")

    return score


def test_a_bucket_has_the_risks_of_the_register(scored, alone):
    account, risks = scored()
    assert account["scored"] == alone.num_rows
    for name in ("person_id", "score", "risk"):
        assert risks.column(name).to_numpy().tobytes() == alone.column(name).to_numpy().tobytes()


def test_ids_may_be_text(scored, alone):
    _, risks = scored(pa.string())
    assert risks.schema.field("person_id").type == pa.string()
    number = with_ids(risks, pa.int64()).sort_by("person_id")
    assert number.column("person_id").equals(alone.column("person_id"))
    assert number.column("risk").to_numpy().tobytes() == alone.column("risk").to_numpy().tobytes()


def broken(scored, alone):
    with pytest.raises((AssertionError, ProdromalError)):
        test_a_bucket_has_the_risks_of_the_register(scored, alone)


def test_rows_left_unsorted_are_seen(scored, alone, monkeypatch):
    def as_they_stand(table):
        return pa.table({name: np.arange(table.num_rows) for name in table.column_names})

    monkeypatch.setattr(canonical, "_sortable", as_they_stand)
    broken(scored, alone)


def test_repeated_rows_left_in_are_seen(scored, alone, monkeypatch):
    monkeypatch.setattr(canonical, "_repeats", lambda table: np.zeros(table.num_rows, dtype=bool))
    broken(scored, alone)


def test_another_day_is_seen(scored, alone, monkeypatch):
    monkeypatch.setattr(f"{__name__}.DAY", DAY - 1)
    broken(scored, alone)


def test_a_bundle_changed_on_its_way_is_refused(sent):
    def changed(name, data):
        return data[:-1] + bytes([data[-1] ^ 1]) if name == "model.ubj" else data

    other = SentModel(tuple((name, changed(name, data)) for name, data in sent.files), sent.fingerprint)
    with pytest.raises(BundleError, match=r"model\.ubj differs"):
        other.scorer(0)
    with pytest.raises(BundleError, match="not the one that the driver checked"):
        SentModel(sent.files, "0" * 16).scorer(0)
