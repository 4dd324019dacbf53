"""The reader of model files agrees with XGBoost's own, and refuses trees that could not be walked."""

from __future__ import annotations

import json

import numpy as np
import pytest

from prodromal.errors import BundleError
from prodromal.risk.tree_structure import check_trees
from prodromal.risk.ubjson import read_ubjson
from tests.security.bundles import small_model, write_ubjson
from tests.security.tree_damage import DAMAGES, damaged


def document(**options):
    model = small_model(**options)
    return read_ubjson(bytes(model.booster.save_raw("ubj")), "file"), model


def plain(value):
    """Of a document read from UBJSON, what JSON would give."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value.tolist() if isinstance(value, np.ndarray) else value


def narrow(value):
    """Of a JSON document, with its numbers as float32, as the file has them."""
    if isinstance(value, dict):
        return {key: narrow(item) for key, item in value.items()}
    if isinstance(value, list):
        return [narrow(item) for item in value]
    return float(np.float32(value)) if isinstance(value, float) else value


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic"])
@pytest.mark.parametrize("depth", [1, 2, 6])
def test_it_reads_what_the_library_says_in_json(depth, objective):
    found, model = document(depth=depth, objective=objective)
    assert plain(found) == narrow(json.loads(bytes(model.booster.save_raw("json"))))


@pytest.mark.parametrize("depth", [1, 6])
def test_every_value_has_one_form(depth):
    """What is read can only have been written as it was."""
    data = bytes(small_model(depth=depth).booster.save_raw("ubj"))
    assert write_ubjson(read_ubjson(data, "file")) == data


@pytest.mark.parametrize("objective", ["reg:squarederror", "binary:logistic"])
def test_sound_trees_pass_and_bound_every_margin(objective):
    found, model = document(depth=4, objective=objective)
    trees = check_trees(found, n_features=236, where="file")
    rng = np.random.default_rng(1)
    rows = np.where(rng.random((2000, 236)) < 0.3, np.nan, rng.integers(-3, 9, (2000, 236))).astype(np.float32)
    margin = model.booster.inplace_predict(rows, predict_type="margin")
    assert trees.count == 6
    assert trees.lowest - 1e-5 <= margin.min() < margin.max() <= trees.highest + 1e-5
    assert trees.highest - trees.lowest < 2 * (margin.max() - margin.min())


@pytest.mark.parametrize("name", sorted(set(DAMAGES) - {"leaf beyond reason"}))
def test_damaged_trees_are_refused(name):
    found, _ = document()
    rng = np.random.default_rng(sum(name.encode()))
    for _ in range(5):
        with pytest.raises(BundleError, match="file"):
            check_trees(damaged(found, name, rng), n_features=236, where="file")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "too early"),
        (b"[", "too early"),
        (b"{}x", "first byte to its last"),
        (b"[#L" + bytes(8), "one object"),
        (b"{L" + b"\x7f" + b"\xff" * 7, "longer than"),
        (b"{L" + b"\xff" * 8, "negative"),
        (b"{L" + bytes(7) + b"\x01a[$d#L\x7f" + b"\xff" * 7, "too early"),
        (b"{L" + bytes(7) + b"\x01a[#L\x7f" + b"\xff" * 7, "longer than the file"),
        (b"{L" + bytes(7) + b"\x01a[$Z#L\x7f" + b"\xff" * 7, "type"),
        (b"{L" + bytes(7) + b"\x01a[]", "how long"),
        (b"{L" + bytes(7) + b"\x01aD" + bytes(8) + b"}", "mark"),
        (b"{L" + bytes(7) + b"\x01\xffi\x01}", "UTF-8"),
        (b"{" + 2 * (b"L" + bytes(7) + b"\x01ai\x01") + b"}", "twice"),
        (b"{i\x01ai\x01}", "64-bit"),
        (b"{" + 100 * (b"L" + bytes(7) + b"\x01a{"), "deeply"),
        (b"{L" + bytes(7) + b"\x01a[#L" + (3_000_000).to_bytes(8, "big") + b"i\x01" * 3_000_000 + b"}", "many values"),
    ],
)
def test_bytes_that_are_no_model_are_refused_soon(data, why):
    with pytest.raises(BundleError, match=f"cannot be read at byte.*{why}"):
        read_ubjson(data, "file")
