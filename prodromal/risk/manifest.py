"""The manifest of a bundle: which files it has, with the SHA-256 of each, in one form that no flipped bit survives."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from prodromal import __version__
from prodromal.errors import BundleError
from prodromal.risk.strict_json import read_json, write_json

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CARD", "FILES", "MANIFEST", "SIGNATURE", "Manifest", "read_manifest", "write_manifest"]

MANIFEST, SIGNATURE, CARD = "bundle.json", "bundle.sig", "MODEL_CARD.md"
FILES = ("model.ubj", "model.json", "plan.toml", "features.json")
_FORMAT, _VERSION = "prodromal bundle", 2
_DIGEST = re.compile(r"[0-9a-f]{64}", re.ASCII)


@dataclass(frozen=True)
class Manifest:
    """A sound manifest.

    Attributes
    ----------
    version : int
        Of the format. Version 1 neither covers a card nor itself.
    sha256 : mapping of str to str
        Digest of every file.
    """

    version: int
    sha256: Mapping[str, str]


def write_manifest(contents: Mapping[str, bytes]) -> bytes:
    """The manifest of a bundle with these files."""
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in contents.items()}
    return _sealed({"format": _FORMAT, "version": _VERSION, "prodromal": __version__, "sha256": hashes})


def read_manifest(data: bytes, where: str) -> Manifest:
    """Read a manifest of this version or an earlier one.

    Raises
    ------
    BundleError
        If it is damaged, of a later version, or names other files than those of a bundle.
    """
    found = read_json(data, where)
    version = found.get("version") if isinstance(found, dict) else None
    if version is None or found.get("format") != _FORMAT or type(version) is not int:
        raise BundleError(f"{where} is not the manifest of a model bundle")
    if version > _VERSION:
        raise BundleError(f"{where} is of version {version}, this prodromal reads up to {_VERSION}; update it")
    seal = {"seal"} if version > 1 else set()
    if version < 1 or set(found) != {"format", "version", "prodromal", "sha256"} | seal:
        raise BundleError(f"{where} is damaged: it has other parts than a manifest of its version")
    content = {name: part for name, part in found.items() if name != "seal"}
    if data != (_sealed(content) if seal else write_json(content)):
        raise BundleError(f"{where} is damaged: it is not as it was written")
    return Manifest(version, _hashes(found["sha256"], version, where))


def _sealed(content: Mapping[str, Any]) -> bytes:
    return write_json({**content, "seal": hashlib.sha256(write_json(content)).hexdigest()})


def _hashes(found: Any, version: int, where: str) -> Mapping[str, str]:
    optional = {CARD} if version > 1 else set()
    if not isinstance(found, dict) or set(found) - optional != set(FILES):
        raise BundleError(f"{where} names other files than those of a bundle: {', '.join(FILES)}")
    if not all(isinstance(digest, str) and _DIGEST.fullmatch(digest) for digest in found.values()):
        raise BundleError(f"{where} is damaged: a SHA-256 is not one")
    return found
