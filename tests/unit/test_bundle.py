"""A bundle is read back exactly, and refused when anything in it is not what the manifest says."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from prodromal.errors import BundleError, OutputError
from prodromal.features import FeaturePlan, build
from prodromal.risk import load, save
from prodromal.risk.bundle import seal
from prodromal.risk.bundle_plan import describe_features
from prodromal.risk.manifest import FILES, write_manifest
from prodromal.risk.strict_json import write_json


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


def forge(folder, **changed):
    """Replace files and write a manifest that fits them."""
    contents = {name: (folder / name).read_bytes() for name in FILES} | changed
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / "bundle.json").write_bytes(write_manifest(contents))


def test_a_file_of_another_bundle_with_a_fitting_hash_is_refused(copy):
    """Plan and trees must belong together, even when every hash is right."""
    other = FeaturePlan.parse(FeaturePlan.psychiatric().to_toml().replace('"0-90d"', '"0-80d"'))
    described = {"features.json": write_json(describe_features(other))}
    forge(copy, **{"plan.toml": other.to_toml().encode()})
    with pytest.raises(BundleError, match="do not belong together"):
        load(copy)
    forge(copy, **described)
    with pytest.raises(BundleError, match="do not belong together"):
        load(copy)


def test_a_bundle_of_the_first_version_is_read_and_sealed_anew(copy):
    """Version 1 had neither a seal nor a card in its manifest."""
    found = json.loads((copy / "bundle.json").read_text())
    found.pop("seal")
    (copy / "bundle.json").write_bytes(write_json(found | {"version": 1}))
    (copy / "MODEL_CARD.md").write_text("# A card")
    load(copy)
    seal(copy)
    load(copy)
    assert json.loads((copy / "bundle.json").read_text())["version"] == 2
    (copy / "MODEL_CARD.md").write_text("# A cArd")
    with pytest.raises(BundleError, match=r"MODEL_CARD\.md differs"):
        load(copy)


def test_a_bundle_of_a_later_version_says_so(copy):
    found = json.loads((copy / "bundle.json").read_text())
    (copy / "bundle.json").write_bytes(write_json(found | {"version": 3}))
    with pytest.raises(BundleError, match="up to 2; update"):
        load(copy)


def test_a_card_is_written_and_covered(world, tmp_path):
    save(world.model, tmp_path / "model", card="# What it is")
    assert (tmp_path / "model" / "MODEL_CARD.md").read_text() == "# What it is"
    (tmp_path / "model" / "MODEL_CARD.md").unlink()
    with pytest.raises(BundleError, match="0 extra and 1 missing"):
        load(tmp_path / "model")


@pytest.mark.parametrize("changes", [{"slope": -1.0}, {"slope": 1e9}, {"reference": np.zeros(3)}])
def test_a_model_that_would_not_load_is_not_written(world, tmp_path, changes):
    with pytest.raises(BundleError):
        save(replace(world.model, **changes), tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_matrix_of_another_plan_is_refused(world):
    other = FeaturePlan.parse(FeaturePlan.psychiatric().to_toml().replace('"0-90d"', '"0-80d"'))
    matrix = build(other, world.register, world.cohort.index_dates.head(5))
    with pytest.raises(BundleError, match="build it with the model's plan"):
        world.model.score(matrix, world.register.persons)
