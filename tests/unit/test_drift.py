"""Drift: those who are scored beside those whom the model learned from."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from prodromal.cli.scored import tell_drift
from prodromal.features.index_dates import IndexDates
from prodromal.risk.scored import FLAGS
from prodromal.risk.use import AGE_ENDS, Use, count_use, use_columns
from prodromal.scoring import drift_beside, score_register
from prodromal.scoring.drift import Seen, drift_table
from tests.torture.small import deliver, make_register

CELLS = 2 * (len(AGE_ENDS) - 1)
NOBODY_FLAGGED = np.zeros(len(FLAGS), dtype=np.int64)


def table(
    *,
    people,
    users,
    share,
    codes=None,
    register_codes=None,
    months=None,
    flagged=NOBODY_FLAGGED,
    extract=False,
    rows=None,
):
    use = {"age_ends": list(AGE_ENDS), "people": [0] * CELLS, "share": {"A": share}}
    group = SimpleNamespace(matches=lambda code: code.startswith("N0"))
    model = SimpleNamespace(
        training={
            "use": use,
            **({"codes": codes} if codes is not None else {}),
            **({"rows": rows} if rows is not None else {}),
        },
        plan=SimpleNamespace(groups=(group,)),
    )
    register = SimpleNamespace(codes=register_codes or {}, months=months or {}, is_extract=extract)
    seen = Seen(Use(np.asarray(people, float), np.asarray(users, float)[:, None]), np.asarray(flagged))
    return pd.DataFrame(drift_table(model, register, ("A",), seen, int(np.sum(people))))


def test_use_is_compared_at_the_same_age_and_sex():
    people, share = np.zeros(CELLS), np.zeros(CELLS)
    people[[0, 11]], share[[0, 11]] = [1000, 3000], [0.1, 0.4]
    row = table(people=people, users=people * share, share=share.tolist()).iloc[0]
    assert row["expected"] == row["observed"] == 1300
    assert not row["shifted"]
    (row,) = (
        table(people=people, users=people * share / 2, share=share.tolist()).query("kind == 'use'").to_dict("records")
    )
    assert row["ratio"] == pytest.approx(0.5)
    assert row["z"] == pytest.approx(-650 / np.sqrt(1300 * (1 - 1300 / 4000)))
    assert row["shifted"]


def test_the_training_is_a_sample_too():
    people, users = np.zeros(CELLS), np.zeros(CELLS)
    people[0], users[0] = 1935, 6
    assert table(people=people, users=users, share=[0.0] * CELLS).iloc[0]["shifted"]
    row = table(people=people, users=users, share=[0.0] * CELLS, rows=1086).iloc[0]
    pooled = 6 / (1935 + 1086)
    assert row["z"] == pytest.approx(6 / np.sqrt(1935 * pooled * (1 - pooled) * (1 + 1935 / 1086)))
    assert not row["shifted"]
    users[0] = 200
    assert table(people=people, users=users, share=[0.0] * CELLS, rows=1086).iloc[0]["shifted"]


def test_small_counts_are_not_told():
    people = np.full(CELLS, 10.0)
    users = np.zeros(CELLS)
    users[0] = 3
    found = table(people=people, users=users, share=[0.5] * CELLS, flagged=np.array([4, 5, 0, 60]))
    assert found.query("kind == 'use'")[["observed", "ratio", "z"]].isna().all(axis=None)
    assert found.query("kind == 'flag'")["observed"].tolist()[1:] == [5, 0, 60]
    assert np.isnan(found.query("kind == 'flag'")["observed"].iloc[0])
    assert found.query("kind == 'flag'")["shifted"].tolist() == [False, False, False, True]


def test_codes_that_the_training_never_saw():
    found = table(
        people=np.ones(CELLS),
        users=np.zeros(CELLS),
        share=[0] * CELLS,
        codes=["N05BA01"],
        register_codes={"N05BA01": 9, "N06AX99": 7, "N05ZZ01": 2, "C10AA01": 50},
    ).query("kind == 'code'")
    assert found["name"].tolist() == ["N05ZZ01", "N06AX99"]
    assert found["shifted"].tolist() == [False, True]


def test_a_month_without_dispensings_is_found():
    months = {f"2012-{m:02d}": 0 if m == 6 else 100 for m in range(1, 13)}
    found = table(people=np.ones(CELLS), users=np.zeros(CELLS), share=[0] * CELLS, months=months)
    assert found.query("kind == 'month'")["name"].tolist() == ["2012-06"]


def test_an_extract_is_said_to_be_one(world, tmp_path, capsys):
    deliver(tmp_path / "d", persons=40)
    whole = make_register(tmp_path / "d", tmp_path / "r", rows_per_part=300)
    assert set(whole.persons.weight) == {1.0}
    assert len(set(world.register.persons.weight)) > 1
    assert (whole.is_extract, world.register.is_extract) == (False, True)
    people, share = np.full(CELLS, 1000.0), [0.1] * CELLS
    for extract in (False, True):
        table(people=people, users=people / 2, share=share, extract=extract).to_csv(tmp_path / "t.csv", index=False)
        tell_drift(tmp_path / "t.csv")
        told = capsys.readouterr().out
        assert told.startswith("CAUTION: used much more or less")
        assert ("extract with unequal sampling weights" in told) == extract


def test_people_of_unknown_sex_are_left_out_and_cells_are_men_then_women():
    values = np.array([[np.nan], [3.0], [1.0], [1.0]], dtype=np.float32)
    use = count_use(values, np.array([0]), np.array([39, 40, 80, 50]), np.array([0, 0, 1, 2]))
    assert use.people.tolist() == [1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
    assert use.users[:, 0].tolist() == [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]


def test_a_model_scores_its_own_people_without_shift(world, tmp_path):
    names, _ = use_columns(world.plan)
    assert set(world.model.training["use"]["share"]) <= set(names)
    assert len(world.model.training["use"]["share"]) >= len(names) - 2
    path = tmp_path / "risks.parquet"
    dates = world.sets.frame.loc[world.sets.frame["case"] == 0, ["person_id", "index_date"]]
    score_register(world.model, world.register, IndexDates.of(world.register, dates), path)
    own = pd.read_csv(drift_beside(path))
    ratios = own.loc[own["kind"] == "use", "ratio"].dropna()
    assert len(ratios) >= len(names) - 2
    assert ratios.between(0.98, 1.02).all()
    assert not own.loc[own["kind"] == "use", "shifted"].any()


def test_a_register_tells_its_codes_and_months(tmp_path):
    deliver(tmp_path / "d", persons=40)
    register = make_register(tmp_path / "d", tmp_path / "r", rows_per_part=300)
    table = pd.concat(part.read(["atc", "dispensed_on"]).to_pandas() for part in register.parts)
    assert len(register.parts) > 1
    assert register.codes == table["atc"].astype(str).value_counts().sort_index().to_dict()
    months = pd.to_datetime(table["dispensed_on"]).dt.strftime("%Y-%m").value_counts()
    assert sum(register.months.values()) == len(table)
    assert all(register.months[month] == rows for month, rows in months.items())
    assert list(register.months) == sorted(register.months)
