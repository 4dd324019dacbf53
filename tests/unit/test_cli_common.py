"""What the verbs refuse or say before they work."""

from __future__ import annotations

from pathlib import Path

import pytest

from prodromal.atc import AtcGroup
from prodromal.cli.common import caution_unused, on_day, read_frame, refuse_other_form
from prodromal.errors import DataError, DefinitionError
from prodromal.features import FeaturePlan
from prodromal.risk.boosting import require_device
from prodromal.windows import Window


def test_a_date_behind_the_data_is_refused_and_one_a_little_behind_is_not(world):
    last = world.register.last_observed
    assert last == world.register.frame("persons")["observed_to"].max().date()
    assert on_day(world.register, "1970-01-02") == 1
    assert on_day(world.register, last.isoformat()) > 0
    with pytest.raises(DefinitionError, match=rf"2099-01-01 lies behind the data: nobody was observed after {last}"):
        on_day(world.register, "2099-01-01")


@pytest.mark.parametrize("name", ["r.csv", "r.xlsx", "r.JSON"])
def test_a_name_that_promises_another_form_is_refused(name):
    with pytest.raises(DefinitionError, match=r"written as Parquet; name it r\.parquet"):
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


def test_a_group_that_nothing_belongs_to_is_named(world, capsys):
    groups = [AtcGroup(name, name, (prefix,), name) for name, prefix in (("ghost", "Z99"), ("hypnotics", "N05C"))]
    caution_unused(FeaturePlan("p", tuple(groups), (Window(1, 91),), ("count",), (), ()), world.register)
    assert capsys.readouterr().out.startswith("CAUTION: no dispensing of the register belongs to ghost:")
    caution_unused(world.plan, world.register)
    assert capsys.readouterr().out == ""


def test_a_gpu_that_is_not_there_is_said():
    require_device("cpu")
    import xgboost

    if xgboost.build_info().get("USE_CUDA") and Path("/dev/nvidia0").exists():
        pytest.skip("there is a GPU")
    with pytest.raises(DefinitionError, match="no GPU is found"):
        require_device("cuda")
