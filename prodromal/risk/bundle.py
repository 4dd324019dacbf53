"""A model on disk: a folder whose manifest names the SHA-256 of every file; checked before anything is parsed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from prodromal import __version__
from prodromal.design import Outcome
from prodromal.errors import BundleError
from prodromal.features import FeaturePlan
from prodromal.files import atomic_folder
from prodromal.risk.model import RiskModel
from prodromal.risk.normaliser import Normaliser
from prodromal.risk.population import Population

__all__ = ["load", "save"]

_FORMAT = {"format": "prodromal bundle", "version": 1}
_MANIFEST = "bundle.json"
_FILES = ("model.ubj", "model.json", "plan.toml", "features.json")
_LARGEST_FILE = 1 << 28


def save(model: RiskModel, folder: str | Path, *, replace: bool = False) -> None:
    """Write a model as a bundle; the folder appears complete or not at all.

    Raises
    ------
    OutputError
        If the folder exists and may not be replaced, or cannot be written.
    """
    contents = {
        "model.ubj": bytes(model.booster.save_raw("ubj")),
        "model.json": _json(
            {
                "slope": model.slope,
                "log_mean": model.normaliser.log_mean.tolist(),
                "reference": model.reference.tolist(),
                "outcome": asdict(model.outcome),
                "population": {
                    "name": model.population.name,
                    "incidence": model.population.incidence.tolist(),
                    "mortality": model.population.mortality.tolist(),
                },
                "training": dict(model.training),
                "plan_fingerprint": model.plan.fingerprint,
            }
        ),
        "plan.toml": model.plan.to_toml().encode(),
        "features.json": _json(
            [{"name": f.name, "unit": f.unit, "class": f.family, "sentence": f.sentence} for f in model.plan.features]
        ),
    }
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    with atomic_folder(Path(folder), replace=replace) as partial:
        for name, data in contents.items():
            (partial / name).write_bytes(data)
        (partial / _MANIFEST).write_bytes(_json({**_FORMAT, "prodromal": __version__, "sha256": hashes}))


def load(folder: str | Path) -> RiskModel:
    """Read a bundle, after checking every file against the manifest.

    Raises
    ------
    BundleError
        If a file is missing, extra, changed, or does not fit the others.
    """
    contents = _verified(Path(folder))
    import xgboost

    try:
        facts = json.loads(contents["model.json"])
        plan = FeaturePlan.parse(contents["plan.toml"].decode(), "plan.toml")
        model = RiskModel(
            plan=plan,
            booster=xgboost.Booster(model_file=bytearray(contents["model.ubj"])),
            slope=float(facts["slope"]),
            normaliser=Normaliser(np.asarray(facts["log_mean"], dtype=np.float64)),
            population=_population(facts["population"]),
            outcome=Outcome(**facts["outcome"]),
            reference=np.asarray(facts["reference"], dtype=np.float64),
            training=facts["training"],
        )
    except (KeyError, TypeError, ValueError, xgboost.core.XGBoostError) as error:
        raise BundleError(f"{folder}: the bundle's parts cannot be read as a model") from error
    if plan.fingerprint != facts["plan_fingerprint"] or model.booster.num_features() != len(plan.features):
        raise BundleError(f"{folder}: the plan and the trees in the bundle do not belong together")
    return model


def fingerprint(folder: str | Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the manifest."""
    return hashlib.sha256((Path(folder) / _MANIFEST).read_bytes()).hexdigest()[:16]


def _verified(folder: Path) -> dict[str, bytes]:
    path = folder / _MANIFEST
    if not path.is_file():
        raise BundleError(f"{folder} is no model bundle: it has no {_MANIFEST}")
    try:
        manifest = json.loads(path.read_bytes())
        hashes = manifest["sha256"]
    except (ValueError, KeyError, TypeError) as error:
        raise BundleError(f"{path} is damaged") from error
    if {key: manifest.get(key) for key in _FORMAT} != _FORMAT or set(hashes) != set(_FILES):
        raise BundleError(f"{path} is not the manifest of a bundle of version {_FORMAT['version']}")
    present = {item.name for item in folder.iterdir()} - {_MANIFEST, "MODEL_CARD.md"}
    if present != set(_FILES):
        raise BundleError(
            f"{folder} has {len(present - set(_FILES))} extra and {len(set(_FILES) - present)} missing files"
        )
    contents = {}
    for name in _FILES:
        file = folder / name
        if file.is_symlink() or not file.is_file() or file.stat().st_size > _LARGEST_FILE:
            raise BundleError(f"{file} is not a plain file of acceptable size")
        contents[name] = file.read_bytes()
        if hashlib.sha256(contents[name]).hexdigest() != hashes[name]:
            raise BundleError(f"{file} differs from the manifest: it was changed or damaged")
    return contents


def _population(facts: dict[str, Any]) -> Population:
    return Population(facts["name"], np.asarray(facts["incidence"]), np.asarray(facts["mortality"]))


def _json(content: Any) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True) + "\n").encode()
