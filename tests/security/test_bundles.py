"""A bundle that is damaged, mixed or hostile is refused before XGBoost sees a byte, and nothing in it acts."""

from __future__ import annotations

import pytest

from prodromal.errors import BundleError
from prodromal.risk import load, save
from tests.security.bundles import files_of, forge, refused, small_model
from tests.security.facts_damage import FACTS, PLANS, put
from tests.torture.promises import failures


@pytest.fixture(scope="module")
def contents(tmp_path_factory):
    folder = tmp_path_factory.mktemp("security") / "model"
    save(small_model(), folder)
    return {name: data for name, data in files_of(folder).items() if not name.startswith("bundle.")}


def test_no_flipped_bit_passes():
    assert failures("flipped_bit_in_bundle_refused") == 0


def test_no_foreign_missing_extra_or_renamed_file_passes():
    assert failures("foreign_file_in_bundle_refused") == 0


def test_no_hostile_bundle_passes_or_acts():
    assert failures("hostile_bundle_does_nothing") == 0


def test_bytes_changed_at_random_under_correct_hashes_crash_nothing():
    assert failures("mutated_model_crashes_nothing") == 0


def test_the_check_itself_sees_a_bundle_that_passes(contents, tmp_path):
    forge(tmp_path / "sound", contents)
    assert not refused(tmp_path / "sound")
    assert load(tmp_path / "sound").slope == 0.8


VALUES = [(way, i) for way, values in FACTS.items() for i in range(len(values))]


@pytest.mark.parametrize(("way", "number"), VALUES, ids=[f"{'.'.join(map(str, w))}-{i}" for w, i in VALUES])
def test_no_number_out_of_its_range_passes(contents, tmp_path, way, number):
    forge(tmp_path / "model", contents | {"model.json": put(contents["model.json"], way, FACTS[way][number])})
    assert refused(tmp_path / "model")


@pytest.mark.parametrize("number", range(len(PLANS)))
def test_no_plan_that_is_none_or_another_passes(contents, tmp_path, number):
    changed = PLANS[number](contents["plan.toml"].decode()).encode()
    assert changed != contents["plan.toml"]
    forge(tmp_path / "model", contents | {"plan.toml": changed})
    assert refused(tmp_path / "model")


def test_a_refusal_shows_no_value(contents, tmp_path):
    secret = "1987-in-Uppsala"
    forge(tmp_path / "model", contents | {"model.json": put(contents["model.json"], ("slope",), secret)})
    with pytest.raises(BundleError) as refusal:
        load(tmp_path / "model")
    assert secret not in str(refusal.value)
    assert "slope" in str(refusal.value)
