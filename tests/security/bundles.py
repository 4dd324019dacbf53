"""Bundles to be damaged: a small model made of numbers, and manifests that fit whatever stands beside them."""

from __future__ import annotations

import struct
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest import mock

import numpy as np
import xgboost

from prodromal.design import Outcome
from prodromal.errors import BundleError
from prodromal.features import FeaturePlan
from prodromal.risk import Population, RiskModel, load
from prodromal.risk.manifest import write_manifest
from prodromal.risk.normaliser import Normaliser
from prodromal.trees import StoredTrees

CARD = "# A model of numbers\n"


@cache
def small_model(seed: int = 0, *, depth: int = 2, objective: str = "reg:squarederror") -> RiskModel:
    """Trees on random columns of the psychiatric plan."""
    plan, rng = FeaturePlan.psychiatric(), np.random.default_rng(seed)
    rows = rng.integers(0, 5, (400, len(plan.features))).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    label = (np.nan_to_num(rows[:, :3]).sum(axis=1) + rng.normal(size=400) > 5).astype(float)
    settings = {"max_depth": depth, "base_score": 0.5, "objective": objective, "nthread": 1, "seed": seed}
    booster = xgboost.train(settings, xgboost.DMatrix(rows, label, nthread=1), 6)
    return RiskModel(
        plan=plan,
        trees=StoredTrees.of(booster),
        slope=0.8,
        normaliser=Normaliser(rng.normal(0, 0.1, (2, 120))),
        population=Population.sweden_like(),
        outcome=Outcome("ALS"),
        reference=np.sort(rng.normal(0, 0.3, 1001)),
        training={"sets": 100, "rounds": 6, "age_range": [20, 90], "warning": "Made of random numbers."},
    )


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of a bundle with its bytes."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def forge(folder: Path, contents: dict[str, bytes]) -> None:
    """Write files and a manifest whose hashes all fit."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / "bundle.json").write_bytes(write_manifest(contents))


class SeenByXGBoostError(Exception):
    """A byte of a bundle reached XGBoost."""


@contextmanager
def xgboost_must_not_look():
    """Inside, XGBoost reads nothing: whoever asks it to has failed."""
    with mock.patch.object(xgboost, "Booster", side_effect=SeenByXGBoostError):
        yield


def refused(folder: Path, **options) -> bool:
    """Whether a bundle is refused with our own error before XGBoost sees a byte; any other end is none."""
    with xgboost_must_not_look():
        try:
            load(folder, **options)
        except BundleError:
            return True
        except Exception:  # noqa: BLE001  whatever else it is, it is no refusal
            return False
    return False


_TYPED = {"float32": (b"d", ">f4"), "int32": (b"l", ">i4"), "int64": (b"L", ">i8"), "uint8": (b"U", "u1")}


def write_ubjson(value) -> bytes:
    """The inverse of ``read_ubjson``, also for documents that XGBoost would never write."""
    if isinstance(value, dict):
        return b"{" + b"".join(_text(key) + write_ubjson(item) for key, item in value.items()) + b"}"
    if isinstance(value, np.ndarray):
        mark, dtype = _TYPED[str(value.dtype)]
        return b"[$" + mark + b"#L" + struct.pack(">q", len(value)) + value.astype(dtype).tobytes()
    if isinstance(value, list):
        return b"[#L" + struct.pack(">q", len(value)) + b"".join(map(write_ubjson, value))
    if isinstance(value, str):
        return b"S" + _text(value)
    mark, form = next((m, f) for m, f, top in _WHOLE if -top <= value < top)
    return mark + struct.pack(form, value)


_WHOLE = ((b"i", ">b", 1 << 7), (b"I", ">h", 1 << 15), (b"l", ">i", 1 << 31), (b"L", ">q", 1 << 63))


def _text(text: str) -> bytes:
    data = text.encode()
    return b"L" + struct.pack(">q", len(data)) + data
