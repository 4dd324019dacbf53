"""A bundle is read back exactly, and refused when anything in it is not what the manifest says."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from prodromal.errors import BundleError, OutputError
from prodromal.features import FeaturePlan, build
from prodromal.risk import load, save


@pytest.fixture(scope="module")
def bundle(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundle") / "model"
    save(world.model, folder)
    return folder


@pytest.fixture
def copy(bundle, tmp_path):
    return shutil.copytree(bundle, tmp_path / "model")


def test_scores_survive_the_disk(world, bundle):
    matrix = build(world.plan, world.register, world.cohort.index_dates)
    before, after = (m.score(matrix, world.register.persons) for m in (world.model, load(bundle)))
    for column in ("score", "risk", "percentile", "expected_per_100k"):
        np.testing.assert_array_equal(before[column], after[column])


def test_saving_twice_gives_the_same_bytes(world, bundle, tmp_path):
    save(world.model, tmp_path / "again")
    for file in bundle.iterdir():
        assert file.read_bytes() == (tmp_path / "again" / file.name).read_bytes()


def test_an_existing_bundle_is_not_replaced_unasked(world, copy):
    with pytest.raises(OutputError, match="exists"):
        save(world.model, copy)


@pytest.mark.parametrize("name", ["model.ubj", "model.json", "plan.toml", "features.json", "bundle.json"])
@pytest.mark.parametrize("place", [0.0, 0.3, 0.7, 0.999])
def test_one_flipped_bit_is_refused(copy, name, place):
    file = copy / name
    data = bytearray(file.read_bytes())
    data[int(place * len(data))] ^= 1
    file.write_bytes(data)
    with pytest.raises(BundleError):
        load(copy)


def test_missing_extra_and_linked_files_are_refused(copy):
    (copy / "extra.bin").write_bytes(b"x")
    with pytest.raises(BundleError, match="1 extra and 0 missing"):
        load(copy)
    (copy / "extra.bin").unlink()
    (copy / "plan.toml").rename(copy.parent / "plan.toml")
    with pytest.raises(BundleError, match="0 extra and 1 missing"):
        load(copy)
    (copy / "plan.toml").symlink_to(copy.parent / "plan.toml")
    with pytest.raises(BundleError, match="plain file"):
        load(copy)


def test_a_file_of_another_bundle_with_a_fitting_hash_is_refused(copy):
    """Plan and trees must belong together, even when every hash is right."""
    import hashlib

    plan = FeaturePlan.psychiatric().to_toml().replace('"0-90d"', '"0-80d"').encode()
    (copy / "plan.toml").write_bytes(plan)
    manifest = json.loads((copy / "bundle.json").read_text())
    manifest["sha256"]["plan.toml"] = hashlib.sha256(plan).hexdigest()
    (copy / "bundle.json").write_text(json.dumps(manifest))
    with pytest.raises(BundleError, match="do not belong together"):
        load(copy)


def test_a_matrix_of_another_plan_is_refused(world):
    other = FeaturePlan.parse(FeaturePlan.psychiatric().to_toml().replace('"0-90d"', '"0-80d"'))
    matrix = build(other, world.register, world.cohort.index_dates.head(5))
    with pytest.raises(BundleError, match="build it with the model's plan"):
        world.model.score(matrix, world.register.persons)
