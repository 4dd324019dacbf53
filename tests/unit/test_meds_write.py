"""A register as a MEDS dataset: it has the schemas of MEDS, and is read back to the same register, byte by byte."""

from __future__ import annotations

import json
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meds import CodeMetadataSchema, DataSchema, DatasetMetadataSchema, LabelSchema, SubjectSplitSchema

from prodromal.errors import DataError
from prodromal.register import Register
from prodromal.sources import Source, TableSource, ingest
from prodromal.sources.meds import Meds, index_dates, labels, prediction_times, read_labels, read_splits, write_meds

PERSONS = """person_id,sex,birth_date,observed_from,observed_to,death_date,region,sampling_weight
-5,M,1950-01-01,2005-07-01,2020-12-31,,North,1
2,F,1951-02-03,2006-01-01,2015-06-30,2015-06-30,,2.5
3,U,1960-12-31,2005-07-01,2020-12-31,,South // East,0
40,F,1970-01-01,2010-01-01,2010-01-01,,,
"""
# Two rows equal in all canonical columns are two: a column that nobody reads tells them apart.
DISPENSINGS = """person_id,dispensed_on,atc,ddd,days_supply,quantity,receipt
-5,2010-01-01,N06AB04,28,30,1,a
-5,2010-01-01,N06AB04,28,30,1,b
-5,2010-01-01,N05B,,,,c
2,2006-01-01,N,0.1,1,2.5,d
2,2015-06-30,N05BA01,16.6667,3650,1,e
3,2020-12-31,C10AA05,1e-3,,,f
"""
OUTCOMES = """person_id,outcome,diagnosed_on,source
-5,ALS,2012-01-01,patient register
2,ALS,2015-06-30,
2,Parkinson's // disease,2014-06-30,cause of death
"""
RELATIVES = "person_id,relative_id,relation\n-5,2,sibling\n2,-5,sibling\n2,3,spouse\n"
FOLLOW_UP = "person_id,visit_on,alsfrs_r,invasive_ventilation_on\n2,2014-01-01,48,\n2,2015-01-01,,2015-02-01\n"


@pytest.fixture(scope="module")
def register(tmp_path_factory):
    folder = tmp_path_factory.mktemp("canonical")
    tables = {"persons": PERSONS, "dispensings": DISPENSINGS, "outcomes": OUTCOMES, "relatives": RELATIVES}
    for name, text in {**tables, "follow_up": FOLLOW_UP}.items():
        (folder / f"{name}.csv").write_text(text)
    sources = tuple(TableSource(name, (folder / f"{name}.csv",)) for name in (*tables, "follow_up"))
    ingest(Source(sources, extracted_on=date(2021, 1, 1), max_rejected=0), folder / "register", rows_per_part=3)
    return Register.open(folder / "register")


@pytest.fixture(scope="module")
def dataset(register, tmp_path_factory):
    folder = tmp_path_factory.mktemp("meds") / "dataset"
    write_meds(register, folder, splits=pa.table({"person_id": [2, -5], "split": ["train", "held_out"]}))
    return folder


def hashes(manifest, name):
    return [entry["sha256"] for entry in manifest["files"].get(name, ())]


def test_there_and_back_again(register, dataset, tmp_path):
    back = tmp_path / "back"
    ingest(Meds(dataset, date(2021, 1, 1), max_rejected=0).source(), back, rows_per_part=3)
    mine, theirs = register.manifest, Register.open(back).manifest
    for name in ("persons", "dispensings", "outcomes", "relatives", "follow_up", "rows_per_person"):
        assert hashes(mine, name) == hashes(theirs, name), name
    assert len(mine["files"]["dispensings"]) > 1
    assert mine["account"]["dispensings"]["kept"] == theirs["account"]["dispensings"]["kept"] == 6


def test_the_dataset_has_the_schemas_of_meds(dataset):
    shards = sorted((dataset / "data").glob("*.parquet"))
    assert len(shards) > 1
    codes, subjects = set(), []
    for shard in shards:
        table = pq.read_table(shard)
        DataSchema.validate(table)
        frame = table.to_pandas()
        codes |= set(frame["code"])
        subjects += list(frame["subject_id"].unique())
        assert (frame["subject_id"].diff().fillna(0) >= 0).all()
        for _, life in frame.groupby("subject_id"):
            assert life["time"].isna().sum() == life["time"].isna().cummin().sum()
            assert life["time"].dropna().is_monotonic_increasing
    assert subjects == [-5, 2, 3, 40]
    metadata = pq.read_table(dataset / "metadata" / "codes.parquet")
    CodeMetadataSchema.validate(metadata)
    assert set(metadata.column("code").to_pylist()) == codes
    parents = dict(zip(*(metadata.column(n).to_pylist() for n in ("code", "parent_codes")), strict=True))
    assert (parents["ATC//N05BA01"], parents["ATC//N"], parents["GENDER//M"]) == (["ATC/N05BA"], None, None)
    DatasetMetadataSchema.validate(json.loads((dataset / "metadata" / "dataset.json").read_text()))
    splits = pq.read_table(dataset / "metadata" / "subject_splits.parquet")
    SubjectSplitSchema.validate(splits)
    assert read_splits(dataset).to_pydict() == {"person_id": [-5, 2], "split": ["held_out", "train"]}


def test_a_life_reads_like_one(dataset):
    events = pq.read_table(dataset / "data" / "0.parquet").to_pandas()
    life = events[events["subject_id"] == events["subject_id"].iloc[0]]
    assert list(life["code"].iloc[:5]) == [
        "GENDER//M",
        "REGION//North",
        "SAMPLING_WEIGHT",
        "RELATIVE//sibling",
        "MEDS_BIRTH",
    ]
    assert life["code"].iloc[-1] == "OBSERVATION//END"
    bought = life[life["code"] == "ATC//N06AB04"]
    assert list(bought["numeric_value"]) == list(bought["ddd"]) == [28, 28]


def test_writing_twice_gives_the_same_bytes(register, dataset, tmp_path):
    splits = pa.table({"person_id": [2, -5], "split": ["train", "held_out"]})
    write_meds(register, tmp_path / "again", splits=splits)
    for file in (file for file in dataset.rglob("*") if file.is_file()):
        assert file.read_bytes() == (tmp_path / "again" / file.relative_to(dataset)).read_bytes(), file


def test_ids_of_text_are_refused(tmp_path):
    (tmp_path / "p.csv").write_text(PERSONS.replace("\n2,", "\nb,"))
    (tmp_path / "d.csv").write_text("person_id,dispensed_on,atc\nb,2010-01-01,N05B\n")
    tables = (TableSource("persons", (tmp_path / "p.csv",)), TableSource("dispensings", (tmp_path / "d.csv",)))
    ingest(Source(tables, extracted_on=date(2021, 1, 1)), tmp_path / "register")
    with pytest.raises(DataError, match="whole numbers as ids"):
        write_meds(Register.open(tmp_path / "register"), tmp_path / "dataset")
    assert not (tmp_path / "dataset").exists()


def test_splits_of_strangers_are_refused(register, tmp_path):
    with pytest.raises(DataError, match="1 of 2 people are not in"):
        write_meds(register, tmp_path / "d", splits=pa.table({"person_id": [2, 7], "split": ["a", "b"]}))
    assert not (tmp_path / "d").exists()


DAYS = st.dates(date(1970, 1, 2), date(2100, 1, 1)).map(lambda d: np.datetime64(d, "D"))


@settings(max_examples=100)
@given(days=st.lists(DAYS, min_size=1, max_size=5), timed=st.booleans())
def test_an_index_date_is_the_end_of_the_day_before_and_comes_back(days, timed):
    dates = np.array(days, dtype="datetime64[D]")
    times = prediction_times(dates)
    assert (times < dates.astype("datetime64[us]")).all()
    assert (times + np.timedelta64(1, "us") == dates.astype("datetime64[us]")).all()
    assert np.array_equal(index_dates(times, times_of_day=timed), dates)


@settings(max_examples=200)
@given(
    moment=st.datetimes(pd.Timestamp(1970, 1, 2), pd.Timestamp(2100, 1, 1)),
    event=st.datetimes(pd.Timestamp(1970, 1, 2), pd.Timestamp(2100, 1, 1)),
    near=st.booleans(),
)
def test_nothing_after_a_prediction_time_lies_before_its_index_date(moment, event, near):
    event = moment + pd.Timedelta(hours=event.hour + 1) if near else event
    time = np.datetime64(moment, "us")
    (day,) = index_dates(np.array([time]), times_of_day=True)
    if np.datetime64(event, "us") > time:
        assert np.datetime64(event, "D") >= day


def test_midnight_stands_for_the_day_where_no_event_has_a_time_of_day():
    times = np.array(["2014-01-01T00:00", "2014-01-01T00:01", "2014-01-01T23:59:59.999999"], dtype="datetime64[us]")
    found = {timed: index_dates(times, times_of_day=timed).astype(str).tolist() for timed in (False, True)}
    assert found == {
        False: ["2014-01-02", "2014-01-01", "2014-01-02"],
        True: ["2014-01-01", "2014-01-01", "2014-01-02"],
    }


COHORT = pd.DataFrame(
    {
        "person_id": [1, 2, 3, 4, 5, 1],
        "index_date": pd.to_datetime(["2014-01-01"] * 5 + ["2015-01-01"]),
        "event": [1, 1, 0, 0, 2, 1],
        "time_days": [400, 300, 100, 1000, 50, 1001],
    }
)


def test_labels_have_the_schema_of_meds_and_leave_out_whom_censoring_hides(tmp_path):
    table = labels(COHORT, lag_days=365, horizon_days=1000)
    LabelSchema.validate(table)
    assert table.column("subject_id").to_pylist() == [1, 2, 4, 5, 1]
    assert table.column("boolean_value").to_pylist() == [True, False, False, False, False]
    pq.write_table(table, tmp_path / "labels.parquet")
    back = read_labels(tmp_path / "labels.parquet", times_of_day=False)
    assert back["person_id"].tolist() == [1, 2, 4, 5, 1]
    assert back["index_date"].astype(str).tolist() == ["2014-01-01"] * 4 + ["2015-01-01"]
    assert back["label"].tolist() == [True, False, False, False, False]


def test_labels_agree_with_those_of_the_predictions():
    from prodromal.evaluate import meds_predictions

    mine = labels(COHORT, lag_days=365, horizon_days=1000)
    theirs = meds_predictions(
        COHORT.assign(risk=0.1), horizon_days=1000, lag_days=365
    ).drop_null()  # all but one column
    theirs = meds_predictions(COHORT.assign(risk=0.1), horizon_days=1000, lag_days=365)
    theirs = theirs.filter(theirs.column("boolean_value").is_valid())
    for name in ("subject_id", "prediction_time", "boolean_value"):
        assert mine.column(name).equals(theirs.column(name))


@pytest.mark.parametrize(
    ("cohort", "words"),
    [
        (COHORT.assign(person_id=list("abcdef")), "whole numbers"),
        (COHORT.drop(columns=["event", "time_days"]), "no column event, time_days"),
    ],
)
def test_cohorts_without_labels_are_refused(cohort, words):
    with pytest.raises(DataError, match=words):
        labels(cohort, lag_days=365, horizon_days=1000)
