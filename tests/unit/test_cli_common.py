"""What the verbs refuse or say before they work."""

from __future__ import annotations

from pathlib import Path

import pytest

from prodromal.cli.common import on_day, plan_of, read_frame, refuse_other_form
from prodromal.errors import DataError, DefinitionError
from prodromal.features import FeaturePlan
from prodromal.risk.boosting import require_device


def test_a_date_behind_the_data_is_refused_and_one_a_little_behind_is_not(world):
    last = world.register.last_observed
    assert last == world.register.frame("persons")["observed_to"].max().date()
    assert on_day(world.register, "1970-01-02") == 1
    assert on_day(world.register, last.isoformat()) > 0
    with pytest.raises(
        DefinitionError, match=rf"2099-01-01 is after the end of the data: nobody was observed after {last}"
    ):
        on_day(world.register, "2099-01-01")


@pytest.mark.parametrize("name", ["r.csv", "r.xlsx", "r.JSON", "r.2018"])
def test_a_name_that_promises_another_form_is_refused(name):
    with pytest.raises(DefinitionError, match=rf"{name}: this is written as Parquet; let its name end in \.parquet"):
        refuse_other_form(Path(name))


@pytest.mark.parametrize("name", ["r", "r.parquet"])
def test_parquet_is_not(name):
    refuse_other_form(Path(name))


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_rows_without_a_person_are_refused(tmp_path, suffix):
    path = tmp_path / f"dates.{suffix}"
    (tmp_path / "dates.csv").write_text("person_id,index_date\n108,2018-01-01\n,2018-01-01\n")
    if suffix == "parquet":
        import pandas as pd

        pd.read_csv(tmp_path / "dates.csv").to_parquet(path)
    with pytest.raises(DataError, match="1 of 2 rows have no person_id"):
        read_frame(path)


def test_a_group_that_nothing_belongs_to_is_named(world, tmp_path, capsys):
    for name, prefix in (("ghost", "Z99"), ("hypnotics", "N05C")):
        text = (
            f'name = "p"\nwindows = ["0-90d"]\nmeasures = ["count"]\n[[groups]]\nname = "{name}"\natc = ["{prefix}"]\n'
        )
        (tmp_path / "plan.toml").write_text(text)
        plan = plan_of(tmp_path / "plan.toml", world.register)
        assert [group.name for group in plan.groups] == [name]
        told = capsys.readouterr().out
        assert told.startswith("CAUTION: no dispensing of the register belongs to ghost:") == (name == "ghost")
        assert bool(told) == (name == "ghost")
    assert plan_of(None, world.register).fingerprint == FeaturePlan.psychiatric().fingerprint


def test_a_gpu_that_is_not_there_is_said():
    require_device("cpu")
    with pytest.raises(DefinitionError, match="device 'tpu': it is cpu or cuda"):
        require_device("tpu")
    import xgboost

    if xgboost.build_info().get("USE_CUDA") and Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    with pytest.raises(DefinitionError, match="no GPU is found"):
        require_device("cuda")
