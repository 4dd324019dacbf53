"""A model on disk: a folder whose files are checked, as bytes, before anything in them is believed."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from prodromal.design import Outcome
from prodromal.errors import BundleError, DefinitionError
from prodromal.files import atomic_folder
from prodromal.risk.bundle_files import BundleFiles, read_bundle_files
from prodromal.risk.bundle_plan import check_features, describe_features, read_plan
from prodromal.risk.facts import check_scores, read_facts
from prodromal.risk.manifest import CARD, MANIFEST, SIGNATURE, write_manifest
from prodromal.risk.model import RiskModel
from prodromal.risk.normaliser import Normaliser
from prodromal.risk.population import Population
from prodromal.risk.signature import check_signature, read_private_key, sign_manifest
from prodromal.risk.strict_json import read_json, write_json
from prodromal.risk.tree_structure import check_trees
from prodromal.risk.ubjson import read_ubjson
from prodromal.trees import StoredTrees

if TYPE_CHECKING:
    from collections.abc import Mapping


__all__ = ["fingerprint", "load", "save", "seal"]


def save(
    model: RiskModel,
    folder: str | Path,
    *,
    replace: bool = False,
    card: str | None = None,
    key: str | Path | None = None,
) -> None:
    """Write a model as a bundle; the folder appears complete or not at all.

    Parameters
    ----------
    model : RiskModel
    folder : path
    replace : bool
        Whether an existing bundle may be replaced.
    card : str, optional
        Text of ``MODEL_CARD.md``; the manifest covers it.
    key : path, optional
        Ed25519 private key in PEM that signs the bundle.

    Raises
    ------
    OutputError
        If the folder exists and may not be replaced, or cannot be written.
    BundleError
        If the model is one that ``load`` would refuse.
    DefinitionError
        If `key` is no private key.
    """
    facts = {
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
    contents = {
        "model.ubj": model.trees.ubj,
        "model.json": write_json(facts),
        "plan.toml": model.plan.to_toml().encode(),
        "features.json": write_json(describe_features(model.plan)),
        **({CARD: card.encode()} if card is not None else {}),
    }
    _model(contents, "the model")
    _publish(contents, Path(folder), replace=replace, key=key)


def load(folder: str | Path, *, require_signature: str | Path | None = None) -> RiskModel:
    """Read a bundle, after checking every file, and the signature where there is one.

    Parameters
    ----------
    folder : path
    require_signature : path, optional
        Ed25519 public key in PEM. A bundle that it did not sign is refused.

    Raises
    ------
    BundleError
        If a file is missing, extra, changed, or does not fit the others; if the trees or the numbers are not what a
        model can have; if the bundle is unsigned, or signed by another key, and must not be.
    DefinitionError
        If `require_signature` is no public key.
    """
    return _model(_checked(Path(folder), require_signature).contents, str(folder))


def seal(folder: str | Path, *, key: str | Path | None = None) -> None:
    """Write the manifest of a sound bundle anew, in the newest format and with its card, signed where there is a key.

    Raises
    ------
    BundleError
        If ``load`` refuses the bundle.
    DefinitionError
        If `key` is no private key.
    OutputError
        If the bundle cannot be written; the old one then stays.
    """
    found = _checked(Path(folder), None)
    _model(found.contents, str(folder))
    contents = {**found.contents, **({CARD: found.card} if found.card is not None else {})}
    _publish(contents, Path(folder), replace=True, key=key)


def fingerprint(folder: str | Path) -> str:
    """First 16 hexadecimal digits of the SHA-256 of the manifest."""
    return hashlib.sha256((Path(folder) / MANIFEST).read_bytes()).hexdigest()[:16]


def _checked(folder: Path, require: str | Path | None) -> BundleFiles:
    files = read_bundle_files(folder)
    check_signature(files.manifest, files.signature, require=require, where=str(folder))
    if require is not None and files.card is not None:
        raise BundleError(f"{folder}: its signature does not cover {CARD}; have it signed anew with 'prodromal sign'")
    return files


def _model(contents: Mapping[str, bytes], where: str) -> RiskModel:
    facts = read_facts(read_json(contents["model.json"], f"{where}: model.json"), f"{where}: model.json")
    plan = read_plan(contents["plan.toml"], f"{where}: plan.toml")
    check_features(read_json(contents["features.json"], f"{where}: features.json"), plan, where)
    if plan.fingerprint != facts.plan_fingerprint:
        raise BundleError(f"{where}: the plan and the trees in the bundle do not belong together")
    document = read_ubjson(contents["model.ubj"], f"{where}: model.ubj")
    trees = check_trees(document, n_features=len(plan.features), where=f"{where}: model.ubj")
    check_scores(facts, trees, where)
    try:
        outcome = Outcome(**facts.outcome.model_dump())
    except DefinitionError as error:
        raise BundleError(f"{where}: model.json: {error}") from error
    table = facts.population
    return RiskModel(
        plan=plan,
        trees=StoredTrees(contents["model.ubj"], document),
        slope=facts.slope,
        normaliser=Normaliser(np.asarray(facts.log_mean, dtype=np.float64)),
        population=Population(table.name, np.asarray(table.incidence), np.asarray(table.mortality)),
        outcome=outcome,
        reference=np.asarray(facts.reference, dtype=np.float64),
        training=facts.training,
    )


def _publish(contents: Mapping[str, bytes], folder: Path, *, replace: bool, key: str | Path | None) -> None:
    manifest = write_manifest(contents)
    signature = {SIGNATURE: sign_manifest(manifest, read_private_key(key))} if key is not None else {}
    with atomic_folder(folder, replace=replace) as partial:
        for name, data in {**contents, **signature, MANIFEST: manifest}.items():
            (partial / name).write_bytes(data)
