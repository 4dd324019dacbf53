"""The bytes of a bundle: read once, within bounds, from plain files of known names, and compared with the manifest."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prodromal.errors import BundleError
from prodromal.risk.manifest import CARD, FILES, MANIFEST, SIGNATURE, read_manifest

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["BundleFiles", "read_bounded", "read_bundle_files"]

_LARGEST = {
    "model.ubj": 1 << 26,
    "model.json": 1 << 22,
    "plan.toml": 1 << 17,
    "features.json": 1 << 24,
    MANIFEST: 1 << 16,
    SIGNATURE: 1 << 12,
    CARD: 1 << 20,
}
# A pipe would wait for a writer, and a link could lead anywhere. Windows has neither flag.
_FLAGS = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)


@dataclass(frozen=True)
class BundleFiles:
    """What is loaded is what was checked: these bytes, and never the files again.

    Attributes
    ----------
    manifest : bytes
    contents : mapping of str to bytes
        Every file that the manifest names.
    card : bytes or None
        A card beside a bundle of version 1, which no manifest covers.
    signature : bytes or None
    """

    manifest: bytes
    contents: Mapping[str, bytes]
    card: bytes | None
    signature: bytes | None


def read_bundle_files(folder: Path) -> BundleFiles:
    """Read every file of a bundle.

    Raises
    ------
    BundleError
        If a file is missing, extra, too large, no plain file, or differs from the manifest.
    """
    present = _names(folder)
    if MANIFEST not in present:
        raise BundleError(f"{folder} is no model bundle: it has no {MANIFEST}")
    manifest = read_bounded(folder / MANIFEST, _LARGEST[MANIFEST])
    hashes = read_manifest(manifest, str(folder / MANIFEST))
    known = {*hashes.sha256, MANIFEST, SIGNATURE} | ({CARD} if hashes.version == 1 else set())
    extra, missing = len(present - known), len(set(hashes.sha256) - present)
    if extra or missing:
        raise BundleError(f"{folder} has {extra} extra and {missing} missing files")
    contents = {}
    for name in (*FILES, CARD):
        if name not in hashes.sha256:
            continue
        contents[name] = read_bounded(folder / name, _LARGEST[name])
        if hashlib.sha256(contents[name]).hexdigest() != hashes.sha256[name]:
            raise BundleError(f"{folder / name} differs from the manifest: it was changed or damaged")
    beside = {
        name: read_bounded(folder / name, _LARGEST[name])
        for name in (CARD, SIGNATURE)
        if name in present and name not in contents
    }
    return BundleFiles(manifest, contents, beside.get(CARD), beside.get(SIGNATURE))


def read_bounded(path: Path, largest: int) -> bytes:
    """Read a plain file of at most `largest` bytes.

    Raises
    ------
    BundleError
        If it is a link, a device, a folder or a pipe, is larger, or cannot be read.
    """
    data = _read(path, largest + 1)
    if data is None or len(data) > largest:
        raise BundleError(f"{path} is not a plain file of acceptable size (at most {largest:,} bytes)")
    return data


def _read(path: Path, size: int) -> bytes | None:
    """At most so many bytes of a plain file; None of anything else."""
    try:
        if path.is_symlink():
            return None
        handle = os.open(path, _FLAGS)
    except OSError:
        return None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(handle, "rb", closefd=False) as stream:
            return stream.read(size)
    except OSError:
        return None
    finally:
        os.close(handle)


def _names(folder: Path) -> set[str]:
    """Names in a folder; a folder with more than a bundle can have is not read to its end."""
    names: set[str] = set()
    try:
        with os.scandir(folder) as items:
            for item in items:
                names.add(item.name)
                if len(names) > len(_LARGEST) + 100:
                    raise BundleError(f"{folder} is no model bundle: it has more than {len(names) - 1} files")
    except OSError:
        raise BundleError(f"{folder} is no model bundle: it is no folder that can be read") from None
    return names
