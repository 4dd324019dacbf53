"""Each wall around a bundle, taken down, lets something through that the tests see."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from prodromal.errors import BundleError
from prodromal.risk import bundle, bundle_files, load, save, signature, tree_structure, tree_table
from prodromal.risk import manifest as manifests
from prodromal.risk.signature import make_key_pair
from tests.security import drivers
from tests.security.bundles import files_of, forge, refused, small_model, write_ubjson
from tests.security.tree_damage import damaged


def nothing(*args, **options):
    return None


def damaged_bundle(folder, damage):
    model = small_model()
    save(model, folder)
    contents = {name: data for name, data in files_of(folder).items() if not name.startswith("bundle.")}
    document = bundle.read_ubjson(contents["model.ubj"], "file")
    forge(folder, contents | {"model.ubj": write_ubjson(damaged(document, damage, np.random.default_rng(1)))})
    return folder


def test_hashes_not_compared(monkeypatch):
    class Blind(dict):
        def __getitem__(self, name):
            return Equal()

    class Equal:
        def __ne__(self, other):
            return False

        __hash__ = None

    real = bundle_files.read_manifest
    monkeypatch.setattr(bundle_files, "read_manifest", lambda *a: replace(real(*a), sha256=Blind(real(*a).sha256)))
    assert drivers.flipped_bits(100, seed=1)[1] > 5


def test_manifest_not_compared_with_itself(monkeypatch, tmp_path):
    """A bit in the version of prodromal that wrote it touches no hash."""
    save(small_model(), tmp_path / "model")
    path = tmp_path / "model" / "bundle.json"
    path.write_bytes(path.read_bytes().replace(b'"prodromal": "0', b'"prodromal": "2'))
    assert refused(tmp_path / "model")
    monkeypatch.setattr(manifests, "_sealed", lambda content: path.read_bytes())
    assert not refused(tmp_path / "model")


@pytest.mark.parametrize(
    ("wall", "damage"),
    [
        ("children", "a circle"),
        ("children", "two parents"),
        ("children", "left child out of range"),
        ("depth", "deeper than any"),
        ("numbers", "feature out of range"),
        ("numbers", "threshold no number"),
        ("numbers", "cover no number"),
    ],
)
def test_a_check_of_trees_left_out(monkeypatch, tmp_path, wall, damage):
    folder = damaged_bundle(tmp_path / "model", damage)
    assert refused(folder)

    def children(self, tree, n):
        return tree["left_children"], tree["right_children"], tree["left_children"] == -1

    monkeypatch.setattr(tree_table._Check, wall, children if wall == "children" else nothing)
    if wall == "children":
        monkeypatch.setattr(tree_table._Check, "depth", nothing)
    assert not refused(folder)


def test_leaves_not_bounded(monkeypatch, tmp_path):
    folder = damaged_bundle(tmp_path / "model", "leaf beyond reason")
    assert refused(folder)
    monkeypatch.setattr(bundle, "check_scores", nothing)
    assert not refused(folder)


def test_counts_not_compared(monkeypatch, tmp_path):
    folder = damaged_bundle(tmp_path / "model", "num_trees")
    assert refused(folder)
    monkeypatch.setattr(tree_structure, "_check_counts", lambda found, model: model["trees"])
    assert not refused(folder)


def test_links_followed(monkeypatch, tmp_path):
    save(small_model(), tmp_path / "model")
    (tmp_path / "model" / "plan.toml").replace(tmp_path / "plan.toml")
    (tmp_path / "model" / "plan.toml").symlink_to(tmp_path / "plan.toml")
    assert refused(tmp_path / "model")
    monkeypatch.setattr(bundle_files, "_read", lambda path, size: path.read_bytes()[:size])
    assert not refused(tmp_path / "model")


def test_signature_not_verified(monkeypatch, tmp_path):
    make_key_pair(tmp_path / "key")
    save(small_model(), tmp_path / "model", key=tmp_path / "key")
    text = (tmp_path / "model" / "bundle.sig").read_text()
    (tmp_path / "model" / "bundle.sig").write_text(text[:-9] + "00000000\n")
    with pytest.raises(BundleError):
        load(tmp_path / "model", require_signature=tmp_path / "key.pub")
    monkeypatch.setattr(signature, "_verify", nothing)
    load(tmp_path / "model", require_signature=tmp_path / "key.pub")
