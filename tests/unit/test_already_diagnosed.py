"""People who have the outcome already are not scored."""

from __future__ import annotations

import numpy as np
import pyarrow.parquet as pq

from prodromal.cli.scored import tell_risks
from prodromal.features.index_dates import Everyone, IndexDates
from prodromal.scoring import Diagnosed, ScoringAccount, refuse, score_register
from tests.torture.small import deliver, make_register

DAY = int(np.datetime64("2012-01-01").astype("datetime64[D]").astype(np.int32))


def who_is_diagnosed(register):
    """Row of each person with a diagnosis at or before the day, alive and observed before it, said slowly."""
    people, outcomes = register.frame("persons"), register.frame("outcomes")
    found = outcomes[(outcomes["outcome"] == "ALS") & (outcomes["diagnosed_on"] <= "2012-01-01")]["person_id"]
    chosen = people[people["person_id"].isin(set(found))]
    alive = chosen["death_date"].isna() | (chosen["death_date"] > "2012-01-01")
    return set(chosen[alive & (chosen["observed_from"] < "2012-01-01")]["person_id"])


def test_they_are_refused_and_counted(world, tmp_path):
    expected = who_is_diagnosed(world.register)
    assert len(expected) > 10
    account = score_register(world.model, world.register, Everyone(DAY), tmp_path / "r.parquet", threads=2)
    scored = set(pq.read_table(tmp_path / "r.parquet").column("person_id").to_pylist())
    assert account.refused["already_diagnosed"] == len(expected)
    assert not scored & expected
    dates = IndexDates.on(np.arange(len(world.register.persons)), DAY)
    kept, reasons = refuse(world.register, dates, "ALS")
    assert set(world.register.persons.ids[kept.person_row].tolist()) == scored
    assert reasons["already_diagnosed"] == len(expected)


def test_the_day_before_the_diagnosis_is_scored_and_the_day_itself_is_not(world):
    rows, days = world.register.diagnoses("ALS")
    alive = world.register.persons.death[rows] > days
    seen = world.register.persons.observed_from[rows] < days - 1
    rows, days = rows[alive & seen], days[alive & seen]
    for shift, refused in ((-1, 0), (0, len(rows)), (1, len(rows))):
        among = world.register.persons.death[rows] > days + shift
        kept, reasons = refuse(world.register, IndexDates(rows[among], (days + shift)[among]), "ALS")
        assert reasons.get("already_diagnosed", 0) == (among.sum() if refused else 0)
        assert len(kept) == (0 if refused else len(rows))


def test_a_register_without_the_outcome_says_so(world, tmp_path, capsys):
    deliver(tmp_path / "d", persons=40)
    bare = make_register(tmp_path / "d", tmp_path / "r", rows_per_part=300)
    assert Diagnosed.of(bare, "ALS") is None
    assert Diagnosed.of(world.register, "gout") is None
    for known in (True, False):
        tell_risks(ScoringAccount(3, 3, {}), tmp_path / "o", world.model.outcome, diagnoses=known)
        assert ("who have it already are scored" in capsys.readouterr().out) != known
